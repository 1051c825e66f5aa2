//! Sessions that Para's libraries export, at a daemon that asks an API which need not be honest.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::{Daemon, Plan};
use crate::support::para_api::{API_KEY, Mood, ParaApi, SECRET_KEY, SIGNER, User};
use crate::support::program::{finished, portico};
use crate::support::rest::{Answer, refused};

/// A section with this API. Portico caches no answer of it, unless `more` sets `cache`.
fn section(name: &str, api: &ParaApi, more: &str) -> String {
    let cache = if more.contains("cache") { "" } else { "cache = \"0s\"\n" };
    format!(
        "[wallets.{name}]\napi_key_file = \"api.key\"\nsecret_key_file = \"secret.key\"\npartner_id = \"partner-1\"\n\
         allow_private = true\nbase_url = \"{}/\"\n{cache}{more}",
        api.base()
    )
}

/// A daemon with keys and this section in its configuration, to be started.
fn plan(name: &str, api: &ParaApi, more: &str) -> Plan {
    let config = format!("{SESSIONS}[log]\nlevel = \"debug\"\n{}", section(name, api, more));
    let plan = Daemon::offline().with_config(&config);
    for (file, key) in [("api.key", API_KEY), ("secret.key", SECRET_KEY)] {
        write_secret(&plan.folder().join(file), key);
    }
    plan
}

fn write_secret(path: &Path, secret: &str) {
    std::fs::write(path, secret).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

async fn daemon(api: &ParaApi, more: &str) -> Daemon {
    plan("para_session", api, more).start().await
}

async fn log_in(daemon: &Daemon, credential: &str) -> Answer {
    let body = json!({ "credential": credential, "provider": "para_session" });
    daemon.rest().post("/auth/login", body).await
}

/// Both layers, as `/auth/verify` and its like take them.
fn both(login: &Value, credential: &str) -> Value {
    json!({ "access_token": login["access_token"], "credential": credential })
}

/// Alice's session under this cookie, which the API knows.
fn alice(api: &ParaApi, cookie: &str) -> String {
    let user = User::named("alice");
    api.log_in(cookie, &user);
    user.export(cookie)
}

async fn forward(daemon: &Daemon, login: &Value, credential: &str) -> Answer {
    let token = login["access_token"].as_str().unwrap();
    let asking = daemon.rest().with("authorization", &format!("Bearer {token}"));
    asking.with("x-wallet-session", credential).get("/auth/forward").await
}

#[tokio::test]
async fn a_user_logs_in_with_an_exported_session_and_both_layers_hold() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let user = &login["user"];
    assert_eq!((&user["provider"], &user["wallet_id"]), (&json!("para_session"), &json!("id-of-alice")));
    assert_eq!(
        (&user["auth_method"], &user["auth_identifier"]),
        (&json!("email"), &json!("alice@example.com"))
    );

    let checked = daemon.rest().post("/auth/verify", both(&login, &credential)).await.data();
    assert_eq!((&checked["active"], &checked["user"]), (&json!(true), user));
    let let_through = forward(&daemon, &login, &credential).await;
    assert_eq!(let_through.status, 200);
    assert_eq!(let_through.header("x-auth-wallet"), Some("id-of-alice"));
    assert_eq!(let_through.header("x-auth-provider"), Some("para_session"));
    let providers = daemon.rest().get("/providers").await.data();
    assert_eq!(providers["providers"], json!(["para_session", "portal"]));
}

#[tokio::test]
async fn a_check_costs_one_question_once_the_user_is_known() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let targets: Vec<_> = api.asked().into_iter().map(|asked| asked.target).collect();
    let wallets = "/wallets/verify";
    assert_eq!(targets, ["/touch?regenerate=false", "/sessions/verify", wallets, wallets]);
    forward(&daemon, &login, &credential).await;
    forward(&daemon, &login, &credential).await;
    assert_eq!((api.asked().len(), api.touches()), (6, 3));
}

