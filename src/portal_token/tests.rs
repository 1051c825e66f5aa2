//! Tests of whole tokens, with any content.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use secp256k1::{SECP256K1, SecretKey};
use sha2::{Digest, Sha256};

use super::*;

const NOW: u64 = 1_800_000_000;
const HEADER: &str = r#"{"alg":"ES256K"}"#;

fn signer(byte: u8) -> SigningKey {
    SigningKey::from_secret(&SecretKey::from_slice(&[byte; 32]).unwrap())
}

/// A key for the claim `target_key`.
fn target() -> [u8; 32] {
    signer(9).verifying_key().to_xonly_bytes()
}

/// A token with a valid signature of `signer(1)`, and any header and claims.
fn signed(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = Signature::sign(&signer(1), Sha256::digest(&input).into());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// A well-signed token for [`target`] with these claims besides.
fn claiming(claims: &str) -> String {
    signed(HEADER, &format!(r#"{{"target_key":"{}",{claims}}}"#, hex::encode(target())))
}

fn judge(token: &str) -> Result<Claims, TokenError> {
    verify(&signer(1).verifying_key(), token, NOW, &Policy::default(), |_| false)
}

/// The same token with s replaced by n − s, as anybody can do.
fn twin(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let s = SecretKey::from_slice(&signature[32..]).unwrap().negate();
    signature[32..].copy_from_slice(&s.secret_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn each_time_claim_has_its_bounds() {
    use TokenError::*;
    let day = 24 * 60 * 60;
    for (claims, expected) in [
        (format!(r#""exp":{}"#, NOW + 1), Ok(())),
        (format!(r#""exp":{}.9"#, NOW), Err(TokenExpired)),
        (format!(r#""exp":{NOW}"#), Err(TokenExpired)),
        (format!(r#""exp":{},"nbf":{}"#, NOW + 100, NOW + 60), Ok(())),
        (format!(r#""exp":{},"nbf":{}"#, NOW + 100, NOW + 61), Err(TokenNotYetValid)),
        (format!(r#""exp":{},"iat":{}"#, NOW + 100, NOW + 60), Ok(())),
        (format!(r#""exp":{},"iat":{}"#, NOW + 100, NOW + 61), Err(IssuedInFuture)),
        (format!(r#""exp":{},"iat":{NOW}"#, NOW + 30 * day), Ok(())),
        (format!(r#""exp":{},"iat":{NOW}"#, NOW + 30 * day + 1), Err(LifetimeTooLong)),
        (format!(r#""exp":{},"iat":{}"#, NOW + 1, NOW - 30 * day), Err(LifetimeTooLong)),
        (format!(r#""exp":{}"#, NOW + 30 * day), Ok(())),
        (format!(r#""exp":{}"#, NOW + 30 * day + 1), Err(LifetimeTooLong)),
        (r#""exp":9007199254740991"#.to_owned(), Err(LifetimeTooLong)),
        (r#""exp":9007199254740992"#.to_owned(), Err(MalformedClaims)),
        (r#""exp":-1"#.to_owned(), Err(MalformedClaims)),
        (format!(r#""exp":{},"nbf":null"#, NOW + 1), Err(MalformedClaims)),
        (r#""nbf":1"#.to_owned(), Err(MalformedClaims)),
        (format!(r#""exp":{},"aud":"{}""#, NOW + 1, hex::encode(target())), Err(WrongAudience)),
    ] {
        assert_eq!(judge(&claiming(&claims)).map(|_| ()), expected, "{claims}");
    }
}

#[test]
fn the_first_thing_wrong_is_the_reason() {
    use TokenError::*;
    let everything_wrong = |header: &str| signed(header, r#"{"exp":"x","target_key":1}"#);
    let other = signer(2).verifying_key();
    let reason = |token: &str, key| verify(key, token, NOW, &Policy::default(), |_| true).unwrap_err();
    assert_eq!(reason(&signed(r#"{"alg":"none"}"#, "[]"), &other), MalformedToken);
    assert_eq!(reason(&everything_wrong(r#"{"alg":"none","crit":[]}"#), &other), MalformedToken);
    assert_eq!(reason(&everything_wrong(r#"{"alg":"none"}"#), &other), UnsupportedAlgorithm);
    assert_eq!(reason(&everything_wrong(r#"{"alg":"ES256K","typ":"JOSE"}"#), &other), UnsupportedAlgorithm);
    assert_eq!(reason(&everything_wrong(r#"{"alg":"ES256K","typ":1}"#), &other), UnsupportedAlgorithm);
    assert_eq!(reason(&everything_wrong(HEADER), &other), InvalidSignature);
    let own = signer(1).verifying_key();
    assert_eq!(reason(&everything_wrong(HEADER), &own), MalformedClaims);
    assert_eq!(reason(&claiming(&format!(r#""exp":{NOW}"#)), &own), TokenExpired);
    assert_eq!(reason(&claiming(&format!(r#""exp":{}"#, NOW + 1)), &own), TokenRevoked);
}

#[test]
fn a_token_has_three_parts_and_none_is_empty() {
    let token = issue(&signer(1), &target(), NOW, 3600);
    let [header, claims, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for parts in [
        vec!["", claims, signature],
        vec![header, "", signature],
        vec![header, claims, ""],
        vec![header, claims],
        vec![header, claims, signature, signature],
    ] {
        assert_eq!(judge(&parts.join(".")), Err(TokenError::MalformedToken), "{parts:?}");
    }
}

#[test]
fn keys_that_a_token_brings_along_are_refused() {
    for name in ["jku", "jwk", "x5u", "x5c"] {
        let header = format!(r#"{{"alg":"ES256K","{name}":{{}}}}"#);
        let token = signed(&header, "{}");
        assert_eq!(judge(&token), Err(TokenError::MalformedToken), "{name}");
    }
}

#[test]
fn a_token_longer_than_the_limit_is_not_looked_at() {
    let padded = |length: usize| claiming(&format!(r#""exp":{},"x":"{}""#, NOW + 1, "x".repeat(length)));
    assert!(judge(&padded(12_000)).is_ok());
    assert_eq!(judge(&padded(12_300)), Err(TokenError::MalformedToken));
}

#[test]
fn the_twin_of_a_revoked_token_is_revoked() {
    let token = issue(&signer(1), &target(), NOW, 3600);
    let revoked = UnverifiedToken::parse(&token).unwrap().id();
    let key = signer(1).verifying_key();
    for token in [token.clone(), twin(&token)] {
        let verdict = verify(&key, &token, NOW, &Policy::default(), |id| *id == revoked);
        assert_eq!(verdict, Err(TokenError::TokenRevoked));
    }
}

#[test]
fn a_cached_signature_is_no_answer_about_another_key_token_or_signature() {
    let cache = SignatureCache::new(100);
    let parse = |token: &str| UnverifiedToken::parse(token).unwrap();
    let token = issue(&signer(1), &target(), NOW, 3600);
    let other = issue(&signer(1), &target(), NOW, 3601);
    let spliced = format!("{}.{}", other.rsplit_once('.').unwrap().0, token.rsplit_once('.').unwrap().1);
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let (own, foreign) = (signer(1).verifying_key(), signer(2).verifying_key());
    for _ in 0..2 {
        assert_eq!(cache.verify(&parse(&token), &own), Ok(()));
        assert_eq!(cache.verify(&parse(&token), &foreign), Err(TokenError::InvalidSignature));
        assert_eq!(cache.verify(&parse(&spliced), &own), Err(TokenError::InvalidSignature));
        assert_eq!(cache.verify(&parse(&forged), &own), Err(TokenError::InvalidSignature));
        assert!(cache.signer_candidates(&parse(&token)).unwrap().contains(&own));
        for token in [&spliced, &forged] {
            assert!(!cache.signer_candidates(&parse(token)).is_ok_and(|keys| keys.contains(&own)));
        }
    }
}

#[test]
fn a_twin_shares_the_cache_entry_and_garbage_gets_none() {
    let cache = SignatureCache::new(100);
    let parse = |token: &str| UnverifiedToken::parse(token).unwrap();
    let token = issue(&signer(1), &target(), NOW, 3600);
    let key = signer(1).verifying_key();
    for token in [token.clone(), twin(&token)] {
        assert_eq!(cache.verify(&parse(&token), &key), Ok(()));
        assert!(cache.signer_candidates(&parse(&token)).unwrap().contains(&key));
    }
    assert!(cache.verify(&parse(&token), &signer(2).verifying_key()).is_err());
    assert!(format!("{cache:?}").contains("verified: 1, signers: 1"), "{cache:?}");
}

#[test]
fn debug_output_of_a_token_holds_none_of_it() {
    let token = UnverifiedToken::parse(&issue(&signer(1), &target(), NOW, 3600)).unwrap();
    assert_eq!(format!("{token:?}"), "UnverifiedToken([redacted])");
    assert_eq!(format!("{:?}", token.signature()), "Ok(Signature([redacted]))");
}

/// Secrets of random issuers; half of them have odd y.
fn secret() -> impl Strategy<Value = SecretKey> {
    any::<[u8; 32]>().prop_filter_map("zero or beyond n", |bytes| SecretKey::from_slice(&bytes).ok())
}

proptest! {
    #[test]
    fn what_is_issued_verifies_and_so_does_its_twin(
        secret in secret(), target in secret(), at in 0..NOW, lifetime in 1..=30 * 86_400u64,
    ) {
        let signer = SigningKey::from_secret(&secret);
        let target = SigningKey::from_secret(&target).verifying_key().to_xonly_bytes();
        let token = issue(&signer, &target, at, lifetime);
        let claims = Claims {
            target_key: target, issued_at: Some(at), not_before: Some(at), expires_at: at + lifetime,
        };
        // As Nostr names the issuer: by the x coordinate alone.
        let key = VerifyingKey::from(secret.x_only_public_key(SECP256K1).0);
        for token in [token.clone(), twin(&token)] {
            prop_assert_eq!(verify(&key, &token, at, &Policy::default(), |_| false), Ok(claims));
            let candidates = UnverifiedToken::parse(&token).unwrap().signer_candidates().unwrap();
            prop_assert!(candidates.contains(&key));
        }
        let id = |token: &str| UnverifiedToken::parse(token).unwrap().id();
        prop_assert_eq!(id(&token), id(&twin(&token)));
    }

    #[test]
    fn a_token_with_one_character_changed_is_rejected(index: prop::sample::Index, to: char) {
        let token = issue(&signer(1), &target(), NOW, 3600);
        let at = index.index(token.len());
        prop_assume!(token.as_bytes()[at] != to as u8 || !to.is_ascii());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assert!(judge(&changed).is_err());
    }

    #[test]
    fn a_token_with_one_character_of_its_own_alphabet_changed_is_rejected(
        index: prop::sample::Index, to in "[A-Za-z0-9_.-]",
    ) {
        let token = issue(&signer(1), &target(), NOW, 3600);
        let at = index.index(token.len());
        prop_assume!(token[at..=at] != to);
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assert!(judge(&changed).is_err());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String, parts in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,90}){2}") {
        let _ = judge(&text);
        let _ = judge(&parts);
    }

    #[test]
    fn no_claims_make_the_verifier_panic(header: String, claims: String, value in "[-+0-9.eE\"{}\\[\\]]{1,12}") {
        let _ = judge(&signed(&header, &claims));
        let _ = judge(&signed(HEADER, &claims));
        let _ = judge(&claiming(&format!(r#""exp":{value}"#)));
    }
}
