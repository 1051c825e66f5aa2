//! Tokens of thirdweb: any text, and any payload under a good signature.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use portico::ethereum::SigningKey;
use portico::wallet::thirdweb::{Policy, Refusal, verify};

/// The time at which the tokens are checked, in Unix seconds: the time of the vectors.
const NOW: u64 = 1_800_000_000;

/// The admin wallet of the vectors.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::parse(&"11".repeat(32)).unwrap());

/// The input is a token; or, after a line feed at the start, it is a payload that is signed before it is checked.
pub fn run(data: &[u8]) {
    if let Some(payload) = data.strip_prefix(b"\n") {
        judge_signed(payload);
    } else if let Ok(text) = std::str::from_utf8(data) {
        let _ = judge(text);
    }
}

fn judge_signed(payload: &[u8]) {
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(payload));
    let with = |payload| format!("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.{payload}.{signature}");
    let verdict = judge(&with(URL_SAFE_NO_PAD.encode(payload)));
    assert_ne!(verdict, Err(Refusal::Signature), "a good signature was refused");
    assert_eq!(judge(&with(STANDARD_NO_PAD.encode(payload))), verdict, "the alphabet changes the verdict");
    if verdict.is_ok() {
        // Another JSON parser reads the same values, and thirdweb would write them in one line.
        let claims: serde_json::Value = serde_json::from_slice(payload).unwrap();
        assert!(claims["exp"].as_u64().unwrap() > NOW);
        assert_eq!(claims["aud"], "example.com");
        assert!(!payload.contains(&b'\n'));
    }
}

/// Checks a token. If it is accepted, asserts what its policy promises.
fn judge(text: &str) -> Result<[u8; 32], Refusal> {
    let policy = Policy { domain: "example.com".into(), admins: vec![KEY.address()], leeway_secs: 60 };
    let verified = verify(text, &policy, NOW)?;
    assert_eq!(verified.issuer, KEY.address());
    assert!(verified.expires_at > NOW && verified.issued_at.is_none_or(|time| time <= NOW + 60));
    assert_eq!(verify(text, &policy, verified.expires_at), Err(Refusal::Expired));
    let elsewhere = Policy { domain: "example.org".into(), ..policy.clone() };
    assert_eq!(verify(text, &elsewhere, NOW), Err(Refusal::Audience));
    let nobody = Policy { admins: Vec::new(), ..policy };
    assert_eq!(verify(text, &nobody, NOW), Err(Refusal::UnknownIssuer));
    Ok(verified.id)
}