#[tokio::test]
async fn a_crowd_of_requests_with_one_session_asks_once_within_the_cache() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "cache = \"10s\"\n").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let asked = api.touches();
    let crowd = (0..50).map(|_| forward(&daemon, &login, &credential));
    for answer in futures_util::future::join_all(crowd).await {
        assert_eq!(answer.status, 200);
    }
    // The machine may be so busy that the ten seconds run out.
    assert!(api.touches() <= asked + 1, "{} questions", api.touches());
}

#[tokio::test]
async fn an_access_token_beside_another_users_session_is_refused() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let login = log_in(&daemon, &alice(&api, "s:one")).await.data();
    let bob = User::named("bob");
    api.log_in("s:two", &bob);
    for path in ["/auth/verify", "/auth/refresh"] {
        let answer = daemon.rest().post(path, both(&login, &bob.export("s:two"))).await;
        assert_eq!(answer.refusal(), refused(401, "session_mismatch"), "{path}");
    }
    let answer = forward(&daemon, &login, &bob.export("s:two")).await;
    assert_eq!(answer.header("x-auth-error"), Some("session_mismatch"));
}

#[tokio::test]
async fn a_fresh_session_of_the_same_user_carries_ours_on() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let login = log_in(&daemon, &alice(&api, "s:one")).await.data();
    let fresh = alice(&api, "s:two");
    api.log_out("s:one");
    let renewed = daemon.rest().post("/auth/refresh", both(&login, &fresh)).await.data();
    assert_eq!(renewed["session"]["id"], login["session"]["id"]);
    assert!(renewed["session"]["expires_at"].as_str() >= login["session"]["expires_at"].as_str());
    // From now on it is found by the fresh one alone.
    let found = json!({ "credential": fresh, "provider": "para_session" });
    let found = daemon.rest().post("/auth/refresh", found).await.data();
    assert_eq!(found["session"]["id"], login["session"]["id"]);
}

#[tokio::test]
async fn ours_ends_at_the_next_check_when_the_users_session_has_ended_there() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "session = \"1h\"\n").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let ends_at = login["session"]["expires_at"].as_str().unwrap();
    let ends_in = humantime::parse_rfc3339(ends_at).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ends_in = ends_in.as_secs() - crate::support::now();
    assert!((3500..=3600).contains(&ends_in), "{ends_in}");

    api.log_out("s:one");
    for path in ["/auth/verify", "/auth/refresh"] {
        let answer = daemon.rest().post(path, both(&login, &credential)).await;
        assert_eq!(answer.refusal(), refused(401, "session_inactive"), "{path}");
    }
    let answer = forward(&daemon, &login, &credential).await;
    assert_eq!(answer.header("x-auth-error"), Some("session_inactive"));
}

#[tokio::test]
async fn no_lie_of_the_provider_lets_anybody_in() {
    let api = ParaApi::start().await;
    let unavailable = refused(503, "provider_unavailable");
    for (mood, wanted) in [
        (Mood::AnotherUser, refused(401, "user_mismatch")),
        (Mood::AnotherPartner, refused(401, "wrong_partner")),
        (Mood::TrueAsText, unavailable.clone()),
        (Mood::YesAndNo, unavailable.clone()),
        (Mood::Nobody, unavailable.clone()),
        (Mood::Html, unavailable.clone()),
        (Mood::Status(500), unavailable.clone()),
        (Mood::Status(403), unavailable.clone()),
        (Mood::Status(429), unavailable.clone()),
        (Mood::Redirects, unavailable.clone()),
        (Mood::Babbles, unavailable.clone()),
        (Mood::HangsUp, unavailable.clone()),
        (Mood::Hangs, unavailable),
    ] {
        let timeout = if mood == Mood::Hangs { "200ms" } else { "30s" };
        let daemon = daemon(&api, &format!("timeout = \"{timeout}\"\n")).await;
        let credential = alice(&api, "s:one");
        api.now(mood);
        assert_eq!(log_in(&daemon, &credential).await.refusal(), wanted, "{mood:?}");
        api.now(Mood::Honest);
        if mood != Mood::Hangs {
            // That was its only reason. Within 200 ms the machine may not get to it.
            log_in(&daemon, &credential).await.data();
        }
    }
}

