//! SIGHUP: the list of relays is read again while logins are under way.

use std::fmt::Write;

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;
use crate::support::soon;

/// Writes a list of relays, each with what else is said of it, and has the daemon read it.
async fn reload(daemon: &Daemon, relays: &[(&TestRelay, &str)]) {
    let mut list = String::new();
    for (relay, rest) in relays {
        writeln!(list, "[[relay]]\nurl = \"{}\"\n{rest}", relay.url()).unwrap();
    }
    std::fs::write(daemon.folder().join("relays.toml"), list).unwrap();
    daemon.reload();
}

/// The relays that wallets are told of, in their order.
async fn told(daemon: &Daemon) -> Vec<String> {
    let (url, _) = daemon.rest().key_handshake(json!({})).await;
    let url: portico::protocol::HandshakeUrl = url.parse().unwrap();
    url.relays.iter().map(ToString::to_string).collect()
}

fn urls(relays: &[&TestRelay]) -> Vec<String> {
    relays.iter().map(|relay| relay.url().to_string()).collect()
}

#[tokio::test]
async fn a_login_goes_on_undisturbed_while_relays_come_and_go_around_it() {
    let [stays, goes, comes] = [TestRelay::start().await, TestRelay::start().await, TestRelay::start().await];
    let daemon = Daemon::start(&[&stays, &goes]).await;
    let (mut phone, mut other) = (Phone::new(), Phone::new());
    phone.connect(&stays.url()).await;
    other.connect(&comes.url()).await;
    let stream = daemon.rest().authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    let waiting = daemon.rest().authenticate(other.key()).await;

    reload(&daemon, &[(&comes, ""), (&stays, "")]).await;
    goes.until_subscribed(0).await;
    comes.until_subscribed(2).await;
    daemon.until_logged("\"reloaded\"").await;
    let line = daemon.log().lines().find(|line| line.contains("\"reloaded\"")).unwrap().to_owned();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["added"], &line["removed"]), (&json!(comes.url()), &json!(goes.url())));
    assert_eq!(told(&daemon).await, urls(&[&comes, &stays]), "in the order of the list");

    phone.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await.len(), 1);
    assert_eq!(stays.state().connections_seen, 2, "the phone's and the daemon's, once each");
    assert_eq!(phone.new_messages(), 0, "the wallet was asked once");
    // What was asked before goes out to the relay that came.
    let asked = other.challenge().await;
    other.approve(&asked).await;
    assert_eq!(daemon.ended(&waiting).await.len(), 1);
}

#[tokio::test]
async fn what_a_relay_is_used_for_changes_and_the_others_stay_connected() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&one, &other]).await;
    reload(&daemon, &[(&one, ""), (&other, "read = false")]).await;
    other.until_subscribed(0).await;
    other.until("a new connection", |state| state.connections_seen == 2).await;
    daemon.until_logged("\"reloaded\"").await;
    assert_eq!(told(&daemon).await, urls(&[&one]));
    let mut phone = Phone::new();
    phone.connect(&other.url()).await;
    daemon.rest().authenticate(phone.key()).await;
    phone.challenge().await;
    assert_eq!(one.state().connections_seen, 1);
}

#[tokio::test]
async fn what_was_said_at_run_time_goes_before_the_list() {
    let [stays, banned, added] =
        [TestRelay::start().await, TestRelay::start().await, TestRelay::start().await];
    let daemon = Daemon::start(&[&stays, &banned]).await;
    daemon.rest().post("/relays", json!({ "relay": added.url() })).await.data();
    daemon.rest().delete("/relays", json!({ "relay": banned.url() })).await.data();
    added.until_subscribed(1).await;
    banned.until_subscribed(0).await;
    reload(&daemon, &[(&banned, ""), (&stays, "")]).await;
    daemon.until_logged("\"reloaded\"").await;
    assert_eq!(told(&daemon).await, urls(&[&stays, &added]));
    let connections = [&stays, &banned, &added].map(|relay| relay.state().connections_seen);
    assert_eq!(connections, [1, 1, 1]);
}

