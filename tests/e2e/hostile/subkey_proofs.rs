//! Proofs of subkeys that prove nothing.

use nostr_sdk::Keys;
use portico::protocol::{Permission, SubkeyProof};
use serde_json::json;

use crate::support::beginning::Unread;
use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

/// Phones on subkeys of `main` that may not answer for it, and the proof that each shows.
fn impostors(main: &Keys) -> Vec<(&'static str, Phone, SubkeyProof)> {
    let others = Phone::on_subkey_of(&Keys::generate());
    let expired = Phone::on_subkey(main, |metadata| metadata.expires_at = now() - 1);
    let early = Phone::on_subkey(main, |metadata| metadata.valid_from = now() + 3600);
    let payer = Phone::on_subkey(main, |metadata| metadata.permissions = vec![Permission::Payment]);
    let unrelated = Phone::new();
    let borrowed = Phone::on_subkey_of(main).proof().clone();
    let own = |phone: &Phone| phone.proof().clone();
    let renamed = SubkeyProof { main_key: main.public_key(), ..own(&others) };
    vec![
        ("of another user's key", Phone::with(others.keys().clone(), None), own(&others)),
        ("of another user's key, with the name changed", Phone::with(others.keys().clone(), None), renamed),
        ("expired", Phone::with(expired.keys().clone(), None), own(&expired)),
        ("not valid yet", Phone::with(early.keys().clone(), None), own(&early)),
        ("for payments alone", Phone::with(payer.keys().clone(), None), own(&payer)),
        ("borrowed from a real subkey", unrelated, borrowed),
    ]
}

#[tokio::test]
async fn an_impostor_who_shows_a_bad_subkey_proof_is_not_asked() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut user = Phone::new();
    user.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(user.key()).await;
    let asked = user.challenge().await;
    let mut impostors = impostors(user.keys());
    for (_, phone, proof) in &mut impostors {
        phone.connect(&relay.url()).await;
        phone.prove(&asked.event, proof).await;
        // Asked or not, it answers.
        phone.approve(&asked).await;
    }
    // A good proof after the bad ones: when that subkey is asked, the others were passed over.
    let mut subkey = Phone::on_subkey_of(user.keys());
    subkey.connect(&relay.url()).await;
    let proof = subkey.proof().clone();
    subkey.prove(&asked.event, &proof).await;
    let again = loop {
        let next = subkey.message().await;
        if next.id != asked.event.id {
            break next;
        }
    };
    let concerned: Vec<_> = again.tags.public_keys().copied().collect();
    assert_eq!(concerned, [user.key(), subkey.key()]);
    user.decline(&asked, None).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((events.len(), &events[0]["recipient"]), (1, &json!(user.key())));
    for (what, phone, _) in &mut impostors {
        assert_eq!(phone.new_messages(), 0, "a subkey {what}");
    }
}

#[tokio::test]
async fn a_subkey_whose_proof_has_expired_cannot_answer_even_where_the_caller_named_it() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut user = Phone::new();
    user.connect(&relay.url()).await;
    let mut phones = [
        Phone::on_subkey(user.keys(), |metadata| metadata.expires_at = now() - 1),
        Phone::on_subkey(user.keys(), |metadata| metadata.permissions = vec![Permission::Payment]),
    ];
    let named: Vec<String> = phones.iter().map(|phone| phone.key().to_hex()).collect();
    let stream = daemon.rest().authenticate_with(user.key(), &named).await;
    let asked = user.challenge().await;
    for phone in &mut phones {
        phone.connect(&relay.url()).await;
        phone.approve(&asked).await;
    }
    user.decline(&asked, None).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((events.len(), &events[0]["recipient"]), (1, &json!(user.key())));
}

#[tokio::test]
async fn a_known_subkey_that_shows_a_second_proof_does_not_bring_the_daemon_down() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let Unread { main, mut phone, event: unread, proof, stream } = Unread::over(&relay, &daemon).await;
    phone.prove(&unread, &proof).await;
    let asked = phone.challenge().await;
    // Again the same, then one that names another main key (the reference fails an assertion there).
    phone.prove(&unread, &proof).await;
    let foreign = SubkeyProof { main_key: Keys::generate().public_key(), ..proof };
    phone.prove(&unread, &foreign).await;
    phone.prove(&asked.event, &foreign).await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((events.len(), &events[0]["user_key"]), (1, &json!(main)));
    assert_eq!(phone.prompts(), 1);
}

#[tokio::test]
async fn a_subkey_that_shows_its_proof_several_times_at_once_is_asked_once() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let Unread { main, mut phone, event: unread, proof, stream } = Unread::over(&relay, &daemon).await;
    for _ in 0..8 {
        phone.prove(&unread, &proof).await;
    }
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    daemon.ended(&stream).await;
    // The next challenge comes over the same connection: nothing else may have come before it.
    daemon.rest().authenticate(main).await;
    assert_ne!(phone.challenge().await.challenge.challenge, asked.challenge.challenge);
}

#[tokio::test]
async fn a_stranger_whom_a_careless_caller_names_as_a_subkey_answers_for_nobody() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (mut victim, mut stranger) = (Phone::new(), Phone::new());
    victim.connect(&relay.url()).await;
    stranger.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate_with(victim.key(), &[stranger.key().to_hex()]).await;
    let asked = stranger.challenge().await;
    stranger.approve(&asked).await;
    let asked = victim.challenge().await;
    victim.decline(&asked, Some("not me")).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["status"], json!({ "status": "declined", "reason": "not me" }));

    let us = daemon.public_key().await;
    let token = stranger.token_for(&asked.event.pubkey);
    let answer = daemon.rest().verify(us, &token).await;
    assert_eq!(answer.refusal(), refused(400, "unknown_wallet"));
}
