//! SIGHUP: the list of relays is read again while logins are under way.

use std::fmt::Write;

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

/// Writes a list of relays, each with what else is said of it, and has the daemon read it.
async fn reload(daemon: &Daemon, relays: &[(&TestRelay, &str)]) {
    let mut list = String::new();
    for (relay, rest) in relays {
        writeln!(list, "[[relay]]\nurl = \"{}\"\n{rest}", relay.url()).unwrap();
    }
    std::fs::write(daemon.folder().join("relays.toml"), list).unwrap();
    daemon.signal("-HUP");
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
    daemon.signal("-HUP");
    daemon.until_logged("http://nonsense").await;
    std::fs::remove_file(daemon.folder().join("relays.toml")).unwrap();
    daemon.signal("-HUP");
    daemon.until_logged("cannot read").await;
    assert_eq!(told(&daemon).await, urls(&[&relay]));
    assert_eq!(relay.state().connections_seen, 1);
    assert_eq!(relay.state().subscriptions(), 1);

    reload(&daemon, &[(&next, "")]).await;
    next.until_subscribed(1).await;
    relay.until_subscribed(0).await;
}
