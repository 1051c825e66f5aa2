//! Access tokens: any text, and any header and claims under a good signature.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::access_token::{AccessError, Algorithm, Claims, Expected, SigningKey, UnverifiedToken, sign};
use portico::portal_token::MAX_TOKEN_BYTES;
use secp256k1::{Message, SECP256K1, SecretKey};
use sha2::{Digest, Sha256};

/// The time at which the tokens are checked, in Unix seconds.
const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 60;
const OURS: Expected<'_> = Expected { issuer: "https://portico.example", audience: "https://app.example" };

/// The bytes of the key that signs the fuzzer's tokens.
const SECRET: [u8; 32] = [7; 32];
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::Es256k, &SECRET).unwrap());

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
    let signature = SECP256K1.sign_ecdsa(&digest, &SecretKey::from_slice(&SECRET).unwrap());
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.serialize_compact()));
    match judge(&token) {
        Err(AccessError::InvalidSignature) => panic!("a good signature was refused"),
        Err(_) => {}
        Ok(read) => {
            // Another JSON parser reads the same values.
            let header: serde_json::Value = serde_json::from_slice(header).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(claims).unwrap();
            assert_eq!((&header["alg"], &header["kid"]), (&"ES256K".into(), &KEY.public().kid().into()));
            assert_eq!((&claims["sub"], &claims["exp"]), (&read.sub.as_str().into(), &read.exp.into()));
        }
    }
}

/// Checks a token. If it is accepted, asserts what the parser promises.
fn judge(text: &str) -> Result<Claims, AccessError> {
    let token = UnverifiedToken::parse(text)?;
    assert!(text.len() <= MAX_TOKEN_BYTES);
    // Only one spelling is accepted: encoding the parsed text gives the same text.
    for part in text.split('.') {
        assert_eq!(URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).unwrap()), part);
    }
    assert_eq!(text.split('.').count(), 3);
    assert_eq!(format!("{token:?}"), "UnverifiedToken([redacted])");

    let claims = token.verify(KEY.public())?;
    assert_eq!(token.kid(), KEY.public().kid());
    claims.check(&OURS, NOW, LEEWAY)?;
    assert!(claims.exp > NOW && claims.nbf.max(claims.iat) <= NOW + LEEWAY);
    assert_eq!((&*claims.iss, &*claims.aud), (OURS.issuer, OURS.audience));
    assert_eq!(claims.check(&OURS, claims.exp, LEEWAY), Err(AccessError::TokenExpired));
    // Issuing the same claims gives a token with the same claims, if there is room for it.
    let again = sign(&KEY, &claims).unwrap();
    if again.len() <= MAX_TOKEN_BYTES {
        assert_eq!(UnverifiedToken::parse(&again).unwrap().verify(KEY.public()).as_ref(), Ok(&claims));
    }
    Ok(claims)
}
