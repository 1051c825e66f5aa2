//! The audit: who did what, and no token.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::{column, list, walk};
use crate::sessions::{daemon, with_sessions};
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

/// Whose word the audit has for what this test does.
fn us(daemon: &Daemon) -> String {
    format!("unix uid {}", std::fs::metadata(daemon.folder()).unwrap().uid())
}

#[tokio::test]
async fn the_audit_names_who_did_what_with_before_and_after() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let (rest, path) = (daemon.rest(), format!("/users/{}", member.id()));
    rest.patch(&path, json!({ "roles": ["b", "a"], "username": "Zoë" })).await.data();
    rest.patch(&path, json!({ "roles": ["a", "b"] })).await.data();
    rest.delete(&format!("/sessions/{}", member.session()), json!({})).await.data();
    rest.post(&format!("{path}/revoke-sessions"), json!({})).await.data();
    rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    rest.post(&format!("{path}/revoke-sessions"), json!({})).await.data();
    rest.patch(&path, json!({ "disabled": true, "username": null })).await.data();
    rest.delete(&path, json!({})).await.data();
    let key = rest.post("/keys/rotate", json!({})).await.data()["key"]["kid"].clone();

    let records = list(&rest, "/audit", "records").await;
    let about = |kind: &str, session: Value, reason: Value, detail: Value, actor: &str| {
        json!([kind, member.id(), "portal", member.phone.key().to_hex(), session, reason, detail, actor])
    };
    let (us, none) = (us(&daemon), Value::Null);
    let told: Vec<_> = records
        .iter()
        .map(|one| {
            json!([
                one["kind"],
                one["user_id"],
                one["provider"],
                one["wallet_id"],
                one["session_id"],
                one["reason"],
                one["detail"],
                one["actor"]
            ])
        })
        .collect();
    let second = records[4]["session_id"].clone();
    let out = json!({
        "disabled": { "before": false, "after": true },
        "username": { "before": "Zoë", "after": null },
    });
    let named = json!({
        "roles": { "before": [], "after": ["a", "b"] },
        "username": { "before": null, "after": "Zoë" },
    });
    assert_eq!(told[0], json!(["keys_rotated", null, null, null, null, null, { "kid": key }, us]));
    assert_eq!(told[1], about("user_deleted", none.clone(), none.clone(), none.clone(), &us));
    assert_eq!(told[2], about("user_changed", none.clone(), none.clone(), out, &us));
    assert_eq!(told[3], about("sessions_revoked", second.clone(), json!("operator"), none.clone(), &us));
    assert_eq!(told[4], about("login", second, none.clone(), none.clone(), &us));
    let first = json!(member.session());
    assert_eq!(told[5], about("sessions_revoked", first.clone(), json!("operator"), none.clone(), &us));
    assert_eq!(told[6], about("user_changed", none.clone(), none.clone(), named, &us));
    assert_eq!(column(&records[7..], "session_id"), [&json!(other.session()), &first]);
    assert_eq!(told[8], about("login", first, none.clone(), none, "wallet"));
    assert_eq!(told.len(), 9, "what changed nothing is not told");
    let numbers: Vec<_> = records.iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|later, earlier| later > earlier), "{numbers:?}");
}

#[tokio::test]
async fn the_audit_is_searched_by_user_session_kind_and_time_page_by_page() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let rest = daemon.rest();
    for roles in [["a"], ["b"], ["c"]] {
        rest.patch(&format!("/users/{}", member.id()), json!({ "roles": roles })).await.data();
    }
    rest.delete(&format!("/sessions/{}", other.session()), json!({})).await.data();
    let all = list(&rest, "/audit", "records").await;
    for limit in [1, 2, 6, 7] {
        assert_eq!(walk(&rest, "/audit?", "records", limit).await, all, "{limit} at a time");
    }
    let at = |record: usize| all[record]["timestamp"].as_str().unwrap();
    // Records of the same millisecond belong together.
    let from = |moment: &str| all.iter().filter(|one| one["timestamp"].as_str().unwrap() >= moment).count();
    for (filter, expected) in [
        (format!("user={}&", member.id()), vec![1, 2, 3, 5]),
        (format!("session={}&", other.session()), vec![0, 4]),
        ("kind=user_changed&".to_owned(), vec![1, 2, 3]),
        (format!("kind=login&user={}&", other.id()), vec![4]),
        ("kind=keys_rotated&".to_owned(), vec![]),
        (format!("since={}&", at(3)), (0..from(at(3))).collect()),
        (format!("until={}&", at(3)), (from(at(3))..6).collect()),
        ("since=2099-01-01T00:00:00Z&".to_owned(), vec![]),
    ] {
        let found = walk(&rest, &format!("/audit?{filter}"), "records", 2).await;
        let expected: Vec<_> = expected.into_iter().map(|at| all[at].clone()).collect();
        assert_eq!(found, expected, "{filter}");
    }
    for wrong in ["kind=nonsense", "user=x", "session=x", "since=yesterday", "cursor=x", "limit=0", "who=x"] {
        let answer = rest.get(&format!("/audit?{wrong}")).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{wrong}");
    }
}

#[tokio::test]
async fn whoever_reads_the_log_the_audit_or_the_file_learns_no_token() {
    let relay = TestRelay::start().await;
    let config = "[sessions]\nenabled = true\n[log]\nlevel = \"trace,portico=trace\"\n";
    let daemon = with_sessions(&relay).with_config(config).start_subscribed(&[&relay]).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let rest = daemon.rest();
    let again = rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    let renewed = rest.post("/auth/refresh", member.both()).await.data();
    let pair = json!({ "access_token": member.access_token(), "credential": other.credential });
    assert_eq!(rest.post("/auth/verify", pair.clone()).await.refusal(), refused(401, "session_mismatch"));
    assert_eq!(rest.post("/auth/refresh", pair).await.refusal(), refused(401, "session_mismatch"));
    let wrong = json!({ "credential": member.access_token() });
    assert_eq!(rest.post("/auth/login", wrong).await.status.as_u16(), 401);
    // A token where none belongs is not repeated either.
    for path in [&format!("/users/{}", member.access_token()), &format!("/sessions/{}", member.credential)] {
        assert!(rest.delete(path, json!({})).await.status.is_client_error());
    }
    rest.post("/auth/logout", json!({ "access_token": again["access_token"] })).await.data();
    let last = rest.clone().with("x-request-id", "the-last");
    last.post(&format!("/users/{}/revoke-sessions", member.id()), json!({})).await.data();
    daemon.until_logged("the-last").await;

    let audit = rest.get("/audit").await.text;
    let mut files = std::fs::read(daemon.database()).unwrap();
    files.extend(std::fs::read(daemon.database().with_extension("db-wal")).unwrap());
    let files = String::from_utf8_lossy(&files);
    let tokens = [&again["access_token"], &renewed["access_token"]].map(|token| token.as_str().unwrap());
    for token in tokens.into_iter().chain([member.access_token(), &member.credential, &other.credential]) {
        let signature = token.rsplit('.').next().unwrap();
        for (what, text) in [("log", &*daemon.log()), ("audit", &audit), ("database", &files)] {
            assert!(!text.contains(signature), "{token} is in the {what}");
        }
    }
    assert!(audit.contains(member.id()) && files.contains("portal"), "this looks where it should");
}
