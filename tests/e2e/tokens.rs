//! Tokens: issued, verified, revoked.

use nostr_sdk::{Keys, PublicKey, ToBech32};
use portico::portal_token::{self, SigningKey};
use serde_json::json;

use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::program::{finished, portico};
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

async fn issue(rest: &Rest, user: &PublicKey, hours: i64) -> String {
    let body = json!({ "target_key": user, "duration_hours": hours });
    let data = rest.post("/jwt/issue", body).await.data();
    data["token"].as_str().unwrap().to_owned()
}

/// The other signature that the same numbers give: (r, n − s).
fn high_s_twin(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let s = secp256k1::SecretKey::from_slice(&bytes[32..]).unwrap();
    bytes[32..].copy_from_slice(&s.negate().secret_bytes());
    let twin = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes));
    assert_ne!(twin, token);
    twin
}

/// A user who has logged in, and the session token of that login.
async fn logged_in(daemon: &Daemon) -> (Phone, String) {
    let (mut phone, asked, stream) = asked_to_log_in(daemon).await;
    let token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, token.clone()).await;
    daemon.ended(&stream).await;
    (phone, token)
}

#[tokio::test]
async fn a_token_that_the_service_issued_verifies_as_the_service() {
    let daemon = Daemon::on(&[]).start().await;
    let (rest, us) = (daemon.rest(), daemon.public_key().await);
    let user = Keys::generate().public_key();
    let token = issue(&rest, &user, 24).await;
    let told = rest.verify(&us, &token).await.data();
    assert_eq!((&told["target_key"], &told["subject"]), (&json!(user), &json!(user)));
    assert_eq!((&told["issuer"], &told["audience"]), (&json!(us), &json!(us)));
    assert_eq!(told["token_type"], "service");
    let (issued_at, expires_at) = (told["issued_at"].as_u64().unwrap(), told["expires_at"].as_u64().unwrap());
    assert_eq!(expires_at - issued_at, 24 * 3600);

    let npub = PublicKey::parse(&us).unwrap().to_bech32().unwrap();
    assert_eq!(rest.verify(npub, &token).await.data(), told, "keys are taken as npub too");
    let by_alias = rest.post("/jwt/verify", json!({ "public_key": us, "token": token })).await;
    assert_eq!(by_alias.data(), told);
    let mut socket = daemon.websocket().await;
    let mut same = socket.data("VerifyJwt", json!({ "pubkey": us, "token": token })).await;
    assert_eq!(same["type"], "verify_jwt");
    same.as_object_mut().unwrap().remove("type");
    assert_eq!(same, told);
    let answer = rest.verify(user, &token).await;
    assert_eq!(answer.refusal(), refused(400, "invalid_signature"), "the user did not sign it");
}

#[tokio::test]
async fn a_wallets_token_says_for_whom_it_is_and_asked_as_the_service_whose_it_is() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let us = daemon.public_key().await;
    let (phone, token) = logged_in(&daemon).await;
    for restarted in [false, true] {
        if restarted {
            daemon.kill_9().await;
            daemon = daemon.restart().await;
        }
        let rest = daemon.rest();
        let asked_of_the_wallet = rest.verify(phone.key(), &token).await.data();
        assert_eq!(asked_of_the_wallet["target_key"], us);
        let asked_as_us = rest.verify(&us, &token).await.data();
        assert_eq!(asked_as_us["target_key"], phone.key().to_hex());
        assert_eq!(asked_as_us["audience"], us);
        assert_eq!(asked_as_us["token_type"], "wallet");
        let twin = high_s_twin(&token);
        assert_eq!(rest.verify(&us, &twin).await.data(), asked_as_us, "the high-s twin is as good");
        assert_eq!(rest.verify(phone.key(), &twin).await.data(), asked_of_the_wallet);
    }
}

#[tokio::test]
async fn a_token_of_another_service_is_told_from_a_wallets_by_the_keys_that_logged_in_here() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (phone, _) = logged_in(&daemon).await;
    let (other, newcomer) = (Keys::generate(), Phone::new());
    let own = SigningKey::from_secret(other.secret_key());
    let other = other.public_key();
    let of_other = |user: &PublicKey| portal_token::issue(&own, user.as_bytes(), now(), 3600);
    for (what, issuer, token, token_type, subject, audience) in [
        ("for our user", other, of_other(&phone.key()), "service", phone.key(), other),
        ("by our user", phone.key(), phone.token_for(&other), "wallet", phone.key(), other),
        ("neither is known", newcomer.key(), newcomer.token_for(&other), "wallet", newcomer.key(), other),
    ] {
        let told = daemon.rest().verify(issuer, &token).await.data();
        assert_eq!(told["token_type"], token_type, "{what}");
        assert_eq!((&told["subject"], &told["audience"]), (&json!(subject), &json!(audience)), "{what}");
        assert_eq!(told["issuer"], json!(issuer), "{what}");
    }
}

