//! Tests of whole tokens, with any content and from any signer.

mod any;
mod hostile;
mod oracles;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::portal_token;

const NOW: u64 = 1_800_000_000;

static ES256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static ED_DSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa).unwrap());
static ES256K: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256k).unwrap());

fn one_of_each() -> [&'static SigningKey; 3] {
    [&ES256, &ED_DSA, &ES256K]
}

fn claims() -> Claims {
    Claims {
        iss: "https://portico.example".into(),
        sub: "01a1fa72".into(),
        aud: "https://app.example".into(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 900,
        jti: "01a1fa73".into(),
        sid: Some("01a1fa74".into()),
        wallet_id: Some("3bcb5f48".into()),
        provider: Some("portal".into()),
        auth_method: None,
        auth_identifier: None,
        roles: Some(vec![]),
        permissions: Some(vec!["read".into()]),
        target_key: None,
        scope: None,
        client_id: None,
    }
}

fn claims_text() -> String {
    serde_json::to_string(&claims()).unwrap()
}

fn header(algorithm: &str, kid: &str) -> String {
    format!(r#"{{"typ":"at+jwt","alg":"{algorithm}","kid":"{kid}"}}"#)
}

fn input(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A token with a valid signature of the key, and any header and claims.
fn signed(key: &SigningKey, header: &str, claims: &str) -> String {
    let input = input(header, claims);
    let signature = key.sign(&input).unwrap();
    format!("{input}.{signature}")
}

fn own_header(key: &SigningKey) -> String {
    header(key.public().algorithm().as_str(), key.public().kid())
}

fn judge(key: &SigningKey, token: &str) -> Result<Claims, AccessError> {
    UnverifiedToken::parse(token)?.verify(key.public())
}

#[test]
fn what_is_signed_verifies_and_says_the_same() {
    for key in one_of_each() {
        let token = sign(key, &claims()).unwrap();
        assert_eq!(UnverifiedToken::parse(&token).unwrap().kid(), key.public().kid());
        assert_eq!(judge(key, &token), Ok(claims()));
        let (made, _) = token.rsplit_once('.').unwrap();
        assert_eq!(made, input(&own_header(key), &claims_text()));
    }
}

#[test]
fn absent_claims_are_left_out_and_empty_lists_are_not() {
    assert_eq!(
        claims_text(),
        concat!(
            r#"{"iss":"https://portico.example","sub":"01a1fa72","aud":"https://app.example","#,
            r#""iat":1800000000,"nbf":1800000000,"exp":1800000900,"jti":"01a1fa73","sid":"01a1fa74","#,
            r#""wallet_id":"3bcb5f48","provider":"portal","roles":[],"permissions":["read"]}"#
        )
    );
}

#[test]
fn each_claim_is_checked_to_the_second_and_the_first_thing_wrong_is_the_reason() {
    use AccessError::*;
    let ours = Expected { issuer: "https://portico.example", audience: "https://app.example" };
    let check = |change: fn(&mut Claims), now: u64| {
        let mut claims = claims();
        change(&mut claims);
        claims.check(&ours, now, 60)
    };
    assert_eq!(check(|_| (), NOW), Ok(()));
    assert_eq!(check(|_| (), NOW + 899), Ok(()));
    assert_eq!(check(|_| (), NOW + 900), Err(TokenExpired), "no leeway");
    assert_eq!(check(|_| (), u64::MAX), Err(TokenExpired));
    assert_eq!(check(|_| (), NOW - 60), Ok(()));
    assert_eq!(check(|_| (), NOW - 61), Err(TokenNotYetValid));
    assert_eq!(check(|claims| claims.nbf = 0, NOW - 60), Ok(()));
    assert_eq!(check(|claims| claims.nbf = 0, NOW - 61), Err(IssuedInFuture));
    assert_eq!(check(|claims| claims.iat = 0, NOW - 61), Err(TokenNotYetValid));
    assert_eq!(check(|claims| claims.exp = 0, 0), Err(TokenExpired));
    for aud in ["", "https://app.example/", "HTTPS://app.example", "https://other.example"] {
        let wrong = Claims { aud: aud.into(), exp: 0, ..claims() };
        assert_eq!(wrong.check(&ours, NOW, 60), Err(WrongAudience), "{aud}");
        let wrong = Claims { iss: aud.into(), aud: aud.into(), exp: 0, ..claims() };
        assert_eq!(wrong.check(&ours, NOW, 60), Err(WrongIssuer), "{aud}");
    }
}

#[test]
fn a_token_keeps_its_name_when_its_signature_is_altered() {
    let token = sign(&ES256, &claims()).unwrap();
    let again = sign(&ES256, &claims()).unwrap();
    assert_ne!(token, again, "ECDSA draws a number each time");
    let digest = |token: &str| UnverifiedToken::parse(token).unwrap().signing_digest();
    assert_eq!(digest(&token), digest(&again));
    let other = sign(&ES256, &Claims { jti: "other".into(), ..claims() }).unwrap();
    assert_ne!(digest(&token), digest(&other));
}

#[test]
fn a_login_token_of_the_service_is_no_access_token_nor_the_other_way_round() {
    let secret = secp256k1::SecretKey::from_slice(&[7; 32]).unwrap();
    let service = portal_token::SigningKey::from_secret(&secret);
    let target = service.verifying_key().to_xonly_bytes();
    let login = portal_token::issue(&service, &target, NOW, 900);
    assert_eq!(UnverifiedToken::parse(&login).map(|_| ()), Err(AccessError::MalformedToken));

    // The service's own key is one of the two with its x: that with even y.
    let public = PublicKey::of_service(&service.verifying_key());
    let keys = [secret, secret.negate()]
        .map(|secret| SigningKey::from_secret(Algorithm::Es256k, &secret.secret_bytes()).unwrap());
    let key = keys.iter().find(|key| *key.public() == public).unwrap();
    let access = sign(key, &Claims { target_key: Some(hex::encode(target)), ..claims() }).unwrap();
    let verdict = portal_token::verify(
        &service.verifying_key(),
        &access,
        NOW,
        &portal_token::Policy::default(),
        |_| false,
    );
    assert_eq!(verdict, Err(portal_token::TokenError::UnsupportedAlgorithm));
}

#[test]
fn debug_output_holds_no_token_and_no_secret() {
    for key in one_of_each() {
        let token = sign(key, &claims()).unwrap();
        assert_eq!(format!("{:?}", UnverifiedToken::parse(&token).unwrap()), "UnverifiedToken([redacted])");
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }
}

#[test]
fn each_reason_has_a_code_of_its_own() {
    let codes: std::collections::HashSet<_> = AccessError::ALL.map(AccessError::code).into();
    assert_eq!(codes.len(), AccessError::ALL.len());
}
