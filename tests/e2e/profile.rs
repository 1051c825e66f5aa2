//! What wallets are told of the service: `[profile]`, published and kept at the relays.

use nostr_sdk::{Event, EventBuilder, Keys, Kind, Metadata, Timestamp};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::domain::domain;
use crate::support::now;
use crate::support::relay::{State, TestRelay};

const SHOP: &str =
    "[profile]\nname = \"shop\"\ndisplay_name = \"The Shop\"\npicture = \"https://a.example/x.png\"\n";

/// The profiles that a relay was sent, in order.
fn profiles(state: &State) -> Vec<Event> {
    state.received.iter().filter(|event| event.kind == Kind::Metadata).cloned().collect()
}

async fn published(relay: &TestRelay, count: usize) -> Event {
    relay.until("profiles", |state| profiles(state).len() >= count).await;
    let mut all = profiles(&relay.state());
    assert_eq!(all.len(), count);
    all.pop().unwrap()
}

fn said(event: &Event) -> Value {
    serde_json::from_str(&event.content).unwrap()
}

/// What `/ready` says of the profile, once the log has said this.
async fn standing(daemon: &Daemon, logged: &str) -> Value {
    daemon.until_logged(logged).await;
    daemon.rest().get("/ready").await.data()["profile"].take()
}

async fn reload(daemon: &Daemon, toml: &str) {
    std::fs::write(daemon.folder().join("portico.toml"), toml).unwrap();
    daemon.reload();
}

/// Another profile of the daemon's own key, as another program of the operator's publishes it.
fn elsewhere(daemon: &Daemon, name: &str, at: u64) -> Event {
    let keys = Keys::parse(&daemon.secret()).unwrap();
    let builder = EventBuilder::metadata(&Metadata::new().name(name));
    builder.custom_created_at(Timestamp::from_secs(at)).sign_with_keys(&keys).unwrap()
}

#[tokio::test]
async fn the_profile_is_published_to_every_relay_at_the_start_and_not_anew_at_the_next() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let mut daemon = Daemon::on(&[&one, &other]).with_config(SHOP).start_subscribed(&[&one, &other]).await;
    let event = published(&one, 1).await;
    assert_eq!(
        said(&event),
        json!({ "name": "shop", "display_name": "The Shop", "picture": "https://a.example/x.png" })
    );
    assert_eq!(event.pubkey.to_hex(), daemon.public_key().await);
    assert_eq!(published(&other, 1).await, event);

    daemon.terminate().await;
    // One relay has lost it meanwhile: it gets the same event again, the other nothing.
    other.state().stored.clear();
    let daemon = daemon.restart().await;
    assert_eq!(published(&other, 2).await, event);
    daemon.until_logged("Portal's wallet shows").await;
    assert_eq!(profiles(&one.state()).len(), 1);
}

#[tokio::test]
async fn a_relay_that_has_lost_the_profile_gets_it_again_when_it_comes_back() {
    let relay = TestRelay::start().await;
    let _daemon = Daemon::on(&[&relay]).with_config(SHOP).start_subscribed(&[&relay]).await;
    let event = published(&relay, 1).await;
    relay.state().stored.clear();
    relay.close_all();
    assert_eq!(published(&relay, 2).await, event);
}

#[tokio::test]
async fn a_change_is_published_by_a_reload_and_a_mistake_in_it_changes_nothing() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_config(SHOP).start_subscribed(&[&relay]).await;
    let before = published(&relay, 1).await;
    reload(&daemon, "[profile]\nnip05 = \"no name\"\n").await;
    daemon.until_logged("profile.nip05: ").await;
    reload(&daemon, "[profile]\nname = \"store\"\n").await;
    let after = published(&relay, 2).await;
    assert_eq!(said(&after), json!({ "name": "store" }));
    assert!(after.created_at > before.created_at, "relays keep the later one");
}

#[tokio::test]
async fn what_the_operator_published_elsewhere_later_stays_until_the_section_changes() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::on(&[&relay]).with_config(SHOP).start_subscribed(&[&relay]).await;
    published(&relay, 1).await;
    daemon.terminate().await;
    let foreign = elsewhere(&daemon, "elsewhere", now() + 60);
    relay.publish(&foreign);
    let daemon = daemon.restart().await;
    let standing = standing(&daemon, "a newer profile was published elsewhere").await;
    assert_eq!((&standing["published_elsewhere"], &standing["wallet_shows"]), (&json!(true), &json!(null)));
    assert_eq!(profiles(&relay.state()).len(), 1);

    reload(&daemon, "[profile]\nname = \"store\"\n").await;
    let after = published(&relay, 2).await;
    assert!(after.created_at > foreign.created_at);
    daemon.until_logged(&foreign.id.to_hex()).await;
}

#[tokio::test]
async fn a_first_profile_says_which_one_it_replaces_and_one_that_says_the_same_is_left_alone() {
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[&relay]).with_config(SHOP);
    let keys = Keys::generate();
    portico::config::key::save(&plan.folder().join("service.key"), &keys).unwrap();
    let same = Metadata::new().name("shop").display_name("The Shop");
    let same = Metadata { picture: Some("https://a.example/x.png".into()), ..same };
    let same = EventBuilder::metadata(&same).sign_with_keys(&keys).unwrap();
    relay.publish(&same);
    let mut daemon = plan.start_subscribed(&[&relay]).await;
    daemon.until_logged("Portal's wallet shows").await;
    assert_eq!(profiles(&relay.state()).len(), 0);

    daemon.terminate().await;
    std::fs::remove_file(daemon.folder().join("data/profile.json")).unwrap();
    std::fs::write(daemon.folder().join("portico.toml"), "[profile]\nname = \"store\"\n").unwrap();
    let daemon = daemon.restart().await;
    daemon.until_logged(&same.id.to_hex()).await;
    assert_eq!(said(&published(&relay, 1).await), json!({ "name": "store" }));
}

