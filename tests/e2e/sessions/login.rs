//! How a session begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{daemon, with_sessions};
use crate::login::types;
use crate::support::beginning::{Member, asked_to_log_in};
use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

/// Header and claims of a JWT, unverified.
pub(crate) fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

#[tokio::test]
async fn a_login_over_the_relays_ends_with_a_session() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let user = member.phone.key().to_hex();

    let login = &member.login;
    assert_eq!((&login["token_type"], &login["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!((&login["user"]["provider"], &login["user"]["wallet_id"]), (&json!("portal"), &json!(user)));
    assert_eq!((&login["user"]["roles"], &login["user"]["permissions"]), (&json!([]), &json!([])));

    let (header, claims) = parts(member.access_token());
    let jwks = daemon.rest().get("/.well-known/jwks.json").await.json();
    let kid = jwks["keys"][0]["kid"].clone();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": kid }));
    let issuer = claims["iss"].as_str().unwrap();
    assert!(issuer.starts_with("nostr:npub1"), "{issuer}");
    assert_eq!(claims["aud"], claims["iss"]);
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(member.id()), &json!(member.session())));
    assert_eq!((&claims["wallet_id"], &claims["provider"]), (&json!(user), &json!("portal")));
    assert_eq!(claims["auth_identifier"], login["user"]["auth_identifier"]);
    assert_eq!((&claims["target_key"], &claims["roles"]), (&json!(user), &json!([])));
    let times = ["iat", "nbf", "exp"].map(|name| claims[name].as_u64().unwrap());
    assert!(times[0].abs_diff(now()) < 60 && times[1] == times[0] && times[2] == times[0] + 900);

    let stream = daemon.events(member.session(), 1).await;
    assert_eq!((&stream[0]["type"], &stream[0]["user_id"]), (&json!("session_created"), &json!(member.id())));
}

#[tokio::test]
async fn a_wallets_credential_begins_further_sessions_of_the_same_user() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let ask = json!({ "credential": member.credential, "provider": "portal" });
    let again = daemon.rest().post("/auth/login", ask).await.data();
    assert_eq!(again["user"], member.login["user"]);
    assert_ne!(again["session"]["id"], member.login["session"]["id"]);
    let user = daemon.rest().get(&format!("/users/{}", member.id())).await.data()["user"].clone();
    assert_eq!(user["logins"], 2);
    let audit = daemon.rest().get("/audit?kind=login").await.data();
    let actors: Vec<_> = audit["records"].as_array().unwrap().iter().map(|one| &one["actor"]).collect();
    assert!(actors[0].as_str().unwrap().starts_with("unix uid ") && actors[1] == "wallet", "{actors:?}");
}

#[tokio::test]
async fn no_token_of_a_session_outlives_the_wallets_credential() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    let token = phone.token(&asked.event.pubkey, now(), 100);
    phone.approve_with(&asked, token).await;
    let login = daemon.ended(&stream).await.pop().unwrap()["login"].clone();
    let (_, claims) = parts(login["access_token"].as_str().unwrap());
    assert!(claims["exp"].as_u64().unwrap() <= now() + 100);
    assert!(login["expires_in"].as_u64().unwrap() <= 100);
}

#[tokio::test]
async fn a_credential_that_does_not_hold_begins_nothing_and_the_audit_tells_why() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let service = nostr_sdk::PublicKey::parse(&daemon.public_key().await).unwrap();
    let stranger = Phone::new();
    let issued = rest.post("/jwt/issue", json!({ "target_key": stranger.key(), "duration_hours": 1 })).await;
    let issued = issued.data()["token"].as_str().unwrap().to_owned();
    for (credential, code) in [
        ("nonsense".to_owned(), "malformed_token"),
        (member.phone.token(&service, now() - 200, 100), "session_expired"),
        (member.phone.token(&stranger.key(), now(), 100), "wrong_audience"),
        (stranger.token_for(&service), "unknown_wallet"),
        (issued, "not_a_wallet_token"),
        (member.access_token().to_owned(), "unsupported_algorithm"),
    ] {
        let answer = rest.post("/auth/login", json!({ "credential": credential })).await;
        assert_eq!(answer.refusal(), refused(401, code), "{answer:?}");
    }
    let unknown = rest.post("/auth/login", json!({ "credential": "x", "provider": "nobody" })).await;
    assert_eq!(unknown.refusal(), refused(400, "bad_request"));
    let refusals = crate::support::soon("the audit", async {
        loop {
            let audit = rest.get("/audit?kind=login_refused").await.data();
            let records = audit["records"].as_array().unwrap().clone();
            if records.len() == 6 {
                return records;
            }
        }
    })
    .await;
    assert!(refusals.iter().all(|one| one["provider"] == "portal"));
    assert_eq!(refusals[0]["reason"], "unsupported_algorithm");
    assert_eq!(daemon.metric("portico_session_logins_total{provider=\"portal\"}").await, 1.0);
}

