//! `portico identity`: what wallets show of the service, told without a daemon.

use nostr_sdk::{Event, EventBuilder, Keys, Kind, Metadata};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::Daemon;
use crate::support::domain::domain;
use crate::support::program::{Finished, finished, portico};
use crate::support::relay::TestRelay;

/// A folder with a configuration, a key and these relays.
fn service(keys: &Keys, relays: &[&TestRelay], toml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let list: String = relays.iter().map(|relay| format!("[[relay]]\nurl = \"{}\"\n", relay.url())).collect();
    let toml = format!("{toml}\n[lookup]\nallow_private = true\n");
    std::fs::write(folder.path().join("relays.toml"), list).unwrap();
    std::fs::write(folder.path().join("portico.toml"), toml).unwrap();
    portico::config::key::save(&folder.path().join(".config/portico/service.key"), keys).unwrap();
    folder
}

async fn identity(folder: &TempDir, command: &[&str]) -> Finished {
    let mut program = portico(folder.path());
    program.arg("identity").args(command);
    finished(program).await
}

/// The exit code of a check and what it found.
async fn check(folder: &TempDir) -> (i32, Value) {
    let checked = identity(folder, &["check", "--timeout", "3s", "--json"]).await;
    (checked.code, serde_json::from_str(&checked.stdout).unwrap_or_else(|_| panic!("{checked:?}")))
}

fn profile(keys: &Keys, nip05: Option<&str>) -> Event {
    let metadata = Metadata { nip05: nip05.map(str::to_owned), ..Metadata::new().name("shop") };
    EventBuilder::metadata(&metadata).sign_with_keys(keys).unwrap()
}

async fn document(key: &Keys) -> String {
    let document = json!({ "names": { "shop": key.public_key() } }).to_string();
    format!("shop@{}", domain("200 OK", &["Access-Control-Allow-Origin: *"], document).await)
}

#[tokio::test]
async fn a_check_says_what_a_wallet_shows_for_each_relay() {
    let (with, without) = (TestRelay::start().await, TestRelay::start().await);
    let keys = Keys::generate();
    let folder = service(&keys, &[&with, &without], "");
    let (code, found) = check(&folder).await;
    assert_eq!((code, &found["wallet_shows"]), (1, &json!(null)));
    assert!(found["problem"].as_str().unwrap().contains("no relay has a profile"), "{found}");

    let name = document(&keys).await;
    with.publish(&profile(&keys, Some(&name)));
    let (code, found) = check(&folder).await;
    assert_eq!((code, &found["wallet_shows"]), (0, &json!(name)));
    assert_eq!(found["relays"][0]["profile"]["name"], "shop");
    assert_eq!(found["relays"][1]["profile"], json!(null));
    assert!(found["notes"][0].as_str().unwrap().contains(without.url().as_str()), "{found}");

    let shown = identity(&folder, &["check"]).await;
    assert!(shown.stdout.contains(&format!("verdict      Portal's wallet shows {name}")), "{shown:?}");
}

#[tokio::test]
async fn each_reason_for_an_unknown_service_is_told() {
    let relay = TestRelay::start().await;
    let (keys, other) = (Keys::generate(), Keys::generate());
    let folder = service(&keys, &[&relay], "");
    let moved: &[&str] = &["Location: https://www.a.example/"];
    for (nip05, word) in [
        (None, "no nip05 name".to_owned()),
        (Some(document(&other).await), other.public_key().to_hex()),
        (Some("shop@127.0.0.1:9".into()), "cannot be reached".into()),
        (Some(format!("shop@{}", domain("302 Found", moved, String::new()).await)), "redirect".into()),
        (Some(format!("shop@{}", domain("200 OK", &[], "<html>".into()).await)), "not a JSON object".into()),
    ] {
        relay.state().stored.clear();
        relay.publish(&profile(&keys, nip05.as_deref()));
        let (code, found) = check(&folder).await;
        let problem = found["problem"].as_str().unwrap();
        assert!(code == 1 && problem.contains(&word) && problem.contains("Unknown Service"), "{found}");
    }
}

