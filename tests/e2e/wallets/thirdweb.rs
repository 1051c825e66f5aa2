//! Tokens of thirdweb, issued by the business's own server or by the daemon.

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::config::files::create_secret;
use portico::ethereum::{Address, SigningKey};
use portico::wallet::thirdweb::{Payload, ThirdwebClaims, issue};
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::{Daemon, Plan};
use crate::support::now;
use crate::support::program::finished;
use crate::support::rest::{Rest, refused};

const DOMAIN: &str = "app.example";
const HOUR: u64 = 3600;

/// A key of somebody.
pub(crate) fn key(byte: u8) -> SigningKey {
    SigningKey::parse(&hex::encode([byte; 32])).unwrap()
}

/// The wallet that the business's own server issues with.
fn admin() -> SigningKey {
    key(0x11)
}

fn user(byte: u8) -> Address {
    key(byte).address()
}

/// A token of the business's own server.
fn token(owner: Address, issued_at: u64, lifetime_secs: u64) -> String {
    let id = format!("{issued_at}-{lifetime_secs}");
    let new = ThirdwebClaims { domain: DOMAIN, owner, now: issued_at, lifetime_secs, id: &id, context: None };
    issue(&admin(), &new).unwrap()
}

/// What a token says.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A daemon that believes that server's tokens.
fn believing() -> Plan {
    let admin = admin().address();
    let section = format!("[wallets.thirdweb]\ndomain = \"{DOMAIN}\"\nadmin_addresses = [\"{admin}\"]\n");
    Daemon::offline().with_config(&format!("{SESSIONS}{section}"))
}

/// A daemon that issues tokens itself.
pub(crate) fn issuing(more: &str) -> Plan {
    with_issuing(Daemon::offline(), more)
}

/// The same of a daemon on relays.
pub(crate) fn with_issuing(plan: Plan, more: &str) -> Plan {
    create_secret(&plan.folder().join("admin.key"), &"11".repeat(32)).unwrap();
    let section = format!("[wallets.thirdweb]\ndomain = \"{DOMAIN}\"\nadmin_key_file = \"admin.key\"\n");
    plan.with_config(&format!("{SESSIONS}{section}{more}"))
}

/// Under the text that is offered.
pub(crate) fn signature(by: &SigningKey, offered: &Value) -> String {
    by.sign(offered["message"].as_str().unwrap().as_bytes())
}

async fn log_in(rest: &Rest, credential: &str) -> Value {
    rest.post("/auth/login", json!({ "provider": "thirdweb", "credential": credential })).await.data()
}

fn both(login: &Value, credential: &str) -> Value {
    json!({ "access_token": login["access_token"], "credential": credential })
}

#[tokio::test]
async fn a_wallet_with_a_token_logs_in_and_both_layers_hold_together() {
    let daemon = believing().start().await;
    let rest = daemon.rest();
    let providers = rest.get("/providers").await.data();
    assert!(providers.to_string().contains("\"thirdweb\""), "{providers}");
    let owner = user(0x22);
    let credential = token(owner, now(), HOUR);
    let login = log_in(&rest, &credential).await;
    assert_eq!(login["user"]["provider"], "thirdweb");
    assert_eq!(login["user"]["wallet_id"], format!("{owner:x}"));
    assert_eq!(login["user"]["auth_identifier"], owner.to_string());
    assert_eq!(login["user"]["auth_method"], "ethereum");

    let checked = rest.post("/auth/verify", both(&login, &credential)).await.data();
    assert_eq!((&checked["active"], &checked["user"]), (&json!(true), &login["user"]));
    let bearer = format!("Bearer {}", login["access_token"].as_str().unwrap());
    let gateway = rest.clone().with("authorization", &bearer).with("x-wallet-session", &credential);
    let passed = gateway.get("/auth/forward").await;
    assert_eq!((passed.status.as_u16(), passed.header("x-auth-provider")), (200, Some("thirdweb")));
    assert_eq!(passed.header("x-auth-wallet"), Some(format!("{owner:x}").as_str()));
    let without = rest.with("authorization", &bearer).get("/auth/forward").await;
    assert_eq!(without.status.as_u16(), 401);
}

