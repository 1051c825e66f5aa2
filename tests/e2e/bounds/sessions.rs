//! Bounds of users, sessions and keys.

use serde_json::{Value, json};

use super::{assert_told_to_wait, reached};
use crate::sessions::SESSIONS;
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, refused};
use crate::support::soon;

/// A daemon with sessions, and with this in `[sessions]`.
async fn daemon(relay: &TestRelay, config: &str) -> Daemon {
    let config = format!("{SESSIONS}{config}\n");
    Daemon::on(&[relay]).with_config(&config).start_subscribed(&[relay]).await
}

async fn verify(daemon: &Daemon, credential: &str, login: &Value) -> Answer {
    let both = json!({ "access_token": login["access_token"], "credential": credential });
    daemon.rest().post("/auth/verify", both).await
}

#[tokio::test]
async fn a_user_with_too_many_sessions_loses_the_oldest_and_no_other() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay, "max_per_user = 2").await;
    let Member { credential, login: first, .. } = Member::of(&daemon).await;
    let again = json!({ "credential": credential });
    let second = daemon.rest().post("/auth/login", again.clone()).await.data();
    verify(&daemon, &credential, &first).await.data();
    let third = daemon.rest().post("/auth/login", again).await.data();

    let answer = verify(&daemon, &credential, &first).await;
    assert_eq!(answer.refusal(), refused(401, "session_revoked"));
    let told = daemon.ended(first["session"]["id"].as_str().unwrap()).await;
    assert_eq!((&told[1]["type"], &told[1]["reason"]), (&json!("session_revoked"), &json!("superseded")));
    for login in [second, third] {
        verify(&daemon, &credential, &login).await.data();
    }
    assert_eq!(reached(&daemon, "sessions_per_user").await, 1.0);
}

#[tokio::test]
async fn a_wallet_that_logs_in_or_renews_without_end_is_told_to_wait_and_its_session_goes_on() {
    let relay = TestRelay::start().await;
    for (path, config, limit) in [
        ("/auth/login", "max_logins_per_wallet = 1", "logins_per_wallet"),
        ("/auth/refresh", "max_refreshes_per_wallet = 1", "refreshes_per_wallet"),
    ] {
        let daemon = daemon(&relay, &format!("{config}\nwindow = \"5m\"")).await;
        let Member { credential, login, .. } = Member::of(&daemon).await;
        let shown = json!({ "credential": credential });
        daemon.rest().post(path, shown.clone()).await.data();
        assert_told_to_wait(&daemon.rest().post(path, shown).await, 300);
        assert_eq!(reached(&daemon, limit).await, 1.0, "{limit}");
        verify(&daemon, &credential, &login).await.data();
        // Nor is it another wallet's fault.
        let other = Member::of(&daemon).await;
        daemon.rest().post(path, json!({ "credential": other.credential })).await.data();
    }
}

#[tokio::test]
async fn keys_that_are_rotated_without_end_are_kept_for_their_tokens_until_there_is_no_room() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay, "").await;
    let Member { credential, login, .. } = Member::of(&daemon).await;
    let rotate = || async { daemon.rest().post("/keys/rotate", json!({})).await };
    for _ in 2..16 {
        rotate().await.data();
    }
    assert_told_to_wait(&rotate().await, 30 * 24 * 3600);
    assert_eq!(reached(&daemon, "signing_keys").await, 1.0);
    verify(&daemon, &credential, &login).await.data();
    let renewed = daemon.rest().post("/auth/refresh", json!({ "credential": credential })).await.data();
    verify(&daemon, &credential, &renewed).await.data();
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_audit_and_each_is_counted() {
    /// More than the audit takes in a minute, wherever in it the flood begins: twice as many, and one.
    const MOST: usize = 2_001;

    let daemon = Daemon::on(&[]).with_config(SESSIONS).start().await;
    let mut refusals = 0;
    let flood = async {
        while reached(&daemon, "audited_refusals").await == 0.0 {
            for _ in 0..100 {
                let answer = daemon.rest().post("/auth/login", json!({ "credential": "x" })).await;
                assert_eq!(answer.refusal(), refused(401, "malformed_token"));
            }
            refusals += 100;
            assert!(refusals <= MOST + 100, "the audit takes them all");
        }
    };
    soon("the audit to be full", flood).await;
    let counted = "portico_session_checks_total{at=\"login\",provider=\"portal\",result=\"malformed_token\"}";
    assert_eq!(daemon.metric(counted).await, f64::from(refusals as u32));
}
