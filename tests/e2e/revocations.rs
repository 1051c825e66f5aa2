//! One route revokes whatever is issued here, and nothing that was revoked is believed anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hyper::Method;
use nostr_sdk::Keys;
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::Daemon;
use crate::support::rest::{Rest, refused};
use crate::wallets::thirdweb::{issuing, key};

async fn issued(rest: &Rest, ask: Value) -> String {
    rest.post("/jwt/issue", ask).await.data()["token"].as_str().unwrap().to_owned()
}

async fn revoke(rest: &Rest, token: &str) -> Value {
    rest.post("/jwt/revoke", json!({ "token": token })).await.data()
}

async fn is_active(rest: &Rest, token: &str) -> Value {
    let form = format!("token={token}");
    rest.send(Method::POST, "/oauth/introspect", form).await.json()["active"].take()
}

#[tokio::test]
async fn a_jwt_is_revoked_where_it_was_issued_and_stays_so_after_a_restart() {
    for algorithm in ["ES256", "EdDSA", "ES256K"] {
        let config = format!("{SESSIONS}[access]\nalgorithm = \"{algorithm}\"\n");
        let mut daemon = Daemon::offline().with_config(&config).start().await;
        let rest = daemon.rest();
        let ask =
            json!({ "target_key": Keys::generate().public_key(), "duration_hours": 1, "format": "jwt" });
        let (token, kept) = (issued(&rest, ask.clone()).await, issued(&rest, ask).await);
        assert_eq!(is_active(&rest, &token).await, true);
        assert_eq!(revoke(&rest, &token).await, json!({ "revoked": true, "already_revoked": false }));
        assert_eq!(revoke(&rest, &token).await, json!({ "revoked": true, "already_revoked": true }));
        daemon.kill_9().await;
        daemon = daemon.restart().await;
        for (token, active) in [(&token, false), (&kept, true)] {
            assert_eq!(is_active(&daemon.rest(), token).await, active, "{algorithm}");
        }
    }
}

/// The same token in the alphabet of version 4, and with the issuer's signature in capitals.
fn other_spellings(token: &str) -> [String; 2] {
    let parts: Vec<&str> = token.split('.').collect();
    let [payload, signature] = [parts[1], parts[2]].map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let capitals = String::from_utf8(signature.clone()).unwrap().to_uppercase().replacen("0X", "0x", 1);
    let written = |payload: String, signature: String| format!("{}.{payload}.{signature}", parts[0]);
    [
        written(STANDARD_NO_PAD.encode(&payload), STANDARD_NO_PAD.encode(&signature)),
        written(parts[1].to_owned(), URL_SAFE_NO_PAD.encode(capitals)),
    ]
}

#[tokio::test]
async fn a_thief_gets_nowhere_with_a_thirdweb_token_that_was_revoked_however_it_is_spelled() {
    let mut daemon = issuing("").start().await;
    let rest = daemon.rest();
    let ask = json!({ "format": "thirdweb", "address": key(0x22).address(), "ctx": { "say": "~~~???ÿ" } });
    let (token, kept) = (issued(&rest, ask.clone()).await, issued(&rest, ask).await);
    let login = |token: &str| json!({ "provider": "thirdweb", "credential": token });
    let begun = rest.post("/auth/login", login(&token)).await.data();
    let spellings = other_spellings(&token);
    assert_eq!(revoke(&rest, &spellings[0]).await, json!({ "revoked": true, "already_revoked": false }));
    assert_eq!(revoke(&rest, &spellings[1]).await, json!({ "revoked": true, "already_revoked": true }));
    for restarted in [false, true] {
        if restarted {
            daemon.kill_9().await;
            daemon = daemon.restart().await;
        }
        let rest = daemon.rest();
        for spelling in [&token, &spellings[0], &spellings[1]] {
            let answer = rest.post("/auth/login", login(spelling)).await;
            assert_eq!(answer.refusal(), refused(401, "token_revoked"));
            let both = json!({ "access_token": begun["access_token"], "credential": spelling });
            assert_eq!(rest.post("/auth/verify", both).await.refusal(), refused(401, "token_revoked"));
            let follow = json!({ "format": "thirdweb", "token": spelling });
            assert_eq!(rest.post("/jwt/issue", follow).await.refusal(), refused(400, "token_revoked"));
        }
        assert_eq!(is_active(&rest, begun["access_token"].as_str().unwrap()).await, false);
        rest.post("/auth/login", login(&kept)).await.data();
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_is_named_and_an_access_token_takes_its_session_along() {
    let daemon = issuing("").start().await;
    let rest = daemon.rest();
    let ask = json!({ "format": "thirdweb", "address": key(0x22).address() });
    let credential = issued(&rest, ask).await;
    let login = json!({ "provider": "thirdweb", "credential": credential });
    let begun = rest.post("/auth/login", login).await.data();
    for (token, code) in [
        ("nonsense".to_owned(), "malformed_token"),
        (format!("{credential}A"), "malformed_token"),
        (
            credential.replace("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJFUzI1NiJ9"),
            "unsupported_algorithm",
        ),
    ] {
        let answer = rest.post("/jwt/revoke", json!({ "token": token })).await;
        assert_eq!(answer.refusal(), refused(400, code), "{token}");
    }
    let access_token = begun["access_token"].as_str().unwrap();
    assert_eq!(revoke(&rest, access_token).await, json!({ "revoked": true, "already_revoked": false }));
    assert_eq!(revoke(&rest, access_token).await, json!({ "revoked": true, "already_revoked": true }));
    let both = json!({ "access_token": access_token, "credential": credential });
    assert_eq!(rest.post("/auth/verify", both).await.refusal(), refused(401, "session_revoked"));
}
