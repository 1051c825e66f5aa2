//! A subkey counts until its proof expires, also for a thief who has it.

use nostr_sdk::{Keys, PublicKey};
use serde_json::{Value, json};

use super::daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};
use crate::support::{now, soon};

/// How long the subkeys here are valid, in seconds: long enough to log in once on a busy machine.
const LIFETIME: u64 = 8;

/// What all questions about the thief's tokens must be answered with.
async fn nobody_believes(rest: &Rest, thief: &Phone, us: &PublicKey, login: &Value, first: &str) {
    for token in [
        first.to_owned(),
        thief.token(us, now(), 7 * 24 * 3600),
        // It says that it was signed while the subkey was valid.
        thief.token(us, now() - LIFETIME - 2, 3600),
    ] {
        let credential = json!({ "credential": token });
        let both = json!({ "access_token": login["access_token"], "credential": token });
        for (path, ask) in [
            ("/auth/login", &credential),
            ("/auth/refresh", &credential),
            ("/auth/refresh", &both),
            ("/auth/verify", &both),
        ] {
            let answer = rest.post(path, ask.clone()).await;
            assert_eq!(answer.refusal(), refused(401, "session_expired"), "{path}: {answer:?}");
        }
        for asked_about in [us.to_hex(), thief.key().to_hex()] {
            let answer = rest.verify(asked_about, &token).await;
            assert_eq!(answer.refusal(), refused(400, "token_expired"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_thief_with_an_expired_subkey_cannot_log_in_whatever_time_its_tokens_name() {
    let relay = TestRelay::start().await;
    let mut daemon = daemon(&relay).await;
    let rest = daemon.rest();
    let main = Keys::generate();
    let expires_at = now() + LIFETIME;
    let mut thief = Phone::on_subkey(&main, |metadata| metadata.expires_at = expires_at);
    thief.connect(&relay.url()).await;
    let (url, stream) = rest.login(json!({})).await;
    let mut user = Phone::with(main.clone(), None);
    user.scan(&url).await;
    let asked = user.challenge().await;
    let proof = thief.proof().clone();
    thief.prove(&asked.event, &proof).await;
    let asked = thief.challenge().await;
    let (us, first) = (asked.event.pubkey, thief.token_for(&asked.event.pubkey));
    thief.approve_with(&asked, first.clone()).await;
    let approved = daemon.ended(&stream).await.pop().unwrap();
    assert_eq!(approved["user_key"], json!(main.public_key()));
    // Nobody is told a later end than that of the subkey.
    assert_eq!(approved["session"]["expires_at"], expires_at);
    let login = &approved["login"];
    assert!(login["expires_in"].as_u64().unwrap() <= LIFETIME, "{login}");
    let active = rest.verify(us.to_hex(), &first).await.data();
    assert_eq!(
        (&active["target_key"], &active["expires_at"]),
        (&json!(main.public_key()), &json!(expires_at))
    );

    soon("the subkey to expire", async {
        while rest.verify(us.to_hex(), &first).await.status.is_success() {}
    })
    .await;
    nobody_believes(&rest, &thief, &us, login, &first).await;
    // What is kept in memory says no more than what is stored.
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    nobody_believes(&daemon.rest(), &thief, &us, login, &first).await;
}

/// The proof and the answer are two messages, and there is time between them.
#[tokio::test]
async fn a_subkey_that_expires_after_its_proof_cannot_approve_any_more() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let mut user = Phone::new();
    user.connect(&relay.url()).await;
    let expires_at = now() + LIFETIME;
    let on_subkey = Phone::on_subkey(user.keys(), |metadata| metadata.expires_at = expires_at);
    // Its answers carry no proof.
    let mut thief = Phone::with(on_subkey.keys().clone(), None);
    thief.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(user.key()).await;
    let asked = user.challenge().await;
    thief.prove(&asked.event, on_subkey.proof()).await;
    let asked_too = thief.challenge().await;
    soon("the subkey to expire", async {
        while now() < expires_at {
            daemon.rest().get("/health").await;
        }
    })
    .await;
    thief.approve(&asked_too).await;
    // Over the thief's connection, so that it comes after the approval.
    let no = user.answer(&asked, &asked.challenge.challenge, declined());
    thief.send(&no).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((events.len(), &events[0]["recipient"]), (1, &json!(user.key())), "{events:?}");
}

fn declined() -> portico::protocol::AuthStatus {
    portico::protocol::AuthStatus::Declined { reason: None }
}
