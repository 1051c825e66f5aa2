//! Tokens of seven libraries and of many attacks, with the verdict of a strict verifier.

use portico::portal_token::{Policy, SigningKey, TokenError, VerifyingKey, issue, verify};
use secp256k1::SecretKey;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    keys: Keys,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Keys {
    even: Key,
}

#[derive(Deserialize)]
struct Key {
    secret: String,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    category: String,
    public_key_xonly: String,
    now: u64,
    token: String,
    expected: String,
    expected_target_key: Option<String>,
}

/// The vectors assume no leeway; the longest good token among them lives for 100 days.
const POLICY: Policy = Policy { leeway_secs: 0, max_lifetime_secs: Some(100 * 24 * 60 * 60) };

fn file() -> File {
    serde_json::from_str(include_str!("es256k.json")).unwrap()
}

fn key(hex: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = hex::decode(hex).ok()?.try_into().ok()?;
    VerifyingKey::from_xonly_bytes(&bytes).ok()
}

impl Vector {
    fn judge(&self) -> Option<Result<String, TokenError>> {
        let claims = verify(&key(&self.public_key_xonly)?, &self.token, self.now, &POLICY, |_| false);
        Some(claims.map(|claims| hex::encode(claims.target_key)))
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    for vector in file().vectors {
        let verdict = vector.judge();
        let target = verdict.and_then(Result::ok);
        assert_eq!(target.is_some(), vector.expected == "accept", "{}: {}", vector.name, vector.why);
        assert_eq!(target, vector.expected_target_key, "{}", vector.name);
    }
}

#[test]
fn each_kind_of_attack_is_rejected_for_its_own_reason() {
    use TokenError::*;
    for vector in file().vectors.iter().filter(|vector| vector.expected == "reject") {
        let expected: &[TokenError] = match vector.category.as_str() {
            "key" => continue,
            "malformed" | "encoding" | "duplicate" | "header" | "header-policy" | "size" => &[MalformedToken],
            "alg" => &[UnsupportedAlgorithm, InvalidSignature, MalformedToken],
            "signature" => &[InvalidSignature, MalformedToken],
            "parity" => &[InvalidSignature],
            // No double holds it, so the JSON reader gives up before there is a claim.
            "claims" if vector.name == "exp_1e999" => &[MalformedToken],
            "claims" | "claims-policy" => &[MalformedClaims],
            "aud" => &[WrongAudience],
            "time" => &[TokenExpired, TokenNotYetValid, IssuedInFuture, MalformedClaims],
            "time-policy" => &[LifetimeTooLong],
            other => panic!("unknown category {other}"),
        };
        let error = vector.judge().unwrap().unwrap_err();
        assert!(expected.contains(&error), "{}: {error:?}", vector.name);
    }
}

#[test]
fn a_token_made_here_equals_the_reference_wallets_byte_for_byte() {
    let file = file();
    let reference = file.vectors.iter().find(|vector| vector.name == "portal_issue_even").unwrap();
    let secret: SecretKey = file.keys.even.secret.parse().unwrap();
    let target = key(reference.expected_target_key.as_ref().unwrap()).unwrap().to_xonly_bytes();
    let ours = issue(&SigningKey::from_secret(&secret), &target, 1_795_196_495, 100 * 24 * 60 * 60);
    assert_eq!(ours, reference.token);
}
