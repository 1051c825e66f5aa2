//! Events with sealed contents: any event, any content, and any plaintext with a valid seal.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::nips::nip44::v2::{self, ConversationKey};
use nostr_sdk::{Event, JsonUtil, Keys, Kind, SecretKey, Tags, Timestamp};
use portico::protocol::{OpenError, Sealer, kind};
use rand::SeedableRng;
use rand::rngs::StdRng;

struct Cast {
    service: Sealer,
    wallet: Keys,
    /// The key with which both of them seal.
    key: ConversationKey,
}

static CAST: LazyLock<Cast> = LazyLock::new(|| {
    // The service and the wallet of the recorded logins, so that the seeds can be opened.
    let keys = |secret: &str| Keys::new(SecretKey::parse(secret).unwrap());
    let service = keys("9df6b026a8c6c26e3c3acd2370a16e93fffdc0015ff5bd879218788025db0280");
    let wallet = keys("e86c2dbb236c32d0cc456189acadee15f5b88f0f261872a3b14278c5cc274d66");
    let key = ConversationKey::derive(wallet.secret_key(), &service.public_key()).unwrap();
    Cast { service: Sealer::new(service, 16), wallet, key }
});

const KINDS: [Kind; 4] = [kind::KEY_HANDSHAKE, kind::AUTH_CHALLENGE, kind::AUTH_RESPONSE, kind::SUBKEY_PROOF];

/// The first byte says what follows: an event, a content, or a plaintext that is sealed first.
pub fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let kind = KINDS[usize::from(mode >> 4) % KINDS.len()];
    match (mode & 0x0f, std::str::from_utf8(rest)) {
        (0, Ok(json)) => {
            if let Ok(event) = Event::from_json(json) {
                let _ = CAST.service.open(&event);
            }
        }
        (1, Ok(content)) => {
            // Nobody can seal a message without the key. So only the recorded messages can be opened.
            if let Ok(opened) = CAST.service.open(&event(kind, content)) {
                assert_eq!(opened.author, CAST.wallet.public_key());
            }
        }
        (2, _) => {
            let Ok(sealed) = v2::encrypt_to_bytes_with_rng(&mut StdRng::seed_from_u64(0), &CAST.key, rest)
            else {
                return;
            };
            match CAST.service.open(&event(kind, &STANDARD.encode(sealed))) {
                Ok(_) => assert!(serde_json::from_slice::<serde_json::Value>(rest).is_ok()),
                Err(OpenError::Malformed(_)) => {}
                Err(error) => panic!("a good seal was taken for {error:?}"),
            }
        }
        _ => {}
    }
}

/// An event of the wallet. Its signature is from another event, because opening does not check it.
fn event(kind: Kind, content: &str) -> Event {
    static SIGNATURE: LazyLock<nostr_sdk::secp256k1::schnorr::Signature> =
        LazyLock::new(|| nostr_sdk::secp256k1::schnorr::Signature::from_slice(&[1; 64]).unwrap());
    let created_at = Timestamp::from_secs(1_800_000_000);
    let id = nostr_sdk::EventId::all_zeros();
    Event::new(id, CAST.wallet.public_key(), created_at, kind, Tags::new(), content, *SIGNATURE)
}
