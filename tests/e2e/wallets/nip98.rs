//! Users who sign each request with their Nostr key.

use hyper::Method;
use nostr_sdk::Keys;
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::{Daemon, Plan};
use crate::support::rest::{Rest, refused};
use crate::support::signed;

/// A daemon to start, which accepts users who sign requests to `https://app.example`.
fn trusting() -> Plan {
    Daemon::offline().with_config(&format!(
        "{SESSIONS}[wallets.nip98]\npublic_url = \"https://app.example\"\n\
         [forward]\naccess_token_header = \"x-access-token\"\ncredential_header = \"authorization\"\n"
    ))
}

fn url(target: &str) -> String {
    format!("https://app.example{target}")
}

/// Logs in with a request that the app has got at `/enter`.
async fn login(rest: &Rest, keys: &Keys) -> Value {
    let credential = signed::now(keys, "POST", &url("/enter"), None);
    let request = json!({ "method": "POST", "target": "/enter" });
    let ask = json!({ "provider": "nip98", "credential": credential, "request": request });
    rest.post("/auth/login", ask).await.data()
}

/// Both layers of a request with a body, which the app has got at `/pay`.
fn paying(login: &Value, keys: &Keys) -> Value {
    use sha2::{Digest, Sha256};

    let body = b"{\"amount\":1}";
    let credential = signed::now(keys, "POST", &url("/pay"), Some(body));
    let body_sha256 = hex::encode(Sha256::digest(body));
    json!({ "access_token": login["access_token"], "credential": credential,
            "request": { "method": "POST", "target": "/pay", "body_sha256": body_sha256 } })
}

#[tokio::test]
async fn a_user_logs_in_and_signs_every_request_after_that() {
    let daemon = trusting().start().await;
    let (rest, keys) = (daemon.rest(), Keys::generate());
    let login = login(&rest, &keys).await;
    assert_eq!(login["user"]["provider"], "nip98");
    assert_eq!(login["user"]["wallet_id"], keys.public_key().to_hex());
    let ask = paying(&login, &keys);
    assert_eq!(rest.post("/auth/verify", ask.clone()).await.data()["active"], true);
    // The same request once more is somebody who has overheard it.
    assert_eq!(rest.post("/auth/verify", ask.clone()).await.refusal(), refused(401, "already_used"));
    let mut elsewhere = paying(&login, &keys);
    elsewhere["request"]["target"] = json!("/pay?twice");
    assert_eq!(rest.post("/auth/verify", elsewhere).await.refusal(), refused(401, "wrong_url"));
    let mut untold = paying(&login, &keys);
    untold["request"] = json!(null);
    assert_eq!(rest.post("/auth/verify", untold).await.refusal(), refused(401, "request_required"));
    assert!(!daemon.log().contains(ask["credential"].as_str().unwrap()));
}

#[tokio::test]
async fn another_key_beside_ones_own_token_is_a_mismatch_and_a_fresh_signature_carries_the_session_on() {
    let daemon = trusting().start().await;
    let (rest, keys) = (daemon.rest(), Keys::generate());
    let login = login(&rest, &keys).await;
    for path in ["/auth/verify", "/auth/refresh"] {
        let answer = rest.post(path, paying(&login, &Keys::generate())).await;
        assert_eq!(answer.refusal(), refused(401, "session_mismatch"));
    }
    let renewed = rest.post("/auth/refresh", paying(&login, &keys)).await.data();
    assert_eq!(renewed["session"]["id"], login["session"]["id"]);
    assert!(renewed["session"]["expires_at"].as_str() >= login["session"]["expires_at"].as_str());
    rest.post("/auth/logout", json!({ "access_token": renewed["access_token"] })).await.data();
    let answer = rest.post("/auth/verify", paying(&renewed, &keys)).await;
    assert_eq!(answer.refusal(), refused(401, "session_revoked"));
}

#[tokio::test]
async fn a_login_that_the_user_has_signed_itself_is_handed_on_as_it_came() {
    let daemon = trusting().with_tcp().start().await;
    let (rest, keys) = (daemon.rest(), Keys::generate());
    let body = r#"{ "provider": "nip98" }"#;
    let signed = signed::now(&keys, "POST", &url("/auth/login"), Some(body.as_bytes()));
    let user = rest.clone().with("authorization", &signed);
    let altered = r#"{"provider":"nip98"}"#;
    let answer = user.send(Method::POST, "/auth/login", altered).await;
    assert_eq!(answer.refusal(), refused(401, "wrong_payload"));
    let login = user.send(Method::POST, "/auth/login", body).await.data();
    assert_eq!(login["user"]["wallet_id"], keys.public_key().to_hex());
    // Nobody's request is a credential by itself.
    assert_eq!(
        rest.send(Method::POST, "/auth/login", body).await.refusal(),
        refused(400, "credential_required")
    );
    let tcp = daemon.rest_over_tcp().send(Method::POST, "/auth/login", body).await;
    assert_eq!(tcp.refusal(), refused(400, "credential_required"));
}

#[tokio::test]
async fn a_gateway_asks_for_the_request_that_it_has_got() {
    let daemon = trusting().start().await;
    let (rest, keys) = (daemon.rest(), Keys::generate());
    let login = login(&rest, &keys).await;
    let token = login["access_token"].as_str().unwrap();
    let user = |method: &str, target: &str| {
        let signed = signed::now(&keys, method, &url(target), None);
        rest.clone().with("x-access-token", token).with("authorization", &signed)
    };
    let traefik =
        |rest: Rest, method, uri| rest.with("x-forwarded-method", method).with("x-forwarded-uri", uri);
    let nginx = |rest: Rest, method, uri| rest.with("x-original-method", method).with("x-original-uri", uri);
    for asked in
        [traefik(user("DELETE", "/v1/me?x=1"), "DELETE", "/v1/me?x=1"), nginx(user("GET", "/"), "GET", "/")]
    {
        let answer = asked.get("/auth/forward").await;
        let key = keys.public_key().to_hex();
        assert_eq!((answer.status.as_u16(), answer.header("x-auth-wallet")), (200, Some(&*key)));
        assert_eq!(asked.get("/auth/forward").await.header("x-auth-error"), Some("already_used"));
    }
    let envoy = user("PUT", "/v1/me?x=1").send(Method::PUT, "/auth/envoy/v1/me?x=1", "").await;
    assert_eq!(envoy.status, 200);

    for (asked, code) in [
        (traefik(user("GET", "/v1/me"), "GET", "/admin"), "wrong_url"),
        (traefik(user("GET", "/v1/me"), "DELETE", "/v1/me"), "wrong_method"),
        // A client that says itself what it asks for is not believed beside its gateway.
        (nginx(traefik(user("GET", "/v1/me"), "GET", "/admin"), "GET", "/v1/me"), "request_required"),
        (user("GET", "/v1/me"), "request_required"),
    ] {
        let answer = asked.get("/auth/forward").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-auth-error")), (401, Some(code)));
    }
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over_however_fresh_the_signature() {
    let daemon = Daemon::offline()
        .with_config(&format!(
            "{SESSIONS}max_lifetime = \"10s\"\n[access]\nlifetime = \"10s\"\n\
             [wallets.nip98]\npublic_url = \"https://app.example\"\n"
        ))
        .start()
        .await;
    let (rest, keys) = (daemon.rest(), Keys::generate());
    let login = login(&rest, &keys).await;
    let ended = crate::support::soon("the session to end", async {
        loop {
            let answer = rest.post("/auth/refresh", paying(&login, &keys)).await;
            if answer.status != 200 && answer.status != 429 {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(ended.refusal(), refused(401, "session_expired"));
}
