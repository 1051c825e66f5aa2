//! Wallets and services that run on subkeys.

use nostr_sdk::{Keys, ToBech32};
use serde_json::json;

use super::types;
use crate::sessions;
use crate::support::beginning::Unread;
use crate::support::daemon::Daemon;
use crate::support::phone::{Phone, approved};
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

/// With a scan the wallet names the key that it runs on, and only its answer says whose key that is.
#[tokio::test]
async fn a_person_with_two_subkeys_is_one_user_however_they_log_in() {
    let relay = TestRelay::start().await;
    let daemon = sessions::daemon(&relay).await;
    let rest = daemon.rest();
    let main = Keys::generate();
    let mut phones = [Phone::on_subkey_of(&main), Phone::on_subkey_of(&main)];
    let mut users = Vec::new();
    for phone in &mut phones {
        let (url, stream) = rest.login(json!({})).await;
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        let approved = daemon.ended(&stream).await.pop().unwrap();
        assert_eq!(approved["user_key"], json!(main.public_key()));
        assert_eq!(approved["recipient"], json!(phone.key()));
        assert_eq!(approved["session"]["subject"], json!(main.public_key()));
        users.push(approved["login"]["user"]["id"].clone());
    }
    assert_eq!(users[0], users[1]);
    assert_eq!(rest.get("/users").await.data()["users"].as_array().unwrap().len(), 1);
    // Both are known as keys of this user, and asked.
    let stream = rest.authenticate(main.public_key()).await;
    for phone in &mut phones {
        phone.challenge().await;
    }
    let asked_again = rest.authenticate(main.public_key()).await;
    let asked = phones[0].challenge().await;
    let concerned: Vec<_> = asked.event.tags.public_keys().copied().collect();
    assert_eq!(concerned.len(), 3, "{concerned:?}");
    phones[0].approve(&asked).await;
    assert_eq!(daemon.ended(&asked_again).await[0]["user_key"], json!(main.public_key()));
    drop(stream);
}

#[tokio::test]
async fn a_stranger_who_scans_and_borrows_a_proof_is_not_its_user() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let victim = Keys::generate();
    let borrowed = Phone::on_subkey_of(&victim).proof().clone();
    let expired = Phone::on_subkey(&victim, |metadata| metadata.expires_at = crate::support::now() - 1);
    for (keys, proof) in [(Keys::generate(), borrowed), (expired.keys().clone(), expired.proof().clone())] {
        let mut stranger = Phone::with(keys.clone(), Some(proof));
        let (url, stream) = daemon.rest().login(json!({})).await;
        stranger.scan(&url).await;
        let asked = stranger.challenge().await;
        stranger.approve(&asked).await;
        // Without the proof, it is itself.
        let own = Phone::with(keys, None);
        let status = approved(own.token_for(&asked.event.pubkey));
        let answer = own.answer(&asked, &asked.challenge.challenge, status);
        stranger.send(&answer).await;
        let events = daemon.ended(&stream).await;
        assert_eq!((events.len(), &events[1]["user_key"]), (2, &json!(own.key())), "{events:?}");
    }
}

#[tokio::test]
async fn a_caller_who_names_a_subkey_as_the_user_gets_that_key_and_no_other_user() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::on_subkey_of(&Keys::generate());
    phone.connect(&relay.url()).await;
    let stream = daemon.rest().authenticate(phone.key()).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await[0]["user_key"], json!(phone.key()));
}
