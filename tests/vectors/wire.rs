//! Two logins recorded between the reference service and the reference wallet, and subkeys that the
//! reference derived.

use nostr_sdk::{Event, Keys, PublicKey, SecretKey};
use portico::portal_token::{Policy, VerifyingKey, verify};
use portico::protocol::{
    AuthChallenge, AuthResponse, AuthStatus, HandshakeUrl, KeyHandshake, Message, OpenError, Sealer,
    SubkeyError, SubkeyProof, derive_public, derive_secret,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    logins: Vec<Login>,
    subkeys: Vec<Subkey>,
}

#[derive(Deserialize)]
struct Login {
    outcome: String,
    service_secret: SecretKey,
    service_key: PublicKey,
    wallet_secret: SecretKey,
    wallet_key: PublicKey,
    handshake_url: String,
    messages: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    event: Event,
    plaintext: Value,
}

#[derive(Deserialize)]
struct Subkey {
    canonical_bytes: String,
    main_key: PublicKey,
    main_secret: SecretKey,
    proof: SubkeyProof,
    subkey: PublicKey,
    subkey_secret: SecretKey,
    tweak: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("wire.json")).unwrap()
}

/// Somebody who occurs in no recording.
fn stranger() -> Keys {
    Keys::new(SecretKey::from_slice(&[99; 32]).unwrap())
}

impl Login {
    fn service(&self) -> Sealer {
        Sealer::new(Keys::new(self.service_secret.clone()), 10)
    }

    fn wallet(&self) -> Sealer {
        Sealer::new(Keys::new(self.wallet_secret.clone()), 10)
    }
}

/// The JSON of a message, to compare with what was recorded.
fn json(message: &Message) -> Value {
    match message {
        Message::KeyHandshake(message) => serde_json::to_value(message),
        Message::AuthChallenge(message) => serde_json::to_value(message),
        Message::AuthResponse(message) => serde_json::to_value(message),
        Message::SubkeyProof { proof, .. } => serde_json::to_value(proof),
    }
    .unwrap()
}

#[test]
fn recorded_events_verify_and_open_to_what_was_said() {
    for login in file().logins {
        for Recorded { event, plaintext } in &login.messages {
            event.verify().unwrap();
            let (reader, stranger) = if event.pubkey == login.wallet_key {
                (login.service(), Sealer::new(stranger(), 10))
            } else {
                (login.wallet(), Sealer::new(stranger(), 10))
            };
            // Twice: the second time the conversation key comes from memory.
            for _ in 0..2 {
                let opened = reader.open(event).unwrap();
                assert_eq!((opened.author, opened.id), (event.pubkey, event.id));
                assert_eq!(&json(&opened.message), plaintext);
            }
            assert_eq!(stranger.open(event), Err(OpenError::Foreign));
        }
    }
}

#[test]
fn what_we_seal_says_the_same_in_an_event_of_the_same_shape() {
    let rng = &mut StdRng::seed_from_u64(1);
    for login in file().logins {
        let (service, wallet) = (login.service(), login.wallet());
        assert_eq!((service.public_key(), wallet.public_key()), (login.service_key, login.wallet_key));
        for Recorded { event, plaintext } in &login.messages {
            let (from, to) =
                if event.pubkey == login.wallet_key { (&wallet, &service) } else { (&service, &wallet) };
            let (key, at) = (to.public_key(), event.created_at.as_secs());
            let ours = match to.open(event).unwrap().message {
                Message::KeyHandshake(message) => from.seal(rng, &key, &[key], None, &message, at),
                Message::AuthChallenge(message) => from.seal(rng, &key, &[key], None, &message, at),
                Message::AuthResponse(message) => from.seal(rng, &key, &[key], None, &message, at),
                Message::SubkeyProof { proof, about } => from.seal(rng, &key, &[key], about, &proof, at),
            }
            .unwrap();
            ours.verify().unwrap();
            assert_eq!(&json(&to.open(&ours).unwrap().message), plaintext);
            assert_eq!((ours.kind, &ours.tags, ours.created_at), (event.kind, &event.tags, event.created_at));
        }
    }
}

