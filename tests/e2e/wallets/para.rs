//! Para's users, by the tokens that Para issues for an app.

use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::Daemon;
use crate::support::issuer::{Issuer, Key};
use crate::support::now;
use crate::support::rest::refused;

const API_KEY: &str = "b8d0f7f6-4a0e-4a53-9a5e-0c6f1f1f2a10";

/// What Para says of a user who has logged in by e-mail.
fn claims(user: &str, secs: u64) -> Value {
    let email = format!("{user}@example.com");
    json!({
        "data": {
            "userId": user, "authType": "email", "email": email, "identifier": email,
            "wallets": [{ "id": "w1", "type": "EVM", "address": "0x9dd3824f045c77bc369485e8f1dd6b452b6be617" }],
        },
        "aud": API_KEY, "sub": user, "iat": now(), "exp": now() + secs,
    })
}

#[tokio::test]
async fn a_user_of_para_logs_in_is_checked_and_carried_on_by_a_fresh_token() {
    let key = Key::rsa("para-key-0");
    let issuer = Issuer::start(&[&key]).await;
    let url = issuer.url();
    let config = format!(
        "{SESSIONS}[wallets.para]\naudience = \"{API_KEY}\"\njwks_url = \"{url}\"\nallow_private = true\n"
    );
    let daemon = Daemon::offline().with_config(&config).start().await;
    let rest = daemon.rest();
    let token = key.token(&claims("alice", 600));
    let login = rest.post("/auth/login", json!({ "credential": token, "provider": "para" })).await.data();
    assert_eq!((&login["user"]["provider"], &login["user"]["wallet_id"]), (&json!("para"), &json!("alice")));
    assert_eq!(login["user"]["auth_identifier"], "alice@example.com");

    // From here on, the session says whose wallet it is.
    let with = |credential: &str| json!({ "access_token": login["access_token"], "credential": credential });
    assert_eq!(rest.post("/auth/verify", with(&token)).await.data()["active"], true);
    let bearer = format!("Bearer {}", login["access_token"].as_str().unwrap());
    let forwarded = rest.clone().with("authorization", &bearer).with("x-wallet-session", &token);
    assert_eq!(forwarded.get("/auth/forward").await.header("x-auth-provider"), Some("para"));
    let mallory = key.token(&claims("mallory", 600));
    assert_eq!(rest.post("/auth/verify", with(&mallory)).await.refusal(), refused(401, "session_mismatch"));

    let renewed = rest.post("/auth/refresh", with(&key.token(&claims("alice", 7200)))).await.data();
    assert_eq!(renewed["session"]["id"], login["session"]["id"]);
    let mut borrowed = claims("alice", 600);
    borrowed["sub"] = json!("mallory");
    let ask = json!({ "credential": key.token(&borrowed), "provider": "para" });
    assert_eq!(rest.post("/auth/login", ask).await.refusal(), refused(401, "subject_mismatch"));
    let expired = json!({ "credential": key.token(&claims("alice", 0)), "provider": "para" });
    assert_eq!(rest.post("/auth/login", expired).await.refusal(), refused(401, "session_expired"));
}