#[tokio::test]
async fn nobody_is_let_in_while_the_provider_fails_and_it_is_soon_left_alone() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    api.now(Mood::Status(500));
    let before = api.touches();
    for _ in 0..12 {
        let answer = daemon.rest().post("/auth/verify", both(&login, &credential)).await;
        assert_eq!(answer.refusal(), refused(503, "provider_unavailable"));
    }
    assert!((5..=7).contains(&(api.touches() - before)), "{} questions", api.touches() - before);
}

#[tokio::test]
async fn a_stranger_for_whose_cookie_the_provider_fails_does_not_shut_the_door_for_others() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let (mallory, bob) = (User::named("mallory"), User::named("bob"));
    let unavailable = refused(503, "provider_unavailable");
    for mood in [Mood::Status(429), Mood::Status(500), Mood::Html, Mood::HangsUp] {
        let cookie = format!("s:{mood:?}");
        api.log_in(&cookie, &mallory);
        api.now_towards(&cookie, mood);
        let before = api.touches();
        for _ in 0..12 {
            assert_eq!(log_in(&daemon, &mallory.export(&cookie)).await.refusal(), unavailable, "{mood:?}");
        }
        // Nor does the stranger have us ask for ever.
        assert!((5..=7).contains(&(api.touches() - before)), "{mood:?}: {}", api.touches() - before);
        daemon.rest().post("/auth/verify", both(&login, &credential)).await.data();
        let cookie = format!("s:of-bob-{mood:?}");
        api.log_in(&cookie, &bob);
        log_in(&daemon, &bob.export(&cookie)).await.data();
    }
}

#[tokio::test]
async fn a_stranger_with_many_such_cookies_does_not_either() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:one");
    let login = log_in(&daemon, &credential).await.data();
    let (mallory, bob) = (User::named("mallory"), User::named("bob"));
    for number in 0..20 {
        let cookie = format!("s:mallory-{number}");
        api.now_towards(&cookie, Mood::Status(429));
        let answer = log_in(&daemon, &mallory.export(&cookie)).await;
        assert_eq!(answer.refusal(), refused(503, "provider_unavailable"));
    }
    daemon.rest().post("/auth/verify", both(&login, &credential)).await.data();
    api.log_in("s:bob", &bob);
    log_in(&daemon, &bob.export("s:bob")).await.data();
}

#[tokio::test]
async fn no_signer_leaves_the_daemon_nor_does_a_secret_come_into_its_log_or_folder() {
    let api = ParaApi::start().await;
    let mut daemon = daemon(&api, "").await;
    let credential = alice(&api, "s:the-cookie");
    let login = log_in(&daemon, &credential).await.data();
    forward(&daemon, &login, &credential).await;
    let audit = daemon.rest().get("/audit").await.text;
    api.log_out("s:the-cookie");
    assert_eq!(log_in(&daemon, &credential).await.status, 401);
    let malformed = format!("{credential}x");
    assert_eq!(log_in(&daemon, &malformed).await.refusal(), refused(401, "malformed_session"));
    daemon.terminate().await;

    let asked = format!("{:?}", api.asked());
    assert!(asked.contains("s:the-cookie"), "the search finds what is there");
    assert!(!asked.contains(SIGNER), "the provider was sent a signer");
    let hides = |text: &[u8], place: &str| {
        for secret in [SIGNER, "s:the-cookie", API_KEY, SECRET_KEY, &credential[..60]] {
            let found = text.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} is in {place}");
        }
    };
    hides(audit.as_bytes(), "the audit");
    hides(daemon.log().as_bytes(), "the log");
    let mut files = 0;
    for entry in std::fs::read_dir(daemon.folder().join("data")).unwrap() {
        let path = entry.unwrap().path();
        hides(&std::fs::read(&path).unwrap(), &path.display().to_string());
        files += 1;
    }
    assert!(files >= 2, "the database and the keys are there");
}

