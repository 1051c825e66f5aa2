//! Libraries of others verify access tokens with the published keys, and reject everything else.

use portico::access_token::Algorithm;
use serde_json::{Value, json};

use crate::forged::{self, part};
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::verifiers::{Publisher, Shown, Verdict, jose, jsonwebtoken, pyjwt};
use crate::with_sessions;

/// A daemon that signs with this algorithm and publishes its keys where HTTP clients find them.
async fn daemon(relay: &TestRelay, algorithm: Algorithm) -> Daemon {
    let config = format!("[access]\nalgorithm = \"{algorithm}\"\n");
    with_sessions(relay, &config).with_tcp().start_subscribed(&[relay]).await
}

/// What each library makes of these tokens: jose, PyJWT, jsonwebtoken.
async fn verdicts(daemon: &Daemon, issuer: &str, shown: &[Shown]) -> [Vec<Verdict>; 3] {
    let path = "/.well-known/jwks.json";
    let publisher =
        Publisher { jwks: format!("http://{}{path}", daemon.address()), issuer: issuer.to_owned() };
    let keys = daemon.rest().get(path).await.text;
    assert!(!keys.contains("secp256k1"), "a library that does not know the curve would lose the whole set");
    let (jose, pyjwt) = tokio::join!(jose(&publisher, shown), pyjwt(&publisher, shown));
    [jose, pyjwt, jsonwebtoken(&keys, issuer, shown)]
}

async fn rotate(daemon: &Daemon) -> String {
    let key = daemon.rest().post("/keys/rotate", json!({})).await.data()["key"].take();
    key["kid"].as_str().unwrap().to_owned()
}

async fn service_token(daemon: &Daemon, member: &Member, audience: &str) -> String {
    let ask = json!({ "target_key": member.phone.key(), "duration_hours": 1, "format": "jwt",
                      "audience": audience, "scope": "read" });
    daemon.rest().post("/jwt/issue", ask).await.data()["token"].as_str().unwrap().to_owned()
}

/// The published key of this name.
async fn published(daemon: &Daemon, kid: &str) -> Value {
    let keys = daemon.rest().get("/.well-known/jwks.json").await.json()["keys"].take();
    let key = keys.as_array().unwrap().iter().find(|key| key["kid"] == kid);
    key.expect("it is published").clone()
}

#[tokio::test]
async fn tokens_verify_from_the_published_keys_also_those_of_a_key_that_was_rotated_out() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let relay = TestRelay::start().await;
        let daemon = daemon(&relay, algorithm).await;
        let member = Member::of(&daemon).await;
        let old = member.access_token().to_owned();
        let fresh_kid = rotate(&daemon).await;
        let login =
            daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await.data();
        let fresh = login["access_token"].as_str().unwrap().to_owned();
        let service = service_token(&daemon, &member, "https://billing.example").await;
        assert_ne!(part(&old, 0)["kid"], fresh_kid);
        assert_eq!(part(&fresh, 0)["kid"], fresh_kid);

        let claims = forged::claims(&old);
        let ours = |token| Shown { token, audience: claims.aud.clone() };
        let billing = Shown { token: service, audience: "https://billing.example".into() };
        let shown = [ours(old), ours(fresh), billing];
        let expected: Vec<_> = shown.iter().map(|one| holds(&one.token, algorithm)).collect();
        for verdicts in verdicts(&daemon, &claims.iss, &shown).await {
            assert_eq!(verdicts, expected);
        }
    }
}

fn holds(token: &str, algorithm: Algorithm) -> Verdict {
    let kid = part(token, 0)["kid"].as_str().unwrap().to_owned();
    Verdict::Holds { alg: algorithm.to_string(), kid, claims: part(token, 1) }
}

/// Signed with another key than it says.
const UNTRUE: [&str; 3] =
    ["ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "InvalidSignatureError", "InvalidSignature"];
/// Signed with a secret, although the key that it names is not a secret.
const WRONG_KIND: [&str; 3] = ["ERR_JOSE_NOT_SUPPORTED", "InvalidAlgorithmError", "InvalidAlgorithm"];

#[tokio::test]
async fn what_is_no_token_of_ours_for_them_is_refused_by_every_library() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay, Algorithm::Es256).await;
    let member = Member::of(&daemon).await;
    let token = member.access_token();
    let key = published(&daemon, part(token, 0)["kid"].as_str().unwrap()).await;
    let claims = forged::claims(token);
    let service = service_token(&daemon, &member, "https://billing.example").await;
    let cases = [
        (forged::by_foreign_key(token), ["ERR_JWKS_NO_MATCHING_KEY", "PyJWKClientError", "no such key"]),
        (forged::under_true_name(token), UNTRUE),
        (forged::unsigned(token), ["ERR_JOSE_NOT_SUPPORTED", "InvalidAlgorithmError", "malformed header"]),
        (forged::keyed_with(token, key.to_string().as_bytes()), WRONG_KIND),
        (forged::keyed_with(token, &forged::point(&key)), WRONG_KIND),
        (forged::tampered(token), UNTRUE),
        (forged::run_out(&daemon, token), ["ERR_JWT_EXPIRED", "ExpiredSignatureError", "ExpiredSignature"]),
        (service, ["ERR_JWT_CLAIM_VALIDATION_FAILED", "InvalidAudienceError", "InvalidAudience"]),
    ];
    let shown =
        cases.each_ref().map(|(token, _)| Shown { token: token.clone(), audience: claims.aud.clone() });
    let verdicts = verdicts(&daemon, &claims.iss, &shown).await;
    for (library, verdicts) in verdicts.into_iter().enumerate() {
        let expected =
            cases.each_ref().map(|(_, reasons)| Verdict::Refused { refused: reasons[library].into() });
        assert_eq!(verdicts, expected);
    }
}
