//! Introspection (RFC 7662) and revocation (RFC 7009).

use hyper::Method;
use serde_json::{Value, json};

use super::daemon;
use crate::support::beginning::Member;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest, refused};

async fn form(rest: &Rest, path: &str, form: String) -> Answer {
    let rest = rest.clone().with("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    rest.send(Method::POST, path, form).await
}

async fn introspect(rest: &Rest, token: &str) -> Value {
    form(rest, "/oauth/introspect", format!("token={token}&token_type_hint=access_token")).await.json()
}

#[tokio::test]
async fn an_access_token_is_introspected_with_the_members_of_rfc_7662() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let change = json!({ "username": "jdoe", "roles": ["admin"] });
    rest.patch(&format!("/users/{}", member.id()), change).await.data();
    let told = introspect(&rest, member.access_token()).await;
    let (_, claims) = super::login::parts(member.access_token());
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!((&told["username"], &told["roles"]), (&json!("jdoe"), &json!(["admin"])));
    for name in ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
}

/// RFC 7662 §2.1 and §2.2, the example requests and the answer for a token that nobody knows.
#[tokio::test]
async fn the_examples_of_rfc_7662_are_answered_as_it_says() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let rest = daemon.rest().with("accept", "application/json");
    for example in ["token=2YotnFZFEjr1zCsicMWpAA", "token=mF_9.B5f-4.1JqM&token_type_hint=access_token"] {
        let answer = form(&rest, "/oauth/introspect", example.into()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "active": false })));
        for unnamed in [rest.clone(), rest.clone().with("content-type", "")] {
            let same = unnamed.send(Method::POST, "/oauth/introspect", example).await;
            assert_eq!((same.status.as_u16(), same.json()), (200, json!({ "active": false })));
        }
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn of_a_token_that_is_not_active_nothing_else_is_told() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let tampered = format!("{}A", member.access_token());
    for token in ["nonsense", "a.b.c", &tampered] {
        assert_eq!(introspect(&rest, token).await, json!({ "active": false }), "{token}");
    }
    let answer = form(&rest, "/oauth/introspect", "token=nonsense".into()).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for bad in ["", "token=", "tokens=x", "token=a&token=b"] {
        let answer = form(&rest, "/oauth/introspect", bad.into()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!("invalid_request")),
            "{bad}"
        );
    }
    let json = rest.clone().with("content-type", "application/json");
    let answer = json.post("/oauth/introspect", json!({ "token": member.access_token() })).await;
    assert_eq!(answer.status.as_u16(), 400);
}

#[tokio::test]
async fn tokens_of_portal_wallets_and_of_this_service_are_introspected_and_revoked_too() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let target = member.phone.key().to_hex();
    let plain = json!({ "target_key": target, "duration_hours": 1 });
    let jwt = json!({ "target_key": target, "duration_hours": 1, "format": "jwt",
                      "audience": "https://billing.example", "scope": "read write" });
    let mut tokens = vec![member.credential.clone()];
    for ask in [plain, jwt] {
        tokens.push(rest.post("/jwt/issue", ask).await.data()["token"].as_str().unwrap().to_owned());
    }
    let told = introspect(&rest, &tokens[2]).await;
    assert_eq!((&told["aud"], &told["scope"]), (&json!("https://billing.example"), &json!("read write")));
    assert_eq!((&told["sub"], &told["client_id"]), (&json!(target), &json!(target)));
    for token in &tokens {
        assert_eq!(introspect(&rest, token).await["active"], true);
        for _ in 0..2 {
            let answer = form(&rest, "/oauth/revoke", format!("token={token}")).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        }
        assert_eq!(introspect(&rest, token).await, json!({ "active": false }));
    }
    let answer = form(&rest, "/oauth/revoke", "token=nonsense".into()).await;
    assert_eq!(answer.status.as_u16(), 200, "what is no token is as good as revoked");
}

#[tokio::test]
async fn the_credential_of_a_disabled_user_is_not_active_either() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    assert_eq!(introspect(&rest, &member.credential).await["active"], true);
    rest.patch(&format!("/users/{}", member.id()), json!({ "disabled": true })).await.data();
    assert_eq!(introspect(&rest, &member.credential).await, json!({ "active": false }));
}

#[tokio::test]
async fn whoever_shows_an_access_token_may_end_its_session() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    form(&rest, "/oauth/revoke", format!("token={}", member.access_token())).await;
    let answer = rest.post("/auth/verify", member.both()).await;
    assert_eq!(answer.refusal(), refused(401, "session_revoked"));
}

#[tokio::test]
async fn a_token_from_service_to_service_is_no_session() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let ask = json!({ "target_key": member.phone.key(), "duration_hours": 1, "format": "jwt" });
    let jwt = rest.post("/jwt/issue", ask).await.data()["token"].clone();
    let pair = json!({ "access_token": jwt, "credential": member.credential });
    assert_eq!(rest.post("/auth/verify", pair).await.refusal(), refused(401, "invalid_token"));
    for (bad, field) in [
        (json!({ "audience": "a b" }), "audience"),
        (json!({ "scope": "a  b" }), "scope"),
        (json!({ "format": "portal", "scope": "a" }), "scope"),
        (json!({ "duration_hours": 9999 }), "duration_hours"),
    ] {
        let mut ask = json!({ "target_key": member.phone.key(), "duration_hours": 1, "format": "jwt" });
        ask.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let answer = rest.post("/jwt/issue", ask).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"));
        assert!(answer.json()["error"].as_str().unwrap().contains(field), "{answer:?}");
    }
}