#[tokio::test]
async fn relays_that_differ_and_documents_that_web_pages_cannot_read_are_told() {
    let (new, old) = (TestRelay::start().await, TestRelay::start().await);
    let keys = Keys::generate();
    let document = json!({ "names": { "shop": keys.public_key() } }).to_string();
    let name = format!("shop@{}", domain("200 OK", &[], document).await);
    let folder = service(&keys, &[&new, &old], "");
    new.publish(&profile(&keys, Some(&name)));
    old.publish(&profile(&keys, None));
    let (code, found) = check(&folder).await;
    let problem = found["problem"].as_str().unwrap();
    assert!(code == 1 && problem.contains("first that arrives") && problem.contains(&name), "{found}");
    assert!(found["notes"][0].as_str().unwrap().contains("Access-Control-Allow-Origin"), "{found}");
}

#[tokio::test]
async fn a_hostile_relay_cannot_show_somebody_elses_profile() {
    let relay = TestRelay::start().await;
    let (keys, other) = (Keys::generate(), Keys::generate());
    let name = document(&keys).await;
    let mut forged = profile(&other, Some(&name));
    forged.pubkey = keys.public_key();
    relay.state().stored.push(forged);
    let (code, found) = check(&service(&keys, &[&relay], "")).await;
    assert!(code == 1 && found["relays"][0]["problem"].as_str().unwrap().contains("tampered"), "{found}");
}

#[tokio::test]
async fn a_relay_that_nobody_is_at_is_told_and_without_a_key_there_is_nothing_to_check() {
    let keys = Keys::generate();
    let mut relay = TestRelay::start().await;
    relay.stop();
    let folder = service(&keys, &[&relay], "");
    let (code, found) = check(&folder).await;
    assert!(code == 1 && found["problem"].as_str().unwrap().contains("no relay answers"), "{found}");
    std::fs::remove_file(folder.path().join(".config/portico/service.key")).unwrap();
    let refused = identity(&folder, &["check"]).await;
    assert!(refused.code == 64 && refused.stderr.contains("service.key"), "{refused:?}");
}

#[tokio::test]
async fn the_profile_of_a_main_key_is_published_by_hand() {
    let relay = TestRelay::start().await;
    let main = Keys::generate();
    let folder = service(
        &Keys::generate(),
        &[&relay],
        "[profile]\nname = \"shop\"\n[service]\nkey_file = \"sub.key\"\nsubkey_proof_file = \"proof.json\"\n",
    );
    portico::config::key::save(&folder.path().join("main.key"), &main).unwrap();
    let mut keygen = portico(folder.path());
    keygen.args(["keygen", "sub.key", "--subkey-of", "main.key", "--proof", "proof.json"]);
    assert_eq!(finished(keygen).await.code, 0);

    let refused = identity(&folder, &["publish"]).await;
    assert!(refused.code == 64 && refused.stderr.contains("subkey"), "{refused:?}");
    let older = profile(&main, Some("old@a.example"));
    relay.publish(&older);
    let published = identity(&folder, &["publish", "--key-file", "main.key"]).await;
    assert_eq!(published.code, 0, "{published:?}");
    let newest = relay.state().stored.last().unwrap().clone();
    assert!(newest.pubkey == main.public_key() && newest.kind == Kind::Metadata);
    assert!(newest.created_at > older.created_at, "relays keep the later one");
    assert_eq!(newest.content, "{\"name\":\"shop\"}");
}

#[tokio::test]
async fn what_was_published_by_hand_is_the_daemons_from_then_on() {
    let relay = TestRelay::start().await;
    let toml = "[profile]\nname = \"shop\"\n";
    let daemon = Daemon::on(&[&relay]).with_config(toml).start_subscribed(&[&relay]).await;
    daemon.until_logged("profile published").await;
    let keys = Keys::parse(&daemon.secret()).unwrap();
    let folder = service(&keys, &[&relay], toml);
    let published = identity(&folder, &["publish"]).await;
    assert_eq!(published.code, 0, "{published:?}");
    let newest = relay.state().stored.last().unwrap().id;
    relay.close_all();
    daemon.until_logged("keeps it there from now on").await;
    // The relay loses everything; what comes back is what was published last.
    relay.state().stored.clear();
    relay.close_all();
    relay.until("the profile", |state| state.stored.iter().any(|event| event.id == newest)).await;
    drop(daemon);
}