#[tokio::test]
async fn where_the_operator_refuses_signers_only_a_session_without_one_is_let_in() {
    let api = ParaApi::start().await;
    let daemon = daemon(&api, "refuse_signers = true\n").await;
    let credential = alice(&api, "s:one");
    assert_eq!(log_in(&daemon, &credential).await.refusal(), refused(401, "signer_in_session"));
    assert!(api.asked().is_empty());
    log_in(&daemon, &User::named("alice").export_without_signers("s:one")).await.data();
}

#[tokio::test]
async fn capsules_sessions_are_another_provider_and_its_users_others() {
    let api = ParaApi::start().await;
    let more = section("capsule_session", &api, "");
    let daemon = daemon(&api, &more).await;
    let credential = alice(&api, "s:one");
    let para = log_in(&daemon, &credential).await.data();
    let body = json!({ "credential": credential, "provider": "capsule_session" });
    let capsule = daemon.rest().post("/auth/login", body).await.data();
    assert_eq!(capsule["user"]["provider"], "capsule_session");
    assert_ne!(para["user"]["id"], capsule["user"]["id"]);
    let dialects = api.asked().iter().filter(|asked| asked.headers.contains_key("x-capsule-version")).count();
    assert_eq!(dialects, api.asked().len() / 2);
}

#[tokio::test]
async fn a_key_that_others_can_read_and_values_that_make_no_sense_keep_the_daemon_from_starting() {
    let api = ParaApi::start().await;
    let exposed = plan("para_session", &api, "");
    let file = exposed.folder().join("api.key");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (_, said) = exposed.refusal().await;
    assert!(said.contains("api.key") && said.contains("0644") && !said.contains(API_KEY), "{said}");

    for (more, key) in [
        ("cache = \"11s\"\n", "wallets.para_session.cache"),
        ("timeout = \"0s\"\n", "wallets.para_session.timeout"),
        ("session = \"1s\"\n", "wallets.para_session.session"),
        ("no_such = 1\n", "no_such"),
    ] {
        let (_, said) = plan("para_session", &api, more).refusal().await;
        assert!(said.contains(key), "{key}: {said}");
    }
    let with = |from: &str, to: &str| {
        let config = section("capsule_session", &api, "").replace(from, to);
        plan("para_session", &api, "").with_config(&format!("{SESSIONS}{config}"))
    };
    for (plan, key) in [
        (with("\"partner-1\"", "\"\""), "wallets.capsule_session.partner_id"),
        (with("http://", "http://user@"), "wallets.capsule_session.base_url"),
        (with("allow_private = true", "allow_private = false"), "wallets.capsule_session.base_url"),
    ] {
        let (_, said) = plan.refusal().await;
        assert!(said.contains(key), "{key}: {said}");
    }
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_keys() {
    let api = ParaApi::start().await;
    let plan = plan("para_session", &api, "");
    let folder = plan.folder();
    let mut command = portico(folder);
    command.args(["config", "check", "--json", "--config"]).arg(folder.join("portico.toml"));
    command.arg("--key-file").arg(folder.join("service.key")).arg("--data-dir").arg(folder.join("data"));
    let shown = finished(command).await;
    let json = shown.json();
    let rules = &json["wallets"]["para_session"];
    assert_eq!((&rules["partner_id"], &rules["session"]), (&json!("partner-1"), &json!("12h")));
    assert_eq!(rules["api_key_file"], json!(folder.join("api.key")));
    assert!(!shown.stdout.contains(API_KEY) && !shown.stdout.contains(SECRET_KEY));
}
