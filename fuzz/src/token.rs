//! Tokens: any text, and any header and claims under a good signature.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::portal_token::{MAX_TOKEN_BYTES, Policy, SigningKey, TokenError, UnverifiedToken, verify};
use secp256k1::{Message, SECP256K1, SecretKey};
use sha2::{Digest, Sha256};

/// The time at which the tokens are checked, in Unix seconds: the time of the vectors.
const NOW: u64 = 1_800_000_000;

/// The key that signs the fuzzer's tokens; its point has even y.
static SECRET: LazyLock<SecretKey> = LazyLock::new(|| {
    let secret = SecretKey::from_slice(&[7; 32]).unwrap();
    let odd = secret.x_only_public_key(SECP256K1).1 == secp256k1::Parity::Odd;
    if odd { secret.negate() } else { secret }
});

/// The input is a token; or it is `header`, a line feed and `claims`, which are signed before they are checked.
pub fn run(data: &[u8]) {
    if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let (header, claims) = data.split_at(end);
        judge_signed(header, &claims[1..]);
    } else if let Ok(text) = std::str::from_utf8(data) {
        let _ = judge(text);
    }
}

fn judge_signed(header: &[u8], claims: &[u8]) {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let digest = Message::from_digest(Sha256::digest(&input).into());
    let signature = SECP256K1.sign_ecdsa(&digest, &SECRET);
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.serialize_compact()));
    match judge(&token) {
        Err(TokenError::InvalidSignature) => panic!("a good signature was refused"),
        Err(_) => {}
        Ok(()) => {
            // Another JSON parser reads the same values.
            let header: serde_json::Value = serde_json::from_slice(header).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(claims).unwrap();
            assert_eq!(header["alg"], "ES256K");
            assert!(claims["exp"].as_f64().unwrap() > NOW as f64);
        }
    }
}

/// Checks a token. If it is accepted, asserts what its policy promises.
fn judge(text: &str) -> Result<(), TokenError> {
    let key = SigningKey::from_secret(&SECRET).verifying_key();
    let policy = Policy::default();
    let verdict = verify(&key, text, NOW, &policy, |_| false);
    if let Ok(token) = UnverifiedToken::parse(text) {
        assert!(text.len() <= MAX_TOKEN_BYTES);
        // Only one spelling is accepted: encoding the parsed text gives the same text.
        for part in text.split('.') {
            assert_eq!(URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).unwrap()), part);
        }
        assert_eq!(text.split('.').count(), 3);
        assert!(format!("{token:?}").contains("[redacted]"));
        for candidate in token.signer_candidates().unwrap_or_default() {
            assert_eq!(token.verify_signature(&candidate), Ok(()));
        }
    }
    let claims = verdict?;
    assert!(claims.expires_at > NOW);
    for time in [claims.not_before, claims.issued_at].into_iter().flatten() {
        assert!(time <= NOW + policy.leeway_secs);
    }
    let lifetime = claims.expires_at - claims.issued_at.unwrap_or(NOW);
    assert!(policy.max_lifetime_secs.is_none_or(|max| lifetime <= max));
    assert_eq!(verify(&key, text, NOW, &policy, |_| true), Err(TokenError::TokenRevoked));
    assert_eq!(verify(&key, text, claims.expires_at, &policy, |_| false), Err(TokenError::TokenExpired));
    Ok(())
}