#[tokio::test]
async fn a_mistake_in_the_list_is_named_and_the_relays_stay_as_they_were() {
    let (relay, next) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&relay]).await;
    std::fs::write(daemon.folder().join("relays.toml"), "[[relay]]\nurl = \"http://nonsense\"\n").unwrap();
    daemon.reload();
    daemon.until_logged("http://nonsense").await;
    std::fs::remove_file(daemon.folder().join("relays.toml")).unwrap();
    daemon.reload();
    daemon.until_logged("cannot read").await;
    assert_eq!(told(&daemon).await, urls(&[&relay]));
    assert_eq!(relay.state().connections_seen, 1);
    assert_eq!(relay.state().subscriptions(), 1);

    reload(&daemon, &[(&next, "")]).await;
    next.until_subscribed(1).await;
    relay.until_subscribed(0).await;
}

/// What `GET /relays` says of a relay: where it comes from and how it is; empty if nothing.
async fn said(daemon: &Daemon, relay: &TestRelay) -> String {
    let listed = daemon.rest().get("/relays").await.data();
    let mut of_it =
        listed["relays"].as_array().unwrap().iter().filter(|one| one["relay"] == relay.url().as_str());
    let said = of_it.next().map(|one| format!("{} {}", one["origin"], one["state"]).replace('"', ""));
    assert!(of_it.next().is_none(), "{listed}");
    said.unwrap_or_default()
}

#[tokio::test]
async fn a_typo_that_is_removed_is_an_error_and_leaves_nothing_behind() {
    let (relay, typo) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&relay]).await;
    let which = json!({ "relay": typo.url() });
    assert_eq!(daemon.rest().delete("/relays", which.clone()).await.refusal(), refused(404, "no_such_relay"));
    let mut socket = daemon.websocket().await;
    assert_eq!(socket.command("RemoveRelay", which).await["code"], "no_such_relay");
    reload(&daemon, &[(&relay, ""), (&typo, "")]).await;
    typo.until_subscribed(1).await;
}

#[tokio::test]
async fn a_listed_relay_that_was_removed_is_told_until_it_is_added_again() {
    let (stays, removed) = (TestRelay::start().await, TestRelay::start().await);
    let mut daemon = Daemon::start(&[&stays, &removed]).await;
    let which = json!({ "relay": removed.url() });
    daemon.rest().delete("/relays", which.clone()).await.data();
    daemon.rest().delete("/relays", which.clone()).await.data();
    assert_eq!(said(&daemon, &removed).await, "configured removed");
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    let told = "`portico relays add` with its URL adds it again";
    daemon.until_logged(told).await;
    assert_eq!(said(&daemon, &removed).await, "configured removed");
    reload(&daemon, &[(&stays, ""), (&removed, "read = false")]).await;
    daemon.until_logged("\"reloaded\"").await;
    let warnings = daemon.log().lines().filter(|line| line.contains(told)).count();
    assert_eq!(warnings, 2, "one at the start, one at the reload");

    // It comes back as it is listed, and nothing that was said at run time is left.
    daemon.rest().post("/relays", which).await.data();
    removed.until("a connection", |state| state.connections_seen == 2).await;
    assert_eq!(removed.state().subscriptions(), 0, "listed to be written only");
    assert!(said(&daemon, &removed).await.starts_with("configured "));
    assert_eq!(relay_changes(&daemon), 0);
}

#[tokio::test]
async fn what_the_list_has_caught_up_with_is_the_lists_to_take_back() {
    let [stays, added, removed] =
        [TestRelay::start().await, TestRelay::start().await, TestRelay::start().await];
    let mut daemon = Daemon::start(&[&stays, &removed]).await;
    daemon.rest().post("/relays", json!({ "relay": added.url() })).await.data();
    daemon.rest().delete("/relays", json!({ "relay": removed.url() })).await.data();
    assert!(said(&daemon, &added).await.starts_with("added "));
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert!(said(&daemon, &added).await.starts_with("added "), "after a restart too");
    assert_eq!(relay_changes(&daemon), 2);

    reload(&daemon, &[(&stays, ""), (&added, "")]).await;
    daemon.until_logged("\"reloaded\"").await;
    assert_eq!(relay_changes(&daemon), 0);
    assert!(said(&daemon, &added).await.starts_with("configured "));
    reload(&daemon, &[(&stays, ""), (&removed, "")]).await;
    removed.until_subscribed(1).await;
    added.until_subscribed(0).await;
}

