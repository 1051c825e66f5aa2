//! Issuers' tokens and key sets: any text, and any header and claims under a good signature.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::clock::Timestamp;
use portico::config::JwtAlgorithm;
use portico::portal_token::MAX_TOKEN_BYTES;
use portico::wallet::WalletIdentity;
use portico::wallet::jwks::{JwtError, KeySet, Policy, UnverifiedJwt};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// The time at which the tokens are checked, in Unix seconds: the time of the vectors.
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 60;
const AUDIENCE: &str = "b8d0f7f6-4a0e-4a53-9a5e-0c6f1f1f2a10";
const ALGORITHMS: [JwtAlgorithm; 4] =
    [JwtAlgorithm::RS256, JwtAlgorithm::ES256, JwtAlgorithm::ES384, JwtAlgorithm::EdDSA];

/// The key that signs the fuzzer's tokens, and the set that publishes it as `k`.
static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(KEY.public_key().as_ref());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
    KeySet::parse(set.to_string().as_bytes(), &ALGORITHMS).unwrap()
});

static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| {
    let any = json!({ "issuer": "i", "audience": AUDIENCE, "jwks_url": "https://i.example/" });
    let para = json!({ "audience": AUDIENCE });
    let (any, para) = (serde_json::from_value(any).unwrap(), serde_json::from_value(para).unwrap());
    [Policy::of_issuer(&any), Policy::of_para(&para)]
});

/// The input is a token and a key set; or it is `header`, a line feed and `claims`, which are signed first.
pub fn run(data: &[u8]) {
    if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let (header, claims) = data.split_at(end);
        judge_signed(header, &claims[1..]);
    } else {
        let _ = KeySet::parse(data, &ALGORITHMS);
        if let Ok(text) = std::str::from_utf8(data) {
            for policy in POLICIES.iter() {
                let _ = judge(policy, text);
            }
        }
    }
}

fn judge_signed(header: &[u8], claims: &[u8]) {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(KEY.sign(input.as_bytes())));
    for policy in POLICIES.iter() {
        match judge(policy, &token) {
            Err(JwtError::InvalidSignature) => panic!("a good signature was refused"),
            Err(_) => {}
            Ok(identity) => {
                // Another JSON parser reads the same values.
                let header: Value = serde_json::from_slice(header).unwrap();
                let claims: Value = serde_json::from_slice(claims).unwrap();
                assert_eq!((&header["alg"], &header["kid"]), (&json!("EdDSA"), &json!("k")));
                assert_eq!(claims["sub"], identity.wallet_id);
                assert!(claims["exp"].as_f64().unwrap() > NOW as f64);
                assert_eq!(claims, identity.claims);
            }
        }
    }
}

/// Checks a token. If it is accepted, asserts what the parser promises.
fn judge(policy: &Policy, text: &str) -> Result<WalletIdentity, JwtError> {
    let token = UnverifiedJwt::parse(text)?;
    assert!(text.len() <= MAX_TOKEN_BYTES);
    // Only one spelling is accepted: encoding the parsed text gives the same text.
    for part in text.split('.') {
        assert_eq!(URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).unwrap()), part);
    }
    assert_eq!(text.split('.').count(), 3);
    assert_eq!(format!("{token:?}"), "UnverifiedJwt([redacted])");

    let key = KEYS.key(token.kid()).ok_or(JwtError::UnknownKey)?;
    let identity = policy.identity(&token, &key, Timestamp::from_secs(NOW))?;
    assert!(identity.expires_at > Timestamp::from_secs(NOW));
    assert!(identity.issued_at.is_none_or(|issued| issued <= Timestamp::from_secs(NOW + LEEWAY)));
    assert!(!identity.wallet_id.is_empty() && !identity.auth_identifier.is_empty());
    assert_eq!(policy.identity(&token, &key, identity.expires_at), Err(JwtError::TokenExpired));
    Ok(identity)
}