#[tokio::test]
async fn a_stolen_access_token_is_worth_nothing_beside_another_wallets_token() {
    let daemon = believing().start().await;
    let rest = daemon.rest();
    let (alice, mallory) = (token(user(0x22), now(), HOUR), token(user(0x33), now(), HOUR));
    let login = log_in(&rest, &alice).await;
    for path in ["/auth/verify", "/auth/refresh"] {
        let answer = rest.post(path, both(&login, &mallory)).await;
        assert_eq!(answer.refusal(), refused(401, "session_mismatch"));
    }
}

#[tokio::test]
async fn a_fresh_token_carries_the_session_on_and_its_end_is_the_sessions() {
    let daemon = believing().start().await;
    let rest = daemon.rest();
    let owner = user(0x22);
    let first = token(owner, now(), HOUR);
    let login = log_in(&rest, &first).await;
    let fresh = token(owner, now(), 2 * HOUR);
    let renewed = rest.post("/auth/refresh", both(&login, &fresh)).await.data();
    assert_eq!(renewed["session"]["id"], login["session"]["id"]);
    assert!(renewed["session"]["expires_at"].as_str() > login["session"]["expires_at"].as_str());
    rest.post("/auth/verify", both(&renewed, &fresh)).await.data();

    let expired = token(owner, now() - HOUR, HOUR - 1);
    let answer = rest.post("/auth/verify", both(&renewed, &expired)).await;
    assert_eq!(answer.refusal(), refused(401, "session_expired"));
}

#[tokio::test]
async fn each_forgery_is_refused_with_its_own_code() {
    let daemon = believing().start().await;
    let rest = daemon.rest();
    let good = token(user(0x22), now(), HOUR);
    let of = |key: &SigningKey, domain, at| {
        let owner = user(0x22);
        issue(key, &ThirdwebClaims { domain, owner, now: at, lifetime_secs: HOUR, id: "j", context: None })
            .unwrap()
    };
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = token(user(0x33), now(), HOUR);
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    for (forged, code) in [
        (format!("{good}.x"), "malformed_token"),
        (
            good.replacen("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJub25lIn0", 1),
            "unsupported_algorithm",
        ),
        (swapped, "invalid_signature"),
        (of(&key(0x44), DOMAIN, now()), "unknown_issuer"),
        (of(&admin(), "evil.example", now()), "wrong_audience"),
        (of(&admin(), DOMAIN, now() + HOUR), "token_not_yet_valid"),
    ] {
        let ask = json!({ "provider": "thirdweb", "credential": forged });
        assert_eq!(rest.post("/auth/login", ask).await.refusal(), refused(401, code), "{forged}");
    }
    // Nothing is guessed from what a token looks like.
    let unnamed = rest.post("/auth/login", json!({ "credential": good })).await;
    assert_eq!(unnamed.status.as_u16(), 401);
}

