//! Bounds of what is kept of tokens, and of what waits for the webhook's receiver.

use nostr_sdk::Keys;
use serde_json::json;
use tokio::net::TcpListener;

use super::{assert_told_to_wait, reached};
use crate::support::daemon::Daemon;
use crate::support::rest::Answer;
use crate::support::soon;

async fn issue(daemon: &Daemon, hours: u64) -> String {
    let body = json!({ "target_key": Keys::generate().public_key(), "duration_hours": hours });
    daemon.rest().post("/jwt/issue", body).await.data()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn revocations_beyond_the_bound_are_refused_until_the_first_token_has_expired() {
    let daemon = Daemon::on(&[]).with_config("[tokens]\nmax_revocations = 1\n").start().await;
    let (first, second) = (issue(&daemon, 1).await, issue(&daemon, 2).await);
    daemon.rest().post("/jwt/revoke", json!({ "token": first })).await.data();
    assert_told_to_wait(&daemon.rest().post("/jwt/revoke", json!({ "token": second })).await, 3600);
    assert_eq!(reached(&daemon, "revocations").await, 1.0);
    let us = daemon.public_key().await;
    assert_eq!(
        daemon.rest().verify(&us, &first).await.refusal().1,
        "token_revoked",
        "what was revoked stays so"
    );
    daemon.rest().verify(&us, &second).await.data();
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_stops_new_requests_and_loses_no_event() {
    // A port that nobody listens on any more.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config =
        format!("[webhook]\nurl = \"http://{dead}/\"\nsecret = \"0123456789abcdef\"\nmax_waiting = 1\n");
    let daemon = Daemon::offline().with_config(&config).start().await;
    let (_, stream) = daemon.rest().login(json!({})).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    let refused = soon("new requests to be refused", async {
        loop {
            let answer: Answer = daemon.rest().post("/login", json!({})).await;
            if answer.status != 201 {
                return answer;
            }
        }
    });
    assert_told_to_wait(&refused.await, 2);
    assert!(reached(&daemon, "webhook_waiting").await >= 1.0);
    assert!(daemon.metric("portico_webhook_waiting").await >= 1.0);
    assert_eq!(daemon.rest().get("/webhooks").await.data()["waiting"], 1, "it is still owed");
    daemon.rest().post("/webhooks/drop", json!({ "all": true })).await.data();
    let free = async { while daemon.rest().post("/login", json!({})).await.status != 201 {} };
    soon("room for new requests", free).await;
}