#[tokio::test]
async fn a_disabled_user_approves_in_vain() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let mut member = Member::of(&daemon).await;
    let path = format!("/users/{}", member.id());
    daemon.rest().patch(&path, json!({ "disabled": true })).await.data();

    let (url, stream) = daemon.rest().login(json!({})).await;
    member.phone.scan(&url).await;
    let asked = member.phone.challenge().await;
    member.phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "error"]);
    assert_eq!(events[1]["code"], "user_disabled");
    let audit = daemon.rest().get("/audit?kind=login_refused").await.data();
    let refusal = &audit["records"][0];
    assert_eq!((&refusal["actor"], &refusal["reason"]), (&json!("wallet"), &json!("user_disabled")));
    assert_eq!(refusal["wallet_id"], member.phone.key().to_hex());
    let answer = daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await;
    assert_eq!(answer.refusal(), refused(403, "user_disabled"));
}

#[tokio::test]
async fn what_asks_a_known_user_begins_no_session_behind_the_callers_back() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((&events[0]["status"]["status"], events[0].get("login")), (&json!("approved"), None));
    assert_eq!(daemon.rest().get("/users").await.data()["users"], json!([]));
}

#[tokio::test]
async fn a_challenge_from_before_a_restart_still_begins_a_session() {
    let relay = TestRelay::start().await;
    let mut daemon = daemon(&relay).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    daemon.kill_9().await;
    relay.until_subscribed(1).await;
    let daemon = daemon.restart().await;
    relay.until_subscribed(2).await;
    phone.approve(&asked).await;
    let approved = daemon.ended(&stream).await.pop().unwrap();
    assert_eq!(approved["login"]["user"]["wallet_id"], phone.key().to_hex());
}

#[tokio::test]
async fn without_sessions_there_are_none() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let member = Member::of(&daemon).await;
    assert_eq!(member.login, Value::Null);
    let answer = daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await;
    assert_eq!(answer.refusal(), refused(404, "sessions_off"));
    assert_eq!(daemon.rest().get("/users").await.refusal(), refused(404, "sessions_off"));
}

#[tokio::test]
async fn a_stolen_credential_does_not_log_in_without_end() {
    let relay = TestRelay::start().await;
    let config = "[sessions]\nenabled = true\nmax_logins_per_wallet = 2\nmax_refreshes_per_wallet = 1\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let ask = json!({ "credential": member.credential });
    for _ in 0..2 {
        daemon.rest().post("/auth/login", ask.clone()).await.data();
    }
    let answer = daemon.rest().post("/auth/login", ask.clone()).await;
    assert_eq!(answer.refusal(), refused(429, "limit_reached"));
    assert!(answer.header("retry-after").is_some());
    daemon.rest().post("/auth/refresh", member.both()).await.data();
    let answer = daemon.rest().post("/auth/refresh", member.both()).await;
    assert_eq!(answer.refusal(), refused(429, "limit_reached"));
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_session_gives_way() {
    let relay = TestRelay::start().await;
    let config = "[sessions]\nenabled = true\nmax_per_user = 2\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    for _ in 0..2 {
        daemon.rest().post("/auth/login", json!({ "credential": member.credential })).await.data();
    }
    let answer = daemon.rest().post("/auth/verify", member.both()).await;
    assert_eq!(answer.refusal(), refused(401, "session_revoked"));
    let events = daemon.ended(member.session()).await;
    assert_eq!(
        (types(&events), &events[1]["reason"]),
        (vec!["session_created", "session_revoked"], &json!("superseded"))
    );
}

#[tokio::test]
async fn an_algorithm_by_configuration_signs_and_the_keys_before_it_still_verify() {
    let relay = TestRelay::start().await;
    let mut daemon = with_sessions(&relay).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    for algorithm in ["EdDSA", "ES256K"] {
        daemon.terminate().await;
        let config = format!("[sessions]\nenabled = true\n[access]\nalgorithm = \"{algorithm}\"\n");
        std::fs::write(daemon.folder().join("portico.toml"), config).unwrap();
        daemon = daemon.restart().await;
        daemon.rest().post("/auth/verify", member.both()).await.data();
        let renewed = daemon.rest().post("/auth/refresh", member.both()).await.data();
        let token = renewed["access_token"].as_str().unwrap();
        assert_eq!(parts(token).0["alg"], algorithm);
        let both = json!({ "access_token": token, "credential": member.credential });
        daemon.rest().post("/auth/verify", both).await.data();
    }
}