#[tokio::test]
async fn every_bad_token_is_refused_with_its_own_code() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let rest = daemon.rest();
    let us = daemon.public_key().await;
    let service = PublicKey::parse(&us).unwrap();
    let (phone, token) = logged_in(&daemon).await;
    let wallet = phone.key().to_hex();
    let stranger = Phone::new();
    let elsewhere = Keys::generate().public_key();
    let own = SigningKey::from_secret(Keys::parse(&daemon.secret()).unwrap().secret_key());
    let tampered = {
        let parts: Vec<&str> = token.split('.').collect();
        let longer = phone.token(&service, now(), 200 * 3600);
        [parts[0], longer.split('.').nth(1).unwrap(), parts[2]].join(".")
    };
    for (asked_of, token, code) in [
        (&us, "x".into(), "malformed_token"),
        (&us, format!("{token}="), "malformed_token"),
        (&us, format!("{token}{}", "A".repeat(16 * 1024)), "malformed_token"),
        (&us, format!("eyJhbGciOiJIUzI1NiJ9{}", &token[token.find('.').unwrap()..]), "unsupported_algorithm"),
        (&us, stranger.token_for(&service), "unknown_wallet"),
        (&us, phone.token_for(&elsewhere), "wrong_audience"),
        (&us, phone.token(&service, now() - 10, 5), "token_expired"),
        (&us, portal_token::issue(&own, elsewhere.as_bytes(), now() - 10, 5), "token_expired"),
        (&us, phone.token(&service, now() + 120, 60), "token_not_yet_valid"),
        (&us, phone.token(&service, now(), 31 * 24 * 3600), "lifetime_too_long"),
        (&wallet, tampered.clone(), "invalid_signature"),
        (&wallet, stranger.token_for(&service), "invalid_signature"),
        (&wallet, phone.token(&service, now() - 10, 5), "token_expired"),
    ] {
        let answer = rest.verify(asked_of, &token).await;
        assert_eq!(answer.refusal(), refused(400, code), "{}", token.len());
        let mut socket = daemon.websocket().await;
        let answer = socket.command("VerifyJwt", json!({ "pubkey": asked_of, "token": token })).await;
        assert_eq!(answer["code"], code);
    }
    let (_, code) = rest.verify(&us, &tampered).await.refusal();
    assert!(["unknown_wallet", "invalid_signature"].contains(&&code[..]), "{code}");
}

#[tokio::test]
async fn a_thief_cannot_get_round_a_revocation_with_the_high_s_twin_nor_by_a_restart() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let us = daemon.public_key().await;
    let (phone, wallets) = logged_in(&daemon).await;
    let services = issue(&daemon.rest(), &phone.key(), 1).await;
    let kept = issue(&daemon.rest(), &phone.key(), 2).await;
    for token in [&wallets, &services] {
        let revoke = || async { daemon.rest().post("/jwt/revoke", json!({ "token": token })).await.data() };
        assert_eq!(revoke().await, json!({ "revoked": true, "already_revoked": false }));
        assert_eq!(revoke().await, json!({ "revoked": true, "already_revoked": true }));
    }
    for restarted in [false, true] {
        if restarted {
            daemon.kill_9().await;
            daemon = daemon.restart().await;
        }
        let rest = daemon.rest();
        for token in [&wallets, &services] {
            for spelling in [token.clone(), high_s_twin(token)] {
                let answer = rest.verify(&us, &spelling).await;
                assert_eq!(answer.refusal(), refused(400, "token_revoked"));
            }
        }
        assert_eq!(rest.verify(phone.key(), &wallets).await.refusal(), refused(400, "token_revoked"));
        rest.verify(&us, &kept).await.data();
    }
    let expired = phone.token(&PublicKey::parse(&us).unwrap(), now() - 10, 5);
    let answer = daemon.rest().post("/jwt/revoke", json!({ "token": expired })).await;
    assert_eq!(answer.refusal(), refused(400, "token_expired"));
}

#[tokio::test]
async fn a_token_is_issued_for_one_hour_at_least_and_a_year_at_most() {
    let daemon = Daemon::on(&[]).start().await;
    let rest = daemon.rest();
    let user = Keys::generate().public_key();
    for hours in [i64::MIN, -1, 0, 8785, i64::MAX] {
        let answer = rest.post("/jwt/issue", json!({ "target_key": user, "duration_hours": hours })).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{hours}");
    }
    for hours in [1, 8784] {
        let token = issue(&rest, &user, hours).await;
        let told = rest.verify(daemon.public_key().await, &token).await.data();
        assert_eq!(told["target_key"], user.to_hex());
    }
}

