//! Tokens in the shape that Para documents, and attacks on them, with the verdict of a strict verifier.

use portico::clock::Timestamp;
use portico::config::{JwtAlgorithm, Para};
use portico::wallet::WalletIdentity;
use portico::wallet::jwks::{JwtError, KeySet, Policy, UnverifiedJwt};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    jwks: Value,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    now: u64,
    audience: String,
    /// `"default"`: that of the file.
    jwks: Value,
    token: String,
    expected: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("para-jwt.json")).unwrap()
}

impl File {
    fn judge(&self, vector: &Vector) -> Result<WalletIdentity, JwtError> {
        let set = if vector.jwks == "default" { &self.jwks } else { &vector.jwks };
        let keys = KeySet::parse(set.to_string().as_bytes(), &[JwtAlgorithm::RS256]).unwrap();
        let rules: Para =
            serde_json::from_value(serde_json::json!({ "audience": vector.audience, "leeway": "0s" }))
                .unwrap();
        let token = UnverifiedJwt::parse(&vector.token)?;
        let key = keys.key(token.kid()).ok_or(JwtError::UnknownKey)?;
        Policy::of_para(&rules).identity(&token, &key, Timestamp::from_secs(vector.now))
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    let file = file();
    assert_eq!(file.vectors.len(), 55);
    for vector in &file.vectors {
        let verdict = file.judge(vector);
        assert_eq!(
            verdict.is_ok(),
            vector.expected == "accept",
            "{}: {}: {verdict:?}",
            vector.name,
            vector.why
        );
    }
}

#[test]
fn each_kind_of_attack_is_rejected_for_its_own_reason() {
    use JwtError::*;

    let file = file();
    for vector in file.vectors.iter().filter(|vector| vector.expected == "reject") {
        let expected = match vector.name.as_str() {
            "wrong_aud" | "aud_array_foreign" | "aud_prefix" | "aud_upper" => WrongAudience,
            "expired" => TokenExpired,
            "no_exp" | "exp_string" | "no_data" | "data_string" => MalformedClaims,
            "nbf_future" => TokenNotYetValid,
            "sub_mismatch" => SubjectMismatch,
            "authType_unknown" => UnknownAuthType,
            "unknown_kid" | "kid_case" | "beta_env_key" | "rotated_key" => UnknownKey,
            name if name.starts_with("jwks_") => match name {
                // Its only key is symmetric, and the token names an algorithm that Portico does not support.
                "jwks_oct_same_kid" => UnsupportedAlgorithm,
                _ => UnknownKey,
            },
            "tampered_payload" | "tampered_sig" | "sig_prefixed_zero" => InvalidSignature,
            "alg_rs256_pss_sig" | "alg_rs256_sha512_digestinfo" => InvalidSignature,
            "alg_none" => MalformedToken,
            name if name.starts_with("alg_") => UnsupportedAlgorithm,
            "kid_number" | "sig_empty" | "jku" | "x5u" | "crit" | "dup_sub" | "dots_4" | "ws" | "padded" => {
                MalformedToken
            }
            other => panic!("unknown vector {other}"),
        };
        assert_eq!(file.judge(vector).unwrap_err(), expected, "{}", vector.name);
    }
}

#[test]
fn whoever_logs_in_is_known_by_what_they_logged_in_with() {
    let file = file();
    let identity = |name: &str| {
        let vector = file.vectors.iter().find(|vector| vector.name == name).unwrap();
        file.judge(vector).unwrap()
    };
    for (name, auth_method, auth_identifier) in [
        ("valid_email", "email", "email@example.com"),
        ("valid_google", "email", "email@example.com"),
        ("valid_phone", "phone", "+13105551234"),
        ("valid_telegram", "telegram", "1234567890"),
        ("valid_farcaster", "farcaster", "FarcasterUsername"),
        ("valid_externalWallet", "externalWallet", "0xaD6b78193b78e23F9aBBB675734f4a2B3559598D"),
    ] {
        let identity = identity(name).checked().unwrap();
        assert_eq!(identity.provider, "para");
        assert_eq!(identity.wallet_id, "d5358219-38d3-4650-91a8-e338131d1c5e");
        assert_eq!((&*identity.auth_method, &*identity.auth_identifier), (auth_method, auth_identifier));
        let kinds: Vec<_> = identity.wallets.iter().map(|wallet| &*wallet.kind).collect();
        assert_eq!(kinds, ["EVM", "SOLANA"]);
        assert_eq!(identity.expires_at, Timestamp::from_secs(1_800_001_800));
    }
    // The name of the credential depends on the signed text, not on the key.
    assert_ne!(identity("valid_email").credential, identity("valid_key1").credential);
}
