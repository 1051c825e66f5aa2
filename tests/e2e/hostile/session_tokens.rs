//! Approvals with a session token that is no good.

use nostr_sdk::{Keys, PublicKey};
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

type Forge = fn(&Phone, &PublicKey) -> String;

const HOUR: u64 = 3600;

/// Bad tokens, and what is wrong with each.
const BAD: &[(Forge, &str)] = &[
    (|_, _| "garbage".into(), "malformed_token"),
    (|_, _| String::new(), "malformed_token"),
    (|_, _| format!("{0}.{0}.{0}", "A".repeat(6_000)), "malformed_token"),
    (
        |phone, us| format!("eyJhbGciOiJub25lIn0{}", without_header(&phone.token_for(us))),
        "unsupported_algorithm",
    ),
    (|_, us| Phone::new().token_for(us), "invalid_signature"),
    (|phone, us| swapped_claims(&phone.token_for(us), &phone.token(us, now(), HOUR)), "invalid_signature"),
    (|phone, us| phone.token(us, now() - 2 * HOUR, HOUR), "token_expired"),
    (|phone, us| phone.token(us, now() + HOUR, HOUR), "token_not_yet_valid"),
    (|phone, us| phone.token(us, now(), 31 * 24 * HOUR), "lifetime_too_long"),
    (|phone, _| phone.token_for(&Keys::generate().public_key()), "wrong_audience"),
    (|phone, _| phone.token_for(&phone.key()), "wrong_audience"),
];

fn without_header(token: &str) -> &str {
    &token[token.find('.').unwrap()..]
}

/// The claims of one token under the signature of another.
fn swapped_claims(token: &str, other: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    [parts[0], others[1], parts[2]].join(".")
}

#[tokio::test]
async fn an_approval_with_a_bad_session_token_ends_as_an_error_that_says_why() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    for (forge, detail) in BAD {
        let mut phone = Phone::new();
        phone.connect(&relay.url()).await;
        let stream = daemon.rest().authenticate(phone.key()).await;
        let asked = phone.challenge().await;
        let token = forge(&phone, &asked.event.pubkey);
        phone.approve_with(&asked, token.clone()).await;
        // It is over: a good token that follows is too late, even in the same breath.
        phone.approve(&asked).await;
        let events = daemon.ended(&stream).await;
        assert_eq!(events.len(), 1, "{detail}");
        assert_eq!(events[0]["type"], "error", "{detail}");
        assert_eq!(
            (&events[0]["code"], &events[0]["detail"]),
            (&json!("session_token_invalid"), &json!(detail)),
        );
        if token.len() > 20 {
            assert!(!events[0].to_string().contains(&token), "the token is not repeated");
        }
    }
}

#[tokio::test]
async fn a_websocket_client_hears_what_is_wrong_with_a_session_token() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut socket = daemon.websocket().await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let command = socket.send("AuthenticateKey", json!({ "main_key": phone.key(), "subkeys": [] })).await;
    let asked = phone.challenge().await;
    phone.approve_with(&asked, phone.token(&asked.event.pubkey, now() - 2 * HOUR, HOUR)).await;
    let answer = socket.answer(&command).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("session_token_invalid")));
    assert_eq!(answer["detail"], "token_expired");
}

#[tokio::test]
async fn a_token_that_was_revoked_logs_nobody_in_again() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let rest = daemon.rest();
    let us = PublicKey::parse(&daemon.public_key().await).unwrap();
    let token = phone.token_for(&us);
    rest.post("/jwt/revoke", json!({ "token": token })).await.data();
    let stream = rest.authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    phone.approve_with(&asked, token).await;
    assert_eq!(daemon.ended(&stream).await[0]["detail"], "token_revoked");
}
