//! `portico relays`: the operator's view of relays, with a daemon and without.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::daemon::Daemon;
use crate::support::program::{finished, portico};
use crate::support::relay::{Faults, TestRelay};
use crate::support::rest::refused;
use crate::support::soon;

/// `portico relays check --json` of these relays: the exit code and what it printed.
async fn check(relays: &[&TestRelay]) -> (i32, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portico(folder.path());
    command.args(["relays", "check", "--json", "--timeout", "2s"]);
    command.args(relays.iter().map(|relay| relay.url().to_string()));
    let run = finished(command).await;
    (run.code, serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr)))
}

/// Checks one relay with such faults; returns the exit code and what was found.
async fn checkup(faults: Faults) -> (i32, Value) {
    let relay = faults.start().await;
    let (code, mut found) = check(&[&relay]).await;
    (code, found.remove(0))
}

#[tokio::test]
async fn a_relay_that_forwards_is_fit_and_says_what_it_allows() {
    let document = r#"{"name":"test","software":"portico-test","limitation":{"max_subscriptions":20}}"#;
    let (code, found) = checkup(TestRelay::with().tells(document)).await;
    assert_eq!((code, &found["problem"]), (0, &json!(null)), "{found}");
    for step in ["connect_ms", "subscribe_ms", "forward_ms"] {
        assert!(found[step].as_f64().unwrap() > 0.0, "{step}: {found}");
    }
    assert_eq!(found["information"]["max_subscriptions"], 20);
    assert_eq!(found["information"]["software"], "portico-test");
}

#[tokio::test]
async fn an_information_document_that_cannot_be_taken_is_told_with_what_is_wrong_with_it() {
    let large: &str = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000)).leak();
    for (faults, words) in [
        (TestRelay::with().tells(large), "larger than 65536 bytes"),
        (TestRelay::with().tells("\u{1f}\u{8b}").compressed_by("gzip"), "compressed (gzip)"),
        (TestRelay::with().tells("<html>"), "malformed"),
    ] {
        let (_, found) = checkup(faults).await;
        assert!(found["information"]["error"].as_str().unwrap().contains(words), "{words}: {found}");
    }
}

#[tokio::test]
async fn a_relay_is_fit_without_ok_for_ephemeral_events_with_one_subscription_and_with_a_login() {
    let faults = TestRelay::with().no_ok_for_ephemeral().max_subs(1).requires_auth();
    let (code, found) = checkup(faults).await;
    assert_eq!((code, &found["problem"]), (0, &json!(null)), "{found}");
    assert_eq!(found["asked_for_login"], true);
    assert!(found["information"]["error"].as_str().unwrap().contains("NIP-11"), "{found}");
}

#[tokio::test]
async fn a_relay_over_which_no_login_would_go_through_is_told_with_its_reason() {
    for (faults, reason) in [
        (TestRelay::with().keeps_ephemeral(), "did not forward"),
        (TestRelay::with().black_hole(), "did not answer"),
        (TestRelay::with().max_subs(0), "too many subscriptions"),
    ] {
        let (code, found) = checkup(faults).await;
        assert_eq!(code, 1, "{found}");
        assert!(found["problem"].as_str().unwrap().contains(reason), "{found}");
    }
    let (mut gone, fit) = (TestRelay::start().await, TestRelay::start().await);
    gone.stop();
    let (code, found) = check(&[&gone, &fit]).await;
    assert_eq!(code, 1, "one unfit relay is told even when another is fit");
    assert!(found[0]["problem"].as_str().unwrap().contains("no connection"), "{found:?}");
    assert_eq!(found[1]["problem"], json!(null));
}

#[tokio::test]
async fn the_relays_that_are_checked_are_those_that_serve_would_take() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("etc/sub")).unwrap();
    std::fs::write(at("etc/portico.toml"), "relays_file = \"sub/relays.toml\"\n").unwrap();
    std::fs::write(at("etc/sub/relays.toml"), format!("[[relay]]\nurl = \"{}\"\n", relay.url())).unwrap();
    std::fs::write(at("none.toml"), "").unwrap();
    let checked = async |args: &[&str], env: &[(&str, &str)]| {
        let mut command = portico(folder.path());
        command.args(["relays", "check", "--json"]).args(args).envs(env.iter().copied());
        finished(command).await
    };
    for (args, env) in [
        (&["--config", "etc/portico.toml"][..], &[][..]),
        (&[], &[("PORTICO_CONFIG", "etc/portico.toml")]),
        (&[], &[("PORTICO_RELAYS", "etc/sub/relays.toml")]),
        (&["--relays", "etc/sub/relays.toml"], &[("PORTICO_RELAYS", "none.toml")]),
    ] {
        let found = checked(args, env).await;
        assert_eq!(found.json()[0]["relay"], relay.url().to_string(), "{args:?} {env:?}");
        assert!(found.stderr.contains("etc/sub/relays.toml"), "{found:?}");
    }
    let none = checked(&["--relays", "none.toml"], &[]).await;
    assert!(none.json() == json!([]) && none.stderr.contains("none.toml, which lists none"), "{none:?}");
    assert_eq!(checked(&["--config", "nowhere.toml"], &[]).await.code, 64);
}

