//! Messages that must never approve a login or complete a stream, from any sender.
//!
//! That something has no effect is shown without waiting for it: after the hostile message the right wallet
//! answers over the same connection, and the stream must hold that answer and nothing else.

mod prompts;
mod session_tokens;
mod subkey_proofs;

use nostr_sdk::{Event, JsonUtil};
use portico::protocol::{AuthResponse, AuthStatus, kind};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::phone::{Asked, Phone, approved};
use crate::support::relay::TestRelay;

/// A daemon, a relay, and a user who is asked.
struct Scene {
    relay: TestRelay,
    daemon: Daemon,
    user: Phone,
    stream: String,
    asked: Asked,
}

impl Scene {
    async fn set() -> Self {
        let relay = TestRelay::start().await;
        let daemon = Daemon::start(&[&relay]).await;
        let mut user = Phone::new();
        user.connect(&relay.url()).await;
        let stream = daemon.rest().authenticate(user.key()).await;
        let asked = user.challenge().await;
        Self { relay, daemon, user, stream, asked }
    }

    /// The user declines; that must be all that ever happened.
    async fn ends_with_the_users_no_alone(mut self) {
        self.user.decline(&self.asked, Some("it was not me")).await;
        let events = self.daemon.ended(&self.stream).await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["recipient"], self.user.key().to_hex());
        assert_eq!(events[0]["status"], json!({ "status": "declined", "reason": "it was not me" }));
    }
}