#[tokio::test]
async fn the_daemon_issues_what_it_believes_and_a_token_follows_another() {
    let daemon = issuing("").start().await;
    let rest = daemon.rest();
    let owner = user(0x22);
    let issue = async |ask: Value| rest.post("/jwt/issue", ask).await;
    let ctx = json!({ "plan": "gold" });
    let first = issue(json!({ "format": "thirdweb", "address": owner, "ctx": ctx })).await.data();
    let first = first["token"].as_str().unwrap();
    let told = claims(first);
    assert_eq!((&told["aud"], &told["sub"]), (&json!(DOMAIN), &json!(owner)));
    assert_eq!((&told["iss"], &told["ctx"]), (&json!(admin().address()), &ctx));
    let times = ["iat", "nbf", "exp"].map(|name| told[name].as_u64().unwrap());
    assert_eq!((times[1], times[2]), (times[0], times[0] + 3 * 24 * HOUR));
    log_in(&rest, first).await;

    let ask = json!({ "format": "thirdweb", "token": first, "duration_hours": 2 });
    let next = issue(ask).await.data()["token"].as_str().unwrap().to_owned();
    let followed = claims(&next);
    assert_eq!((&followed["sub"], &followed["ctx"]), (&told["sub"], &told["ctx"]));
    assert_eq!(followed["exp"].as_u64().unwrap() - followed["iat"].as_u64().unwrap(), 2 * HOUR);
    assert_ne!(followed["jti"], told["jti"]);

    for (ask, code) in [
        (json!({ "format": "thirdweb" }), "bad_request"),
        (json!({ "format": "thirdweb", "address": "0x12" }), "bad_request"),
        (json!({ "format": "thirdweb", "address": owner, "duration_hours": 0 }), "bad_request"),
        (json!({ "format": "thirdweb", "address": owner, "duration_hours": 999_999 }), "bad_request"),
        (json!({ "format": "thirdweb", "address": owner, "ctx": "x".repeat(20_000) }), "bad_request"),
        (json!({ "format": "thirdweb", "address": owner, "token": first }), "bad_request"),
        (json!({ "format": "thirdweb", "token": format!("{first}A") }), "malformed_token"),
    ] {
        assert_eq!(issue(ask.clone()).await.refusal(), refused(400, code), "{ask}");
    }
}

#[tokio::test]
async fn without_a_key_or_a_section_nothing_is_issued() {
    let ask = json!({ "format": "thirdweb", "address": user(0x22) });
    let keyless = believing().start().await;
    let answer = keyless.rest().post("/jwt/issue", ask.clone()).await;
    assert_eq!(answer.refusal(), refused(404, "no_admin_key"));
    let off = Daemon::offline().start().await;
    assert_eq!(off.rest().post("/jwt/issue", ask).await.refusal(), refused(404, "thirdweb_off"));
}

#[tokio::test]
async fn a_section_that_cannot_work_is_refused_by_its_key() {
    let admin = admin().address();
    for (section, named) in [
        (format!("admin_addresses = [\"{admin}\"]"), "wallets.thirdweb.domain"),
        (format!("domain = \"{DOMAIN}\""), "wallets.thirdweb.admin_addresses"),
        (format!("domain = \"{DOMAIN}\"\nadmin_addresses = [\"0x12\"]"), "wallets.thirdweb.admin_addresses"),
        (format!("domain = \"{DOMAIN}\"\nadmin_key_file = \"nowhere.key\""), "nowhere.key"),
    ] {
        let plan = Daemon::offline().with_config(&format!("{SESSIONS}[wallets.thirdweb]\n{section}\n"));
        let (_, told) = plan.refusal().await;
        assert!(told.contains(named), "{named}: {told}");
    }
}

#[tokio::test]
async fn the_key_of_the_admin_wallet_is_private_and_never_shown() {
    let plan = issuing("");
    let key_file = plan.folder().join("admin.key");
    let mut check = crate::support::program::portico(plan.folder());
    check.args(["config", "check", "--config", "portico.toml", "--json"]);
    let shown = finished(check).await;
    assert!(shown.code == 0 && shown.stdout.contains(DOMAIN), "{shown:?}");
    assert!(!format!("{shown:?}").contains(&"11".repeat(32)));

    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, told) = plan.refusal().await;
    assert!(told.contains("admin.key") && told.contains("chmod 600"), "{told}");
}

/// What somebody is given to sign, and their signature.
async fn signed(rest: &Rest, by: &SigningKey) -> Value {
    let offered = rest.post("/thirdweb/payload", json!({ "address": by.address() })).await;
    assert_eq!(offered.status.as_u16(), 201, "{offered:?}");
    let offered = offered.data();
    json!({ "payload": offered["payload"], "signature": signature(by, &offered) })
}

