//! Signed requests: any header, and any event under a good signature.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::{EventBuilder, JsonUtil, Keys, Kind, SecretKey, Tag};
use portico::clock::Timestamp;
use portico::wallet::WebRequest;
use portico::wallet::nip98::{Nip98Error, Policy, SignedRequest};

/// The time at which requests are checked, in Unix seconds: the time of the vectors.
const NOW: u64 = 1_800_000_000;
const REQUEST: WebRequest<'_> = WebRequest { method: "GET", target: "/v1/me?x=1", body: None };

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(SecretKey::from_slice(&[0x11; 32]).unwrap()));
static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy {
    public_url: "https://api.example.com".into(),
    window: Duration::from_secs(60),
});

/// The input is a header; or, if it begins with `[`, the JSON of tags, which are signed before they are checked.
pub fn run(data: &[u8]) {
    if let Ok(tags) = serde_json::from_slice::<Vec<Vec<String>>>(data) {
        judge_signed(tags);
    } else if let Ok(text) = std::str::from_utf8(data) {
        let _ = judge(text);
    }
}

fn judge_signed(tags: Vec<Vec<String>>) {
    let Ok(parsed) = tags.iter().map(Tag::parse).collect::<Result<Vec<_>, _>>() else { return };
    let time = nostr_sdk::Timestamp::from_secs(NOW);
    let event = EventBuilder::new(Kind::Custom(27235), "").tags(parsed).custom_created_at(time);
    let event = event.sign_with_keys(&KEYS).unwrap();
    let values = |name: &str| {
        let named = tags.iter().filter(|tag| tag.first().is_some_and(|first| first == name));
        named.map(|tag| tag[1..].to_vec()).collect::<Vec<_>>()
    };
    match judge(&format!("Nostr {}", STANDARD.encode(event.as_json()))) {
        Err(Nip98Error::InvalidSignature) => panic!("a good signature was refused"),
        Err(_) => {}
        Ok(signed) => {
            assert_eq!(signed.user, KEYS.public_key());
            assert_eq!(values("u"), [["https://api.example.com/v1/me?x=1"]]);
            assert_eq!(values("method"), [["GET"]]);
            assert!(values("payload").is_empty());
        }
    }
}

/// Checks a header. If it is accepted, asserts what the parser promises.
fn judge(header: &str) -> Result<SignedRequest, Nip98Error> {
    let now = Timestamp::from_secs(NOW);
    let signed = POLICY.judge(header, Some(&REQUEST), now)?;
    assert!(signed.signed_at.secs().abs_diff(NOW) <= 60);
    assert_eq!(POLICY.judge(header, None, now), Err(Nip98Error::RequestRequired));
    for (other, why) in [
        (WebRequest { method: "POST", ..REQUEST }, Nip98Error::WrongMethod),
        (WebRequest { target: "/", ..REQUEST }, Nip98Error::WrongUrl),
        (WebRequest { body: Some([0; 32]), ..REQUEST }, Nip98Error::PayloadRequired),
    ] {
        assert_eq!(POLICY.judge(header, Some(&other), now), Err(why));
    }
    let later = signed.signed_at.plus(Duration::from_secs(61));
    assert_eq!(POLICY.judge(header, Some(&REQUEST), later), Err(Nip98Error::OutsideWindow));
    Ok(signed)
}
