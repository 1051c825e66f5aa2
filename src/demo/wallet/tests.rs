use std::sync::Arc;

use nostr_sdk::{EventId, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::mind::{Mind, Reaction};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::demo::relay::EmbeddedRelay;
use crate::portal_token::{self, Policy, VerifyingKey};
use crate::protocol::{
    AuthChallenge, AuthResponse, AuthStatus, Content, Message, Permission, Sealer, SubkeyMetadata,
    SubkeyProof, derive_secret,
};

fn keys(seed: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[seed; 32]).unwrap())
}

fn now() -> u64 {
    SystemClock.now().secs()
}

/// A subkey of `main` that holds up to `expires_at`, with its proof.
fn subkey(main: &Keys, expires_at: u64) -> (Keys, SubkeyProof) {
    let metadata = SubkeyMetadata {
        name: "phone".to_owned().try_into().unwrap(),
        nonce: [7; 32],
        valid_from: 0,
        expires_at,
        permissions: vec![Permission::Auth],
        version: 1,
    };
    let secret = derive_secret(main.secret_key(), &metadata).unwrap();
    (Keys::new(secret), SubkeyProof { main_key: main.public_key(), metadata })
}

fn mind(keys: Keys, proof: Option<SubkeyProof>, answer: WalletAnswer) -> Mind {
    Mind::new(keys, proof, Duration::from_secs(3600), Arc::new(SystemClock), answer)
}

fn challenge(expires_at: u64, subkey_proof: Option<SubkeyProof>) -> AuthChallenge {
    AuthChallenge { challenge: "c".repeat(32), expires_at, required_permissions: vec![], subkey_proof }
}

fn sealed(from: &Keys, to: &PublicKey, message: &impl Content, seed: u64) -> Event {
    let mut rng = StdRng::seed_from_u64(seed);
    Sealer::new(from.clone(), 1).seal(&mut rng, to, &[*to], None, message, now()).unwrap()
}

fn asked(reaction: Reaction) -> ChallengeSeen {
    match reaction {
        Reaction::Ask(seen) => *seen,
        other => panic!("{other:?}"),
    }
}