#[tokio::test]
async fn whoever_signs_the_text_gets_a_token_and_a_session_once() {
    let daemon = issuing("chain_ids = [1, 10]\nuri = \"https://app.example/login\"\n").start().await;
    let rest = daemon.rest();
    let user = key(0x22);
    let signed = signed(&rest, &user).await;
    assert_eq!((&signed["payload"]["chain_id"], &signed["payload"]["domain"]), (&json!("1"), &json!(DOMAIN)));
    let answer = rest.post("/thirdweb/login", signed.clone()).await.data();
    let credential = answer["token"].as_str().unwrap();
    assert_eq!(answer["login"]["user"]["auth_identifier"], user.address().to_string());
    let checked = rest.post("/auth/verify", both(&answer["login"], credential)).await.data();
    assert_eq!(checked["user"], answer["login"]["user"]);
    assert_eq!(rest.post("/thirdweb/login", signed).await.refusal(), refused(401, "unknown_nonce"));

    let other = json!({ "address": user.address(), "chain_id": 5 });
    assert_eq!(rest.post("/thirdweb/payload", other).await.refusal(), refused(400, "bad_request"));
    let ten = json!({ "address": user.address(), "chain_id": "10" });
    assert_eq!(rest.post("/thirdweb/payload", ten).await.data()["payload"]["chain_id"], "10");
}

#[tokio::test]
async fn a_text_that_is_altered_or_was_never_offered_is_worth_nothing_and_uses_nothing_up() {
    let daemon = issuing("").start().await;
    let rest = daemon.rest();
    let user = key(0x22);
    let good = signed(&rest, &user).await;
    let resigned = |field: &str, value: &str| {
        let mut altered = good.clone();
        altered["payload"][field] = json!(value);
        let payload: Payload = serde_json::from_value(altered["payload"].clone()).unwrap();
        altered["signature"] = json!(user.sign(payload.message().as_bytes()));
        altered
    };
    let mut stolen = good.clone();
    stolen["payload"]["address"] = json!(key(0x33).address());
    for (altered, code) in [
        (stolen, "invalid_signature"),
        (resigned("nonce", "0x01"), "unknown_nonce"),
        (resigned("expiration_time", "2099-01-01T00:00:00.000Z"), "unknown_nonce"),
        (resigned("domain", "evil.example"), "foreign_payload"),
        (resigned("statement", "Send all your money"), "foreign_payload"),
        (resigned("nonce", "1\nIssued At: 1970-01-01T00:00:00Z"), "malformed_payload"),
        (resigned("expiration_time", "2020-01-01T00:00:00.000Z"), "payload_expired"),
    ] {
        assert_eq!(rest.post("/thirdweb/login", altered).await.refusal(), refused(401, code), "{code}");
    }
    rest.post("/thirdweb/login", good).await.data();
}

#[tokio::test]
async fn a_text_that_was_used_stays_used_and_one_that_waits_waits_on_after_a_restart() {
    let mut daemon = issuing("").start().await;
    let rest = daemon.rest();
    let (used, waiting) = (signed(&rest, &key(0x22)).await, signed(&rest, &key(0x22)).await);
    rest.post("/thirdweb/login", used.clone()).await.data();
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    let rest = daemon.rest();
    assert_eq!(rest.post("/thirdweb/login", used).await.refusal(), refused(401, "unknown_nonce"));
    rest.post("/thirdweb/login", waiting).await.data();
}

#[tokio::test]
async fn a_disabled_user_who_signs_gets_no_token() {
    let daemon = issuing("").start().await;
    let rest = daemon.rest();
    let first = signed(&rest, &key(0x22)).await;
    let login = rest.post("/thirdweb/login", first).await.data()["login"].clone();
    let user = format!("/users/{}", login["user"]["id"].as_str().unwrap());
    rest.patch(&user, json!({ "disabled": true })).await.data();
    let again = signed(&rest, &key(0x22)).await;
    let answer = rest.post("/thirdweb/login", again).await;
    assert_eq!(answer.refusal(), refused(403, "user_disabled"));
    assert!(!answer.text.contains("eyJ"), "{answer:?}");
}