#[tokio::test]
async fn a_token_is_verified_offline_without_any_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let phone = Phone::new();
    let service = Keys::generate().public_key();
    let verify = |token: &str, key: String| {
        let mut command = portico(folder.path());
        command.args(["verify", "--offline", "--json", "--key", &key, token]);
        finished(command)
    };
    let token = phone.token_for(&service);
    let told = verify(&token, phone.key().to_bech32().unwrap()).await.json();
    assert_eq!((&told["target_key"], &told["issuer"]), (&json!(service), &json!(phone.key())));
    for (token, code) in [
        (phone.token(&service, now() - 10, 5), "token_expired"),
        (Phone::new().token_for(&service), "invalid_signature"),
        ("nonsense".to_owned(), "malformed_token"),
    ] {
        let told = verify(&token, phone.key().to_hex()).await;
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.stderr.contains(code) && told.stdout.is_empty(), "{told:?}");
    }
    assert_eq!(verify(&token, "nobody".into()).await.code, 64);
}

#[tokio::test]
async fn revoking_one_users_token_never_revokes_that_of_another_who_logged_in_the_same_second() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (rest, us) = (daemon.rest(), daemon.public_key().await);
    let service = PublicKey::parse(&us).unwrap();
    let ((alice, _), (bob, _)) = (logged_in(&daemon).await, logged_in(&daemon).await);
    // Wallets put nothing of their own into a token, so both sign the very same text.
    let issued_at = now();
    let [hers, his] = [&alice, &bob].map(|phone| phone.token(&service, issued_at, 3600));
    assert_eq!(hers.rsplit_once('.').unwrap().0, his.rsplit_once('.').unwrap().0);

    rest.post("/jwt/revoke", json!({ "token": hers })).await.data();
    assert_eq!(rest.verify(&us, &hers).await.refusal(), refused(400, "token_revoked"));
    assert_eq!(rest.verify(alice.key(), &hers).await.refusal(), refused(400, "token_revoked"));
    assert_eq!(rest.verify(&us, &his).await.data()["target_key"], bob.key().to_hex());
    rest.verify(bob.key(), &his).await.data();

    // Nor does a signature under that text that no key made.
    let of_nobody = format!("{}.{}", his.rsplit_once('.').unwrap().0, "A".repeat(86));
    let answer = rest.post("/jwt/revoke", json!({ "token": of_nobody })).await;
    assert_eq!(answer.refusal(), refused(400, "invalid_signature"));
    rest.verify(bob.key(), &his).await.data();
}

#[tokio::test]
async fn wrong_claims_of_a_known_wallet_are_named_as_such_to_the_service_too() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use sha2::{Digest, Sha256};

    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (phone, _) = logged_in(&daemon).await;
    let us = daemon.public_key().await;
    let claims = json!({ "exp": "tomorrow", "iat": now(), "nbf": now(), "target_key": us });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", encode(r#"{"alg":"ES256K"}"#), encode(&claims.to_string()));
    let secret = phone.keys().secret_key();
    let odd = secret.x_only_public_key(secp256k1::SECP256K1).1 == secp256k1::Parity::Odd;
    let secret = if odd { secret.negate() } else { **secret };
    let message = secp256k1::Message::from_digest(Sha256::digest(&input).into());
    let signature = secp256k1::SECP256K1.sign_ecdsa(&message, &secret).serialize_compact();
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
    for key in [us, phone.key().to_hex()] {
        assert_eq!(daemon.rest().verify(key, &token).await.refusal(), refused(400, "malformed_claims"));
    }
}

#[tokio::test]
async fn many_questions_at_once_on_a_websocket_get_each_its_own_answer() {
    let daemon = Daemon::on(&[]).start().await;
    let (rest, us) = (daemon.rest(), daemon.public_key().await);
    let users: Vec<PublicKey> = (0..5).map(|_| Keys::generate().public_key()).collect();
    let mut tokens = Vec::new();
    for user in &users {
        tokens.push(issue(&rest, user, 24).await);
    }
    let mut socket = daemon.websocket().await;
    let mut asked = Vec::new();
    for n in 0..200 {
        let question = match n % 6 {
            5 => json!({ "pubkey": us, "token": high_s_twin(&tokens[0]).to_uppercase() }),
            user => json!({ "pubkey": us, "token": tokens[user] }),
        };
        asked.push(socket.send("VerifyJwt", question).await);
    }
    for (n, id) in asked.iter().enumerate() {
        let answer = socket.answer(id).await;
        match users.get(n % 6) {
            Some(user) => assert_eq!(answer["data"]["target_key"], user.to_hex(), "{answer}"),
            None => assert_eq!(answer["code"], "malformed_token", "{answer}"),
        }
    }
}
