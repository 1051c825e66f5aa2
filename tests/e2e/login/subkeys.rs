//! Wallets and services that run on subkeys.

use nostr_sdk::{Keys, ToBech32};
use serde_json::json;

use super::types;
use crate::support::beginning::Unread;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::{finished, portico};
use crate::support::relay::TestRelay;

#[tokio::test]
async fn a_wallet_on_a_subkey_proves_whose_it_is_and_answers_for_its_main_key() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let Unread { main, mut phone, event: unread, proof, stream } = Unread::over(&relay, &daemon).await;
    phone.prove(&unread, &proof).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["authenticate_key"]);
    assert_eq!(events[0]["user_key"], main.to_hex());
    assert_eq!(events[0]["recipient"], phone.key().to_hex());
    assert_eq!(events[0]["session"]["issuer"], phone.key().to_hex());
    assert_eq!(events[0]["session"]["subject"], main.to_hex());

    // From now on the subkey is known, and asked at once.
    let stream = daemon.rest().authenticate(main).await;
    let asked = phone.challenge().await;
    let concerned: Vec<_> = asked.event.tags.public_keys().copied().collect();
    assert_eq!(concerned, [main, phone.key()]);
    let token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, token.clone()).await;
    assert_eq!(types(&daemon.ended(&stream).await), ["authenticate_key"]);

    let us = daemon.public_key().await;
    let told = daemon.rest().verify(us, &token).await.data();
    assert_eq!(told["target_key"], main.to_hex(), "asked as the service: the user");
}

#[tokio::test]
async fn a_subkey_that_the_caller_names_is_asked_at_once_and_proves_itself_with_its_answer() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let main = Keys::generate();
    let mut phone = Phone::on_subkey_of(&main);
    phone.connect(&relay.url()).await;
    let npub = phone.key().to_bech32().unwrap();
    let stream = daemon.rest().authenticate_with(main.public_key(), &[npub]).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!((types(&events), &events[0]["recipient"]), (vec!["authenticate_key"], &json!(phone.key())));
}

#[tokio::test]
async fn a_service_runs_on_a_subkey_that_keygen_made() {
    let relay = TestRelay::start().await;
    let plan = Daemon::on(&[&relay]).with_config("[service]\nsubkey_proof_file = \"proof.json\"\n");
    let keygen = |args: &[&str]| {
        let mut command = portico(plan.folder());
        command.arg("keygen").args(args);
        finished(command)
    };
    assert_eq!(keygen(&["main.key"]).await.code, 0);
    let made = keygen(&["service.key", "--subkey-of", "main.key", "--proof", "proof.json"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let main = std::fs::read_to_string(plan.folder().join("main.key")).unwrap();
    let main = Keys::parse(main.trim()).unwrap().public_key();
    std::fs::remove_file(plan.folder().join("main.key")).unwrap();

    let daemon = plan.start_subscribed(&[&relay]).await;
    assert_eq!(daemon.public_key().await, main.to_hex());
    let (url, stream) = daemon.rest().login(json!({})).await;
    assert!(url.starts_with(&format!("portal://{}?", main.to_bech32().unwrap())), "{url}");
    assert!(url.contains("&subkey=npub1"), "{url}");
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    let proof = asked.challenge.subkey_proof.clone().expect("it proves for whom it speaks");
    proof.verify(&asked.event.pubkey, &main, crate::support::now()).unwrap();

    // A wallet may make its token for the key that it knows, the main one.
    let token = phone.token_for(&main);
    phone.approve_with(&asked, token.clone()).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "authenticate_key"]);
    for us in [main.to_hex(), asked.event.pubkey.to_hex()] {
        assert_eq!(daemon.rest().verify(us, &token).await.data()["target_key"], phone.key().to_hex());
    }
}

#[tokio::test]
async fn a_subkey_that_the_caller_names_may_prove_itself_before_it_answers() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let main = Keys::generate();
    let on_subkey = Phone::on_subkey_of(&main);
    // Its answers carry no proof.
    let mut phone = Phone::with(on_subkey.keys().clone(), None);
    phone.connect(&relay.url()).await;
    let named = [phone.key().to_hex()];
    let stream = daemon.rest().authenticate_with(main.public_key(), &named).await;
    let asked = phone.challenge().await;
    phone.prove(&asked.event, on_subkey.proof()).await;
    // Both are handled side by side, so the answer is given until it counts.
    let answer = async {
        loop {
            phone.approve(&asked).await;
            tokio::task::yield_now().await;
        }
    };
    let events = tokio::select! {
        events = daemon.ended(&stream) => events,
        () = answer => unreachable!(),
    };
    assert_eq!(
        (types(&events), &events[0]["user_key"]),
        (vec!["authenticate_key"], &json!(main.public_key()))
    );
}