#[tokio::test]
async fn a_stranger_who_learned_the_challenge_cannot_approve_it() {
    let scene = Scene::set().await;
    let mut stranger = Phone::new();
    stranger.connect(&scene.relay.url()).await;
    stranger.approve(&scene.asked).await;
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn a_user_who_is_asked_too_cannot_answer_for_another_user() {
    let scene = Scene::set().await;
    let mut other = Phone::new();
    other.connect(&scene.relay.url()).await;
    let theirs = scene.daemon.rest().authenticate(other.key()).await;
    let asked = other.challenge().await;
    other.approve(&scene.asked).await;
    other.approve(&asked).await;
    let events = scene.daemon.ended(&theirs).await;
    assert_eq!((events.len(), &events[0]["user_key"]), (1, &json!(other.key())));
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn one_approval_completes_one_request_and_not_the_one_an_attacker_started_beside_it() {
    let mut scene = Scene::set().await;
    let attackers = scene.daemon.rest().authenticate(scene.user.key()).await;
    let second = scene.user.challenge().await;
    scene.user.approve(&second).await;
    let events = scene.daemon.ended(&attackers).await;
    assert_eq!(events[0]["challenge"], second.challenge.challenge);
    assert_ne!(second.challenge.challenge, scene.asked.challenge.challenge);
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn an_answer_to_a_challenge_that_was_never_asked_approves_nothing() {
    let mut scene = Scene::set().await;
    let token = scene.user.token_for(&scene.asked.event.pubkey);
    let never = "A".repeat(32);
    for challenge in [never.as_str(), "", "short", &"é".repeat(16), &"x".repeat(200)] {
        let answer = scene.user.answer(&scene.asked, challenge, approved(token.clone()));
        scene.user.send(&answer).await;
    }
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn an_answer_that_comes_after_the_deadline_changes_nothing() {
    let relay = TestRelay::start().await;
    let config = "[auth]\nchallenge_ttl = \"2s\"\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let mut user = Phone::new();
    user.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(user.key()).await;
    let asked = user.challenge().await;
    let events = daemon.ended(&stream).await;
    assert_eq!((&events[0]["type"], &events[0]["code"]), (&json!("error"), &json!("timed_out")));
    user.approve(&asked).await;
    let (url, marker) = daemon.rest().key_handshake(json!({})).await;
    user.scan(&url).await;
    daemon.ended(&marker).await;
    assert_eq!(daemon.ended(&stream).await, events);
}

#[tokio::test]
async fn plain_json_in_place_of_ciphertext_approves_nothing() {
    let mut scene = Scene::set().await;
    let token = scene.user.token_for(&scene.asked.event.pubkey);
    let challenge = scene.asked.challenge.challenge.clone();
    let response = AuthResponse { challenge, subkey_proof: None, status: approved(token) };
    let json = serde_json::to_string(&response).unwrap();
    let event = scene.user.plain(kind::AUTH_RESPONSE, &scene.asked.event.pubkey, &json);
    scene.user.send(&event).await;
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn a_hostile_relay_cannot_forge_an_answer_under_an_id_that_is_known() {
    let mut scene = Scene::set().await;
    let service = scene.asked.event.pubkey;
    // An event of the user's that the daemon has seen and verified, so that its id is known.
    let (url, scanned) = scene.daemon.rest().key_handshake(json!({})).await;
    let known = scene.user.scan(&url).await;
    scene.daemon.ended(&scanned).await;

    let token = scene.user.token_for(&service);
    let approval = scene.user.answer(&scene.asked, &scene.asked.challenge.challenge, approved(token));
    let mut stranger = Phone::new();
    stranger.connect(&scene.relay.url()).await;
    let strangers = stranger.answer(
        &scene.asked,
        &scene.asked.challenge.challenge,
        approved(stranger.token_for(&service)),
    );
    for forged in [
        // The best a forger could have: words that the user has sealed, without the user's signature.
        altered(&approval, |event| event["sig"] = known.sig.to_string().into()),
        altered(&approval, |event| {
            event["id"] = known.id.to_hex().into();
            event["sig"] = known.sig.to_string().into();
        }),
        // Another author under the known id, and the user's name over the stranger's words.
        altered(&strangers, |event| event["id"] = known.id.to_hex().into()),
        altered(&strangers, |event| event["pubkey"] = scene.user.key().to_hex().into()),
        // The user's own words about something else, kind and recipient changed.
        altered(&known, |event| event["kind"] = kind::AUTH_RESPONSE.as_u16().into()),
    ] {
        scene.relay.inject(&json!(["EVENT", "{sub}", forged]).to_string());
    }
    scene.ends_with_the_users_no_alone().await;
}

/// A changed event, with the old hash and the old signature.
fn altered(event: &Event, change: impl FnOnce(&mut Value)) -> Value {
    let mut json = serde_json::from_str(&event.as_json()).unwrap();
    change(&mut json);
    json
}

#[tokio::test]
async fn a_hostile_relay_that_replays_an_approval_completes_nothing_more() {
    let mut scene = Scene::set().await;
    let first = scene.daemon.rest().authenticate(scene.user.key()).await;
    let asked = scene.user.challenge().await;
    let approval = scene.user.approve(&asked).await;
    let events = scene.daemon.ended(&first).await;
    for _ in 0..3 {
        scene.relay.publish(&approval);
    }
    let second = scene.daemon.rest().authenticate(scene.user.key()).await;
    let asked = scene.user.challenge().await;
    scene.relay.publish(&approval);
    scene.user.decline(&asked, None).await;
    assert_eq!(scene.daemon.ended(&second).await[0]["status"]["status"], "declined");
    assert_eq!(scene.daemon.ended(&first).await, events);
    scene.ends_with_the_users_no_alone().await;
}

#[tokio::test]
async fn a_hostile_relay_that_replays_a_scan_after_a_restart_asks_nobody_again() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({ "static_token": "wall" })).await;
    let mut user = Phone::new();
    let scan = user.scan(&url).await;
    let asked = user.challenge().await;
    user.approve(&asked).await;
    let events = daemon.events(&stream, 2).await;
    daemon.kill_9().await;
    relay.until_subscribed(1).await;
    let daemon = daemon.restart().await;
    relay.until_subscribed(2).await;
    relay.publish(&scan);
    let mut next = Phone::new();
    next.scan(&url).await;
    let asked = next.challenge().await;
    next.approve(&asked).await;
    let now = daemon.events(&stream, 4).await;
    assert_eq!((now.len(), &now[..2], &now[3]["user_key"]), (4, &events[..], &json!(next.key())));
    assert_eq!(user.prompts(), 1);
    assert_eq!(user.new_messages(), 0);
}

#[tokio::test]
async fn garbage_from_a_relay_stops_nothing() {
    let scene = Scene::set().await;
    let huge = format!("[\"EVENT\",\"{{sub}}\",{{\"content\":\"{}\"}}]", "x".repeat(200_000));
    for frame in [
        "",
        "[]",
        "nonsense",
        "[\"EVENT\"]",
        "[\"EVENT\",\"{sub}\",null]",
        "[\"EVENT\",\"{sub}\",{}]",
        "[\"EVENT\",\"another\",{\"kind\":27001}]",
        "[\"OK\",\"00\",true]",
        "[\"NOTICE\",7]",
        "[\"CLOSED\",\"another\",\"error: no\"]",
        "[\"AUTH\",\"challenge\"]",
        &format!("[\"NOTICE\",\"{}\"]", "[".repeat(100_000)),
        &huge,
    ] {
        scene.relay.inject(frame);
    }
    // Sealed by the user, addressed to the service, and not what it should be.
    let mut scene = scene;
    let service = scene.asked.event.pubkey;
    let status = AuthStatus::Declined { reason: None };
    let answer = scene.user.answer(&scene.asked, &scene.asked.challenge.challenge, status);
    for kind in [kind::KEY_HANDSHAKE, kind::SUBKEY_PROOF, kind::AUTH_CHALLENGE] {
        let mislabelled = scene.user.plain(kind, &service, &answer.content);
        scene.user.send(&mislabelled).await;
    }
    for content in ["", "AgAA", "Ag==", &"A".repeat(90_000)] {
        let nonsense = scene.user.plain(kind::AUTH_RESPONSE, &service, content);
        scene.user.send(&nonsense).await;
    }
    scene.ends_with_the_users_no_alone().await;
}