fn response_in(event: &Event, service: &Keys) -> AuthResponse {
    match Sealer::new(service.clone(), 1).open(event).unwrap().message {
        Message::AuthResponse(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approval_carries_a_token_that_verifies_and_names_the_service() {
    let (service, user) = (keys(1), keys(2));
    let wallet = mind(user.clone(), None, WalletAnswer::Approve);
    let event = sealed(&service, &user.public_key(), &challenge(now() + 300, None), 1);
    let seen = asked(wallet.hear(&event));
    let [reply] = &wallet.reply(&seen, wallet.answer()).unwrap()[..] else { panic!("one reply") };
    let AuthStatus::Approved { session_token, .. } = response_in(reply, &service).status else {
        panic!("approved")
    };
    let key = VerifyingKey::from_xonly_bytes(user.public_key().as_bytes()).unwrap();
    let claims =
        portal_token::verify(&key, session_token.expose(), now(), &Policy::default(), |_| false).unwrap();
    assert_eq!(claims.target_key, *service.public_key().as_bytes());
    assert_eq!(claims.expires_at - claims.issued_at.unwrap(), 3600);
}

#[test]
fn the_user_is_asked_once_however_often_and_in_however_many_events_a_challenge_comes() {
    let (service, user) = (keys(1), keys(2));
    let wallet = mind(user.clone(), None, WalletAnswer::Approve);
    let event = |seed| sealed(&service, &user.public_key(), &challenge(now() + 300, None), seed);
    asked(wallet.hear(&event(1)));
    assert!(matches!(wallet.hear(&event(1)), Reaction::Nothing));
    assert!(matches!(wallet.hear(&event(2)), Reaction::Nothing));
    assert_eq!(wallet.challenges_seen(), 1);
}

#[test]
fn a_challenge_whose_time_is_over_does_not_reach_the_user() {
    let (service, user) = (keys(1), keys(2));
    let wallet = mind(user.clone(), None, WalletAnswer::Approve);
    let event = sealed(&service, &user.public_key(), &challenge(now(), None), 1);
    assert!(matches!(wallet.hear(&event), Reaction::Nothing));
    assert_eq!(wallet.challenges_seen(), 0);
}

#[test]
fn a_service_on_a_subkey_is_asked_for_its_proof() {
    let (main, user) = (keys(1), keys(2));
    let (service, proof) = subkey(&main, now() + 1000);
    let (_, stale) = subkey(&main, 1);
    for (by, proof, heard) in
        [(&service, proof.clone(), true), (&service, stale, false), (&keys(3), proof, false)]
    {
        let wallet = mind(user.clone(), None, WalletAnswer::Approve);
        let event = sealed(by, &user.public_key(), &challenge(now() + 300, Some(proof)), 1);
        match wallet.hear(&event) {
            Reaction::Ask(seen) if heard => assert_eq!(seen.service, main.public_key()),
            Reaction::Nothing if !heard => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_subkey_that_cannot_read_a_challenge_shows_its_proof_and_then_answers_with_it() {
    let (service, main) = (keys(1), keys(2));
    let (phone, proof) = subkey(&main, now() + 1000);
    let wallet = mind(phone.clone(), Some(proof.clone()), WalletAnswer::Decline(None));
    assert_eq!(wallet.user_key(), main.public_key());

    let unreadable = sealed(&service, &main.public_key(), &challenge(now() + 300, None), 1);
    let Reaction::Prove(shown) = wallet.hear(&unreadable) else { panic!("a proof") };
    let shown = Sealer::new(service.clone(), 1).open(&shown).unwrap().message;
    assert_eq!(shown, Message::SubkeyProof { proof: proof.clone(), about: Some(unreadable.id) });

    let seen = asked(wallet.hear(&sealed(&service, &phone.public_key(), &challenge(now() + 300, None), 2)));
    let reply = &wallet.reply(&seen, wallet.answer()).unwrap()[0];
    assert_eq!(response_in(reply, &service).subkey_proof, Some(proof));
}

#[test]
fn a_forged_challenge_does_not_reach_the_user() {
    let (service, user) = (keys(1), keys(2));
    let wallet = mind(user.clone(), None, WalletAnswer::Approve);
    let mut forged = sealed(&service, &user.public_key(), &challenge(now() + 300, None), 1);
    forged.id = EventId::all_zeros();
    assert!(matches!(wallet.hear(&forged), Reaction::Nothing));
}

#[tokio::test]
async fn a_wallet_hears_a_challenge_on_a_real_relay_and_again_after_the_relay_was_gone() {
    let relay = EmbeddedRelay::start().await.unwrap();
    let (service, user) = (keys(1), keys(2));
    let wallet = Wallet::new(user.clone()).answering(WalletAnswer::Ignore).connect();
    wallet.listen(std::slice::from_ref(relay.url())).await.unwrap();
    publish(&service, relay.url(), &user, "before").await;
    assert_eq!(wallet.next_challenge().await.challenge.challenge, "before");

    let port = <&nostr_sdk::Url>::from(relay.url()).port().unwrap();
    relay.stop();
    let relay = loop {
        // The port is free once the old listener is gone.
        match EmbeddedRelay::start_at(port).await {
            Ok(relay) => break relay,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let link = wallet.core.links.lock().await.values().next().unwrap().clone();
    let mut ready = link.ready;
    ready.wait_for(|ready| !ready).await.unwrap();
    ready.wait_for(|ready| *ready).await.unwrap();
    publish(&service, relay.url(), &user, "after").await;
    assert_eq!(wallet.next_challenge().await.challenge.challenge, "after");
    wallet.shutdown().await;
}

async fn publish(service: &Keys, relay: &RelayUrl, user: &Keys, text: &str) {
    let client = Client::default();
    client.add_relay(relay).await.unwrap();
    client.connect().await;
    client.wait_for_connection(Duration::from_secs(10)).await;
    let challenge = AuthChallenge { challenge: text.to_owned(), ..challenge(now() + 300, None) };
    let event = sealed(service, &user.public_key(), &challenge, 1);
    client.send_event(&event).await.unwrap();
    client.shutdown().await;
}
