//! Answers of wallets that know more than we do.

use nostr_sdk::Kind;
use portico::protocol::{Content, kind};
use serde::Serialize;
use serde_json::{Value, json};

use super::types;
use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;

/// An answer with any content.
#[derive(Serialize)]
#[serde(transparent)]
struct Answer(Value);

impl Content for Answer {
    const KIND: Kind = kind::AUTH_RESPONSE;
}

/// The last event of a login that was answered with this status, completed with the wallet's token.
async fn end_of_login(daemon: &Daemon, mut status: Value) -> Value {
    let (mut phone, asked, stream) = asked_to_log_in(daemon).await;
    if status["status"] == "approved" {
        status["session_token"] = phone.token_for(&asked.event.pubkey).into();
    }
    let answer = Answer(json!({ "challenge": asked.challenge.challenge, "status": status }));
    let event = phone.sealed(&asked.event.pubkey, None, &answer);
    phone.send(&event).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    events[1]["status"].clone()
}

#[tokio::test]
async fn an_approval_that_grants_what_nobody_here_knows_logs_in_at_once() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    for (granted, told) in [
        (json!(["read", { "spend": { "limit": 5 } }, 7]), json!(["read"])),
        (json!({ "spend": true }), json!([])),
        (json!(vec!["p"; 65]), json!(vec!["p"; 64])),
    ] {
        let status = json!({ "status": "approved", "granted_permissions": granted });
        let told_status = end_of_login(&daemon, status).await;
        assert_eq!(
            (&told_status["status"], &told_status["granted_permissions"]),
            (&json!("approved"), &told)
        );
    }
}

#[tokio::test]
async fn a_refusal_whose_reason_is_no_text_ends_the_login_at_once() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let status = end_of_login(&daemon, json!({ "status": "declined", "reason": { "code": 1 } })).await;
    assert_eq!(status["status"], "declined");
}