#[tokio::test]
async fn what_a_program_sets_holds_until_the_next_start() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::on(&[&relay]).with_config(SHOP).start_subscribed(&[&relay]).await;
    published(&relay, 1).await;
    let set = json!({ "profile": { "name": "set" } });
    assert_eq!(daemon.websocket().await.data("SetProfile", set).await["type"], "auth_success");
    assert_eq!(said(&published(&relay, 2).await), json!({ "name": "set" }));
    daemon.until_logged("it is valid until the next start").await;
    // A reload that changes nothing in the section leaves it.
    reload(&daemon, SHOP).await;
    daemon.until_logged("\"reloaded\"").await;
    relay.state().stored.clear();
    relay.close_all();
    assert_eq!(said(&published(&relay, 3).await), json!({ "name": "set" }));

    daemon.terminate().await;
    let _daemon = daemon.restart().await;
    assert_eq!(said(&published(&relay, 4).await)["name"], "shop");
}

#[tokio::test]
async fn what_a_program_sets_is_kept_where_no_section_says_otherwise() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    assert_eq!(standing(&daemon, "Portal's wallet shows").await["wallet_shows"], json!(null));
    let set = json!({ "profile": { "name": "set" } });
    daemon.websocket().await.data("SetProfile", set).await;
    let event = published(&relay, 1).await;
    daemon.terminate().await;
    relay.state().stored.clear();
    let _daemon = daemon.restart().await;
    assert_eq!(published(&relay, 2).await, event);
}

#[tokio::test]
async fn the_log_and_ready_say_what_a_wallet_shows_and_why_it_shows_nothing() {
    let relay = TestRelay::start().await;
    let keys = Keys::generate();
    let document = |key: &Keys| json!({ "names": { "shop": key.public_key() } }).to_string();
    let with_key = async |nip05: &str| {
        let section =
            if nip05.is_empty() { "name = \"shop\"".into() } else { format!("nip05 = \"{nip05}\"") };
        let toml = format!("[lookup]\nallow_private = true\n[profile]\n{section}\n");
        let plan = Daemon::on(&[&relay]).with_config(&toml);
        portico::config::key::save(&plan.folder().join("service.key"), &keys).unwrap();
        let daemon = plan.start_subscribed(&[&relay]).await;
        (standing(&daemon, "Portal's wallet shows").await, daemon)
    };
    let good = format!("shop@{}", domain("200 OK", &[], document(&keys)).await);
    let (shown, _daemon) = with_key(&good).await;
    assert_eq!(shown, json!({ "wallet_shows": good, "problem": null, "published_elsewhere": false }));

    let other = Keys::generate();
    let moved: &[&str] = &["Location: https://www.a.example/"];
    for (nip05, word) in [
        (String::new(), "no nip05 name".to_owned()),
        (format!("shop@{}", domain("200 OK", &[], document(&other)).await), other.public_key().to_hex()),
        (
            format!("shop@{}", domain("301 Moved", moved, String::new()).await),
            "redirect to https://www.a.example/".into(),
        ),
        (format!("store@{}", domain("200 OK", &[], document(&keys)).await), "does not list \"store\"".into()),
        ("shop@127.0.0.1:9".into(), "cannot be reached".into()),
    ] {
        relay.state().stored.clear();
        let (shown, daemon) = with_key(&nip05).await;
        let problem = shown["problem"].as_str().unwrap().to_owned();
        assert!(problem.contains(&word) && shown["wallet_shows"].is_null(), "{nip05}: {shown}");
        assert!(daemon.log().contains("Unknown Service"));
    }
}

#[tokio::test]
async fn a_service_on_a_subkey_says_that_only_its_main_key_can_publish_a_profile() {
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[&relay]);
    let at = |name: &str| plan.folder().join(name);
    let mut keygen = crate::support::program::portico(plan.folder());
    portico::config::key::save(&at("main.key"), &Keys::generate()).unwrap();
    keygen
        .arg("keygen")
        .arg(at("service.key"))
        .arg("--subkey-of")
        .arg(at("main.key"))
        .arg("--proof")
        .arg(at("proof.json"));
    assert_eq!(crate::support::program::finished(keygen).await.code, 0);
    let toml = format!("{SHOP}[service]\nsubkey_proof_file = \"proof.json\"\n");
    let daemon = plan.with_config(&toml).start_subscribed(&[&relay]).await;
    daemon.until_logged("[profile] is not published").await;
    let shown = standing(&daemon, "Portal's wallet shows").await;
    assert!(shown["problem"].as_str().unwrap().contains("main key"), "{shown}");
    let refused = daemon.websocket().await.command("SetProfile", json!({ "profile": { "name": "x" } })).await;
    assert_eq!(refused["code"], "conflict");
    assert_eq!(profiles(&relay.state()).len(), 0);
}

#[tokio::test]
async fn a_mistake_in_the_profile_is_named_with_its_key_and_file() {
    for (toml, key) in [
        ("[profile]\nnip05 = \"Shop@a.example\"\n", "profile.nip05: "),
        ("[profile]\npicture = \"logo.png\"\n", "profile.picture: "),
        ("[profile]\ndisplay_name = \"\"\n", "profile.display_name: "),
        ("[profile]\nnmae = \"x\"\n", "nmae"),
    ] {
        let (code, said) = Daemon::offline().with_config(toml).refusal().await;
        assert!(code == 64 && said.contains(key) && said.contains("portico.toml"), "{toml}: {said}");
    }
}