#[test]
fn the_recorded_url_is_the_one_we_build() {
    for login in file().logins {
        let url: HandshakeUrl = login.handshake_url.parse().unwrap();
        assert_eq!((url.main_key, url.subkey, url.no_request), (login.service_key, None, false));
        assert_eq!(url.to_string(), login.handshake_url);
        let handshake: KeyHandshake = serde_json::from_value(login.messages[0].plaintext.clone()).unwrap();
        assert_eq!((url.token, url.relays), (handshake.token, handshake.preferred_relays));
    }
}

#[test]
fn the_recorded_session_token_verifies() {
    for login in file().logins {
        let challenge: AuthChallenge = serde_json::from_value(login.messages[1].plaintext.clone()).unwrap();
        let response: AuthResponse = serde_json::from_value(login.messages[2].plaintext.clone()).unwrap();
        assert_eq!(response.challenge, challenge.challenge);
        match response.status {
            AuthStatus::Approved { session_token, .. } => {
                assert_eq!(login.outcome, "approved");
                let wallet = VerifyingKey::from_xonly_bytes(login.wallet_key.as_bytes()).unwrap();
                let now = login.messages[2].event.created_at.as_secs();
                let claims =
                    verify(&wallet, session_token.expose(), now, &Policy::default(), |_| false).unwrap();
                assert_eq!(&claims.target_key, login.service_key.as_bytes());
                assert_eq!(claims.expires_at - claims.issued_at.unwrap(), 168 * 60 * 60);
            }
            AuthStatus::Declined { reason } => {
                assert_eq!(
                    (login.outcome.as_str(), reason.as_deref()),
                    ("declined", Some("declined by sim"))
                );
            }
        }
    }
}

#[test]
fn subkeys_are_derived_as_the_reference_does() {
    for vector in file().subkeys {
        let metadata = &vector.proof.metadata;
        assert_eq!(vector.proof.main_key, vector.main_key);
        assert_eq!(hex::encode(metadata.canonical_bytes()), vector.canonical_bytes);
        assert_eq!(derive_public(&vector.main_key, metadata), Ok(vector.subkey));
        let secret = derive_secret(&vector.main_secret, metadata).unwrap();
        assert_eq!(secret, vector.subkey_secret);
        assert_eq!(Keys::new(secret.clone()).public_key(), vector.subkey);
        assert_eq!(Keys::new(vector.main_secret.clone()).public_key(), vector.main_key);

        // The tweak, seen from outside: the child less the main secret lifted to even y.
        let tweak = secp256k1::Scalar::from_be_bytes(hex::decode(&vector.tweak).unwrap().try_into().unwrap());
        let lifted_or_not = [*vector.main_secret, vector.main_secret.negate()];
        let children = lifted_or_not.map(|main| main.add_tweak(tweak.as_ref().unwrap()).unwrap());
        assert!(children.contains(&secret));
    }
}

#[test]
fn proofs_of_the_reference_hold_for_their_own_key_alone() {
    const NOW: u64 = 1_800_000_000;
    for vector in file().subkeys {
        let verdict = vector.proof.verify(&vector.subkey, &vector.main_key, NOW);
        let may_log_in = serde_json::to_string(&vector.proof).unwrap().contains("\"auth\"");
        assert_eq!(verdict, if may_log_in { Ok(()) } else { Err(SubkeyError::NoAuthPermission) });
        let (foreign, main) = (stranger().public_key(), &vector.main_key);
        assert!(vector.proof.verify(&foreign, main, NOW).is_err());
        assert_eq!(vector.proof.verify(&vector.subkey, &foreign, NOW), Err(SubkeyError::ForeignMainKey));
    }
}

#[test]
fn a_proof_is_written_as_the_reference_writes_it() {
    let text: Value = serde_json::from_str(include_str!("wire.json")).unwrap();
    for recorded in text["subkeys"].as_array().unwrap() {
        let proof: SubkeyProof = serde_json::from_value(recorded["proof"].clone()).unwrap();
        assert_eq!(serde_json::to_value(&proof).unwrap(), recorded["proof"]);
    }
}
