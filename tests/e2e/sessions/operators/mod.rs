//! What operators see and change over the API: users, sessions, the audit, keys.

mod audit;
mod users;

use serde_json::{Value, json};

use super::{daemon, login::parts};
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

const NOBODY: &str = "/users/00000000-0000-7000-8000-000000000000";

async fn list(rest: &Rest, path: &str, name: &str) -> Vec<Value> {
    rest.get(path).await.data()[name].as_array().unwrap().clone()
}

/// A list read page by page, `limit` entries at a time.
async fn walk(rest: &Rest, path: &str, name: &str, limit: usize) -> Vec<Value> {
    let (mut walked, mut next) = (Vec::new(), format!("{path}limit={limit}"));
    loop {
        let page = rest.get(&next).await.data();
        let entries = page[name].as_array().unwrap();
        assert!(entries.len() <= limit, "{page}");
        walked.extend(entries.iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { return walked };
        assert_eq!(entries.len(), limit, "only the last page is short");
        next = format!("{path}limit={limit}&cursor={cursor}");
    }
}

fn column<'a>(entries: &'a [Value], name: &str) -> Vec<&'a Value> {
    entries.iter().map(|entry| &entry[name]).collect()
}

#[tokio::test]
async fn sessions_of_a_user_come_page_by_page_the_latest_first_with_how_they_ended() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let rest = daemon.rest();
    let (member, _other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let mut ids = vec![json!(member.session())];
    for _ in 0..4 {
        let login = rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
        ids.insert(0, login["session"]["id"].clone());
    }
    let path = format!("/users/{}/sessions?", member.id());
    for limit in [1, 2, 5] {
        let sessions = walk(&rest, &path, "sessions", limit).await;
        assert_eq!(column(&sessions, "id"), ids.iter().collect::<Vec<_>>(), "{limit} at a time");
        assert!(sessions.iter().all(|one| one["revoked_at"].is_null() && one["expires_at"].is_string()));
    }
    let one = ids[2].as_str().unwrap();
    for revoked in [1, 0] {
        let answer = rest.delete(&format!("/sessions/{one}"), json!({})).await;
        assert_eq!(answer.data(), json!({ "revoked": revoked }));
    }
    rest.patch(&format!("/users/{}", member.id()), json!({ "disabled": true })).await.data();
    let sessions = list(&rest, &path, "sessions").await;
    let reasons = ["user_disabled", "user_disabled", "operator", "user_disabled", "user_disabled"];
    assert_eq!(column(&sessions, "reason"), reasons);
    assert!(sessions.iter().all(|one| one["revoked_at"].is_string()));
    for path in [&format!("{NOBODY}/sessions"), "/users/nonsense/sessions"] {
        assert_eq!(rest.get(path).await.refusal(), refused(404, "no_such_user"), "{path}");
    }
    for path in ["/sessions/nonsense", "/sessions/00000000-0000-7000-8000-000000000000"] {
        assert_eq!(rest.delete(path, json!({})).await.refusal(), refused(404, "no_such_session"), "{path}");
    }
}

#[tokio::test]
async fn a_library_that_does_not_know_secp256k1_reads_the_set_of_keys_whatever_signs() {
    let curves = async |daemon: &Daemon, path: &str| -> Vec<String> {
        let set = daemon.rest().get(path).await;
        assert_eq!(set.header("content-type"), Some("application/jwk-set+json"));
        let keys = set.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["crv"].as_str().unwrap().to_owned()).collect()
    };
    let all = "/.well-known/jwks.json";
    let own = "/.well-known/portico/secp256k1.json";
    let mut daemon = Daemon::offline().start().await;
    assert_eq!(curves(&daemon, all).await, ["P-256", "P-256"]);
    assert_eq!(curves(&daemon, own).await, ["secp256k1"]);
    let service = daemon.rest().get(own).await.json()["keys"][0].clone();
    assert!(daemon.terminate().await.success());

    std::fs::write(daemon.folder().join("portico.toml"), "[access]\nalgorithm = \"ES256K\"\n").unwrap();
    let daemon = daemon.restart().await;
    assert_eq!(curves(&daemon, all).await, ["P-256"], "the key before, whose tokens may still hold");
    assert_eq!(curves(&daemon, own).await, ["secp256k1"; 3]);
    assert_eq!(daemon.rest().get(own).await.json()["keys"][2], service);
}

#[tokio::test]
async fn a_rotated_key_was_published_signs_at_once_and_the_one_before_still_verifies() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let old = parts(member.access_token()).0["kid"].clone();
    let known = rest.get("/.well-known/jwks.json").await.json();
    let new = rest.post("/keys/rotate", json!({})).await.data()["key"].clone();
    assert_eq!((&new["alg"], &new["retired_at"]), (&json!("ES256"), &Value::Null));
    assert_eq!((&known["keys"][0]["kid"], &known["keys"][1]["kid"]), (&old, &new["kid"]));
    assert_ne!(new["kid"], old);

    let keys = list(&rest, "/keys", "keys").await;
    assert_eq!(column(&keys, "kid"), [&new["kid"], &keys[1]["kid"], &old]);
    assert_eq!(column(&keys, "state"), ["signs", "next", "retired"]);
    assert_eq!((&keys[0]["retired_at"], keys[2]["retired_at"].is_string()), (&Value::Null, true));
    let jwks = rest.get("/.well-known/jwks.json").await;
    assert_eq!(jwks.header("content-type"), Some("application/jwk-set+json"));
    let jwks = jwks.json();
    for kid in column(&keys, "kid") {
        let published = jwks["keys"].as_array().unwrap().iter().filter(|key| &key["kid"] == kid);
        assert_eq!(published.count(), 1, "{jwks}");
    }
    assert!(!jwks.to_string().contains("\"d\""), "no key is published with its secret");

    rest.post("/auth/verify", member.both()).await.data();
    let renewed = rest.post("/auth/refresh", member.both()).await.data();
    assert_eq!(parts(renewed["access_token"].as_str().unwrap()).0["kid"], new["kid"]);
}
