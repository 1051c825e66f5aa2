//! What is told of relays, and what is kept from everybody: secrets in their URLs.

use std::path::Path;

use nostr_sdk::Keys;
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;
use crate::support::soon;

/// The name of the subscription for what wallets send.
const SUBSCRIPTION: &str = "portico";

#[tokio::test]
async fn what_a_relay_has_against_us_is_told_in_relays_metrics_and_log() {
    let relay = TestRelay::with().instead_of_eose(r#"["NOTICE","ERROR: bad req"]"#).start().await;
    let daemon = Daemon::on(&[&relay]).start().await;
    daemon.until_logged("ERROR: bad req").await;
    daemon.until_logged("did not confirm the subscription").await;
    let told = daemon.rest().get("/relays").await.data()["relays"][0].take();
    assert_eq!((&told["state"], &told["last_error_code"]), (&json!("subscribing"), &json!("unconfirmed")));
    assert_eq!(told["last_notice"], "ERROR: bad req");
    assert!(told["closed"].as_u64().unwrap() >= 1 && told["notices"].as_u64().unwrap() >= 1, "{told}");
    assert_eq!(daemon.rest().get("/ready").await.status.as_u16(), 503);
    let series = format!("portico_relay_closed_subscriptions_total{{relay=\"{}\"}}", relay.url());
    assert!(daemon.metric(&series).await >= 1.0);

    let mut check = portico(daemon.folder());
    check.args(["relays", "check", "--json", "--timeout", "1s", &relay.url().to_string()]);
    let found = finished(check).await;
    assert!(found.code == 1 && found.stdout.contains("ERROR: bad req"), "{found:?}");
}

#[tokio::test]
async fn a_relay_that_closes_the_subscription_without_a_word_is_left_for_not_ready() {
    let relay = TestRelay::with().terse().start().await;
    let daemon = Daemon::start(&[&relay]).await;
    relay.close_by(r#"["CLOSED","{sub}"]"#);
    daemon.until_logged("the relay closed the subscription: it gave no reason").await;
    relay.until("another question", |state| state.reqs_for(SUBSCRIPTION) == 2).await;
    let told = daemon.rest().get("/relays").await.data()["relays"][0].take();
    assert_eq!(told["closed"], 1);
}

#[tokio::test]
async fn a_relay_that_objects_after_its_eose_and_falls_silent_is_left_at_once_and_asked_again() {
    let relay = TestRelay::with().answers_once(r#"["EOSE","{sub}"]"#).start().await;
    let daemon = Daemon::start(&[&relay]).await;
    relay.inject(r#"["NOTICE","ERROR: bad req"]"#);
    daemon.until_logged("the relay may have ended the subscription; its notice: ERROR: bad req").await;
    let told = daemon.rest().get("/relays").await.data()["relays"][0].take();
    assert_eq!((&told["state"], &told["last_error_code"]), (&json!("subscribing"), &json!("objection")));
    assert_eq!((&told["last_notice"], &told["closed"]), (&json!("ERROR: bad req"), &json!(1)));
    assert_eq!(daemon.rest().get("/ready").await.status.as_u16(), 503);
    relay.until("another question", |state| state.reqs_for(SUBSCRIPTION) == 2).await;
    daemon.until_logged("did not confirm the subscription; its last notice: ERROR: bad req").await;
    relay.until("a third question", |state| state.reqs_for(SUBSCRIPTION) == 3).await;
}

#[tokio::test]
async fn a_relay_that_holds_the_subscription_stays_in_use_whatever_it_objects_to_and_however_often() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    relay.inject(r#"["NOTICE","ERROR: bad msg"]"#);
    relay.until("another question", |state| state.reqs_for(SUBSCRIPTION) == 2).await;
    for _ in 0..2_000 {
        relay.inject(r#"["NOTICE","ERROR: bad msg"]"#);
        relay.inject(r#"["NOTICE","welcome"]"#);
    }
    let mut user = Phone::new();
    let (url, stream) = daemon.rest().login(json!({})).await;
    user.scan(&url).await;
    let asked = user.challenge().await;
    user.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await[1]["status"]["status"], "approved");
    let asked = relay.state().reqs_for(SUBSCRIPTION);
    assert!((3..=5).contains(&asked), "a flood of notices does not make Portico flood: {asked}");
}

#[tokio::test]
async fn a_relay_that_asks_for_a_login_and_says_nothing_else_is_told_as_such() {
    let relay =
        TestRelay::with().instead_of_eose(r#"["AUTH","who are you?"]"#).ignores_logins().start().await;
    let daemon = Daemon::on(&[&relay]).start().await;
    daemon.until_logged("it asked Portico to log in (NIP-42), and did not accept the login").await;
    let told = daemon.rest().get("/relays").await.data()["relays"][0].take();
    assert_eq!((&told["state"], &told["last_error_code"]), (&json!("subscribing"), &json!("unconfirmed")));
}

#[tokio::test]
async fn a_secret_in_the_query_of_a_relay_is_for_those_who_connect_and_for_nobody_else() {
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[]);
    let list = format!("[[relay]]\nurl = \"{}/?key=hunter2\"\n", relay.url());
    std::fs::write(plan.folder().join("relays.toml"), list).unwrap();
    let daemon = plan.with_env("PORTICO_LOG__LEVEL", "debug").start().await;
    relay.until_subscribed(1).await;
    let added = format!("{}/?key=hunter2&n=2", relay.url());
    daemon.rest().post("/relays", json!({ "relay": added })).await.data();
    relay.until_subscribed(2).await;
    let (url, _) = daemon.rest().login(json!({})).await;
    assert!(url.contains("hunter2"), "the wallet has to connect: {url}");

    let relays = daemon.rest().get("/relays").await.text;
    let metrics = daemon.rest().get("/metrics").await.text;
    let told = daemon.rest().get("/relays").await.data()["relays"].take();
    let names = [0, 1].map(|n| told[n]["relay"].as_str().unwrap().to_owned());
    assert_ne!(names[0], names[1]);
    for name in &names {
        assert!(name.starts_with(&format!("{}/?[", relay.url())), "{relays}");
        let series = format!("portico_relay_connections_total{{relay=\"{name}\"}} 1");
        assert!(metrics.contains(&series), "each under its own label: {metrics}");
    }
    let mut remove = portico(daemon.folder());
    remove.args(["relays", "remove", &names[1], "--socket"]).arg(daemon.socket());
    let removed = finished(remove).await;
    assert!(removed.code == 0 && removed.stdout.contains(&names[1]), "{removed:?}");
    assert!(!daemon.rest().get("/relays").await.text.contains(&names[1]));
    let mut check = portico(daemon.folder());
    check.args(["config", "check", "--relays", "relays.toml", "--data-dir", "data"]);
    check.args(["--key-file", "service.key"]);
    let checked = finished(check).await;
    assert!(checked.stdout.contains(&names[0]), "{checked:?}");
    let mut check = portico(daemon.folder());
    check.args(["relays", "check", "--json", "--relays", "relays.toml"]);
    let checkup = finished(check).await;
    assert_eq!(checkup.code, 0, "{checkup:?}");
    for text in [relays, metrics, format!("{removed:?}"), daemon.log(), format!("{checked:?}{checkup:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_relay_with_a_password_is_refused_wherever_it_is_named_and_the_password_is_not_repeated() {
    const URL: &str = "ws://user:hunter2@127.0.0.1:9";
    let plan = Daemon::offline();
    std::fs::write(plan.folder().join("secret.toml"), format!("[[relay]]\nurl = \"{URL}\"\n")).unwrap();
    for args in [
        &["serve", "--relays", "secret.toml", "--data-dir", "other"][..],
        &["config", "check", "--relays", "secret.toml"],
        &["relays", "check", "--relays", "secret.toml"],
        &["relays", "check", URL],
    ] {
        let mut command = portico(plan.folder());
        command.args(args);
        let ended = soon("a refusal", finished(command)).await;
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains("must not contain a user or a password"), "{ended:?}");
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
    let daemon = plan.start().await;
    let answer = daemon.rest().post("/relays", json!({ "relay": URL })).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(!answer.text.contains("hunter2") && !daemon.log().contains("hunter2"), "{}", answer.text);
}

/// A password may stand in any part of what is no URL: a bracket too many, or a letter that only looks like `@`.
const UNREADABLE: [&str; 5] = [
    "wss://[hunter2",
    "wss://[hunter2]",
    "wss://h.example:99999/hunter2",
    "wss://user\u{ff1a}hunter2\u{ff20}h.example",
    "hunter2@h.example",
];

#[tokio::test]
async fn nothing_is_shown_of_a_url_that_cannot_be_read_in_a_file_or_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let (config, check) = (folder.path().join("portico.toml"), ["config", "check"]);
    for url in UNREADABLE {
        let web = url.replace("wss:", "https:");
        for (key, text) in [
            ("jwks_url", format!("[wallets.jwks]\nissuer = \"x\"\naudience = \"x\"\njwks_url = \"{web}\"")),
            (
                "base_url",
                format!(
                    "[wallets.para_session]\napi_key_file = \"x\"\npartner_id = \"x\"\nbase_url = \"{web}\""
                ),
            ),
            ("webhook.url", format!("[webhook]\nurl = \"{web}\"\nsecret_file = \"x\"")),
            ("profile.picture", format!("[profile]\npicture = \"{web}\"")),
            ("allowed_origins", format!("[local]\nallowed_origins = [\"{web}\"]")),
            ("allowed_hosts", format!("[local]\nallowed_hosts = [\"{web}\"]")),
        ] {
            std::fs::write(&config, text).unwrap();
            assert_refused_unseen(&told_in(folder.path(), &check, &[]).await, key);
        }
        std::fs::remove_file(&config).unwrap();
        let list = folder.path().join("relays.toml");
        std::fs::write(&list, format!("[[relay]]\nurl = \"{url}\"\n")).unwrap();
        assert_refused_unseen(&told_in(folder.path(), &check, &[]).await, "relays.toml");
        std::fs::remove_file(&list).unwrap();
        let relays = told_in(folder.path(), &check, &[("PORTAL__NOSTR__RELAYS", url)]).await;
        assert_refused_unseen(&relays, "PORTAL__NOSTR__RELAYS");
        let hook = [("PORTAL__WEBHOOK__URL", &*web), ("PORTAL__WEBHOOK__SECRET", "0123456789abcdef")];
        let left_out = told_in(folder.path(), &check, &hook).await;
        assert!(left_out.stderr.contains("PORTAL__WEBHOOK__URL"), "{left_out:?}");
        assert!(!format!("{left_out:?}").contains("hunter2"), "{left_out:?}");
    }
}

#[tokio::test]
async fn nothing_is_shown_of_a_url_that_cannot_be_read_on_the_command_line_or_in_a_request() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    for url in UNREADABLE {
        let checked = told_in(daemon.folder(), &["relays", "check", url], &[]).await;
        assert_refused_unseen(&checked, "is not a relay URL");
        let relay = json!({ "relay": url });
        for answer in [rest.post("/relays", relay.clone()).await, rest.delete("/relays", relay).await] {
            assert_eq!(answer.status.as_u16(), 400);
            assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        }
    }
    assert!(!daemon.log().contains("hunter2"));
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_taken_over_from_the_old_daemons_file() {
    let folder = tempfile::tempdir().unwrap();
    for url in UNREADABLE {
        let (key, into) = (Keys::generate().secret_key().to_secret_hex(), folder.path().join("moved"));
        let hook = url.replace("wss:", "https:");
        let old =
            format!("[nostr]\nprivate_key = \"{key}\"\nrelays = [\"{url}\"]\n[webhook]\nurl = \"{hook}\"\n");
        std::fs::write(folder.path().join("old.toml"), old).unwrap();
        let moved =
            told_in(folder.path(), &["migrate-from-portal", "old.toml", "--into", "moved"], &[]).await;
        assert!(moved.code == 0 && moved.stdout.contains("nostr.relays"), "{moved:?}");
        let written =
            ["portico.toml", "relays.toml"].map(|name| std::fs::read_to_string(into.join(name)).unwrap());
        assert!(!format!("{written:?}{moved:?}").contains("hunter2"), "{written:?}{moved:?}");
        std::fs::remove_dir_all(into).unwrap();
    }
}

fn assert_refused_unseen(ended: &Finished, word: &str) {
    assert!(ended.code == 64 && ended.stderr.contains(word), "{word}: {ended:?}");
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

async fn told_in(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Finished {
    let mut command = portico(folder);
    command.args(args).envs(variables.iter().copied());
    finished(command).await
}

#[tokio::test]
async fn a_number_beyond_its_bound_is_refused_with_key_and_bound_and_every_largest_one_serves() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, value, key, bound) in [
        ("PORTICO_RELAYS__INBOX", "9223372036854775807", "relays.inbox", "1000000"),
        ("PORTICO_RELAYS__INBOX", "18446744073709551615", "relays.inbox", "1000000"),
        ("PORTICO_LOCAL__MAX_CONNECTIONS", "9223372036854775807", "local.max_connections", "1000000"),
        ("PORTICO_AUTH__CHALLENGE_TTL", "18446744073709551615s", "auth.challenge_ttl", "36500days"),
    ] {
        let mut check = portico(folder.path());
        check.args(["config", "check"]).env(variable, value);
        let (code, said) = finished(check).await.into_refusal();
        assert_eq!(code, 64, "{said}");
        assert!(said.contains(key) && said.contains(bound) && said.contains(variable), "{said}");
    }
    let largest = "[local]\nmax_connections = 1000000\nmax_connections_per_peer = 1000000\nmax_followers = 1000000000\n\
        max_followed_per_connection = 1000000000\nwebsocket_queue = 1000000\nrequest_timeout = \"1h\"\n\
        [auth]\nhandshake_ttl = \"36500days\"\nchallenge_ttl = \"36500days\"\nprompt_window = \"36500days\"\n\
        max_event_age = \"36500days\"\nmax_open = 1000000000\nmax_scans_per_url = 1000000000\n\
        max_streams_per_token = 1000000000\nmax_open_per_user = 1000000000\nmax_prompts_per_user = 1000000000\n\
        [tokens]\nleeway = \"36500days\"\nmax_wallet_lifetime = \"36500days\"\nmax_issued_lifetime = \"36500days\"\n\
        signature_cache = 1000000\nmax_revocations = 1000000000\n\
        [relays]\nmax_relays = 10000\nmax_preferred_per_user = 1000\nmax_preferred = 10000\ninbox = 1000000\n\
        queue_per_relay = 1000000\n[lookup]\ntimeout = \"1h\"\n\
        [history]\nkeep = \"36500days\"\nkeep_audit = \"36500days\"\n\
        [access]\nmax_service_lifetime = \"36500days\"\nrotate_every = \"36500days\"\n\
        [sessions]\nenabled = true\nmax_lifetime = \"36500days\"\nmax_per_user = 1000000000\n\
        max_logins_per_wallet = 1000000000\nmax_refreshes_per_wallet = 1000000000\nwindow = \"36500days\"\n";
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(largest).start_subscribed(&[&relay]).await;
    let member = crate::support::beginning::Member::of(&daemon).await;
    assert_eq!(daemon.rest().post("/auth/verify", member.both()).await.data()["active"], true);
    let issued = json!({ "target_key": daemon.public_key().await, "duration_hours": 876_000 });
    daemon.rest().post("/jwt/issue", issued).await.data();
}