#[tokio::test]
async fn a_relay_that_was_added_and_removed_leaves_nothing_however_it_is_spelled() {
    let (relay, added) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&relay]).await;
    let url = added.url().as_str_without_trailing_slash().to_owned();
    for (with_slash, spelled) in [(false, format!("{url}/")), (true, url)] {
        daemon.rest().post("/relays", json!({ "relay": spelled })).await.data();
        added.until_subscribed(1).await;
        assert_eq!(relay_changes(&daemon), 1);
        let other = if with_slash { format!("{spelled}/") } else { spelled.trim_end_matches('/').to_owned() };
        daemon.rest().delete("/relays", json!({ "relay": other })).await.data();
        added.until_subscribed(0).await;
        assert_eq!(relay_changes(&daemon), 0);
    }
}

/// How many changes to relays the daemon keeps.
fn relay_changes(daemon: &Daemon) -> u32 {
    let db = rusqlite::Connection::open(daemon.database()).unwrap();
    db.query_row("SELECT count(*) FROM relay_changes", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_change_that_needs_a_restart_is_named_by_a_reload() {
    let daemon = Daemon::offline().start().await;
    let toml = "[auth]\nmax_open = 7\n[local]\ntoken = \"hunter2hunter2hunter2\"\n[profile]\nname = \"x\"\n";
    std::fs::write(daemon.folder().join("portico.toml"), toml).unwrap();
    daemon.reload();
    daemon.until_logged("auth.max_open local.token").await;
    assert!(!daemon.log().contains("hunter2"));
    daemon.rest().get("/health").await;
}

/// What a hasty edit does: the daemon goes on, and the log says what the next start would refuse.
#[tokio::test]
async fn every_kind_of_mistake_is_named_by_a_reload_and_the_old_configuration_stays() {
    let (relay, other) = (TestRelay::start().await, TestRelay::start().await);
    let daemon = Daemon::start(&[&relay]).await;
    let (config, list) = (daemon.folder().join("portico.toml"), daemon.folder().join("relays.toml"));
    let good = std::fs::read_to_string(&list).unwrap();
    let with_other = format!("[[relay]]\nurl = \"{}\"\n", other.url());
    for (toml, relays, told) in [
        ("[local", with_other.as_str(), "portico.toml"),
        ("[sesions]\n", &with_other, "sesions"),
        ("[auth]\nmax_open = \"many\"\n", &with_other, "auth.max_open"),
        ("[auth]\nchallenge_ttl = \"0s\"\n", &with_other, "auth.challenge_ttl"),
        ("[[local.allow]]\nuid = \"no-such-user\"\nmay = [\"check\"]\n", &with_other, "local.allow"),
        ("[[local.allow]]\nuid = 1\nmay = [\"root\"]\n", &with_other, "local.allow.may"),
        ("[[local.allow]]\nuid = 1\n", &with_other, "local.allow"),
        ("[[local.allow]]\nuid = 1\ngid = 1\nmay = [\"check\"]\n", &with_other, "local.allow"),
        ("[[local.allow]]\nuid = 4294967295\nmay = [\"check\"]\n", &with_other, "local.allow.uid"),
        ("[local]\nlisten = \"0.0.0.0:1\"\n", &with_other, "local.listen"),
        ("[tls]\nca_file = \"no-such-file\"\n", &with_other, "tls.ca_file"),
        ("[profile]\nnip05 = \"no name\"\n", &with_other, "profile.nip05"),
        ("", "[[relay]]\nurl = \"http://nonsense\"\n", "http://nonsense"),
        ("", "[[relays]]\n", "relays.toml"),
    ] {
        let before = daemon.log().lines().count();
        std::fs::write(&config, toml).unwrap();
        std::fs::write(&list, relays).unwrap();
        daemon.reload();
        let said = || daemon.log().lines().skip(before).map(str::to_owned).collect::<Vec<_>>();
        let mistake = async {
            loop {
                if let Some(line) = said().into_iter().find(|line| line.contains("nothing was reloaded")) {
                    break line;
                }
                tokio::task::yield_now().await;
            }
        };
        let line = soon("the log to name the mistake", mistake).await;
        assert!(line.contains("\"ERROR\"") && line.contains(told), "{toml}{relays}: {line}");
        assert_eq!(urls(&[&relay]), self::told(&daemon).await, "{toml}");
    }
    assert_eq!((relay.state().connections_seen, other.state().connections_seen), (1, 0));
    // The daemon cannot know better: the next start refuses the same.
    std::fs::write(&config, "").unwrap();
    std::fs::write(&list, good + &with_other).unwrap();
    daemon.reload();
    other.until_subscribed(1).await;
}