#[tokio::test]
async fn a_relay_that_could_not_be_reached_is_not_said_to_say_nothing() {
    let (mut gone, silent) = (TestRelay::start().await, TestRelay::start().await);
    gone.stop();
    for (relay, says) in [(&gone, false), (&silent, true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = portico(folder.path());
        command.args(["relays", "check", &relay.url().to_string()]);
        let shown = finished(command).await.stdout;
        assert_eq!(shown.contains("says"), says, "{shown}");
        assert!(shown.contains("verdict"), "{shown}");
    }
}

#[tokio::test]
async fn a_daemon_without_relays_says_so_instead_of_nothing() {
    let daemon = Daemon::on(&[]).start().await;
    let mut command = portico(daemon.folder());
    command.args(["relays", "list", "--socket"]).arg(daemon.socket());
    let listed = finished(command).await;
    assert!(listed.code == 0 && listed.stdout.is_empty(), "{listed:?}");
    assert!(listed.stderr.contains("No relays"), "{listed:?}");
}

#[tokio::test]
async fn relays_are_listed_added_and_removed() {
    let (first, second) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&first]).await;
    let relays = async |args: &[&str]| {
        let mut command: Command = portico(daemon.folder());
        command.arg("relays").args(args).arg("--socket").arg(daemon.socket());
        finished(command).await
    };
    let url = second.url().to_string();
    assert_eq!(relays(&["add", &url]).await.code, 0);
    second.until_subscribed(1).await;
    let listed = relays(&["list", "--json"]).await.json();
    assert_eq!(listed["relays"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(relays(&["remove", &url]).await.code, 0);
    let shown = relays(&["list"]).await.stdout;
    assert!(shown.contains(first.url().as_str()) && !shown.contains(url.as_str()), "{shown}");
    assert_ne!(relays(&["add", "not a relay"]).await.code, 0);
}

#[tokio::test]
async fn a_relay_that_is_paused_for_its_lies_is_told_as_such() {
    let (liar, honest) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&liar, &honest]).await;
    let paused = async |relay: &TestRelay| {
        daemon.metric(&format!("portico_relay_paused{{relay=\"{}\"}}", relay.url())).await
    };
    assert_eq!(paused(&liar).await, 0.0);
    liar.flood("portico", ["lies".to_owned()]);
    soon("the pause", async { while paused(&liar).await != 1.0 {} }).await;
    assert_eq!(paused(&honest).await, 0.0);
    let listed = daemon.rest().get("/relays").await.data();
    assert_eq!(
        (&listed["relays"][0]["state"], &listed["relays"][1]["state"]),
        (&json!("paused"), &json!("ready"))
    );
}

#[tokio::test]
async fn without_any_relay_nothing_is_opened_that_could_not_work_and_the_caller_is_told_what_to_do() {
    let mut relay = TestRelay::start().await;
    relay.stop();
    let daemon = Daemon::on(&[]).start().await;
    let mut socket = daemon.websocket().await;
    for static_token in [json!(null), json!("wall")] {
        for path in ["/login", "/key-handshake"] {
            let answer = daemon.rest().post(path, json!({ "static_token": static_token })).await;
            assert_eq!(answer.refusal(), refused(503, "no_relay"), "{path}");
            assert!(answer.text.contains("portico relays add"), "{}", answer.text);
        }
        let asked = json!({ "static_token": static_token, "no_request": false });
        assert_eq!(socket.command("NewKeyHandshakeUrl", asked).await["code"], "no_relay");
    }
    assert_eq!(daemon.metric("portico_open_handshakes").await, 0.0);

    // One that is down is a relay: it may come.
    daemon.rest().post("/relays", json!({ "relay": relay.url() })).await.data();
    let (url, _) = daemon.rest().login(json!({})).await;
    assert!(url.contains("relays=ws%3A%2F%2F127.0.0.1"), "{url}");
}

#[tokio::test]
async fn a_relay_that_is_only_read_or_only_written_makes_nobody_ready() {
    let relay = TestRelay::start().await;
    for missing in ["read", "write"] {
        let plan = Daemon::on(&[]);
        let list = format!("[[relay]]\nurl = \"{}\"\n{missing} = false\n", relay.url());
        std::fs::write(plan.folder().join("relays.toml"), list).unwrap();
        let daemon = plan.start().await;
        daemon.until_logged("no relay is both read and written").await;
        assert_eq!(daemon.rest().get("/ready").await.status, 503, "{missing}");
        assert_eq!(daemon.rest().post("/login", json!({})).await.refusal(), refused(503, "no_relay"));
    }
}
