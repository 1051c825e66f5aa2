//! Tokens that another service's daemon has issued, which programs verify by that service's key.

use nostr_sdk::{Keys, PublicKey};
use portico::portal_token::{self, SigningKey};
use serde_json::json;

use crate::cli::at;
use crate::support::beginning::asked_to_log_in;
use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::program::{finished, portico};
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

const DAY: u64 = 24 * 3600;

#[tokio::test]
async fn what_one_daemon_issues_for_a_year_verifies_at_another_by_the_issuers_key() {
    let (issuer, other) = (Daemon::offline().start().await, Daemon::offline().start().await);
    let (issued_by, us) = (issuer.public_key().await, other.public_key().await);
    let user = Keys::generate().public_key().to_hex();
    for (target, hours) in [(&user, 2_400), (&user, 8_784), (&us, 8_784)] {
        let ask = json!({ "target_key": target, "duration_hours": hours });
        let token = issuer.rest().post("/jwt/issue", ask).await.data()["token"].as_str().unwrap().to_owned();
        let question = json!({ "pubkey": issued_by, "token": token });
        let told = other.rest().post("/jwt/verify", question.clone()).await.data();
        assert_eq!((&told["target_key"], &told["issuer"]), (&json!(target), &json!(issued_by)));
        let batch = other.rest().post("/jwt/verify", json!([question])).await.data();
        assert_eq!(batch[0]["data"], told);
        let over_websocket = other.websocket().await.data("VerifyJwt", question).await;
        assert_eq!(over_websocket["target_key"], *target);
        let asked = finished(at(&other, &["verify", "--json", "--key", &issued_by, &token])).await.json();
        assert_eq!(asked["target_key"], *target);
        let mut offline = portico(other.folder());
        offline.args(["verify", "--offline", "--json", "--key", &issued_by, &token]);
        assert_eq!(finished(offline).await.json()["target_key"], *target);
    }
}

#[tokio::test]
async fn what_no_daemon_would_issue_does_not_verify_and_the_operator_sets_the_bound() {
    let peer = Keys::generate();
    let token = |days: u64| {
        let key = SigningKey::from_secret(peer.secret_key());
        portal_token::issue(&key, Keys::generate().public_key().as_bytes(), now(), days * DAY)
    };
    let strict = Daemon::offline().with_config("[tokens]\nmax_issued_lifetime = \"100days\"\n").start().await;
    let usual = Daemon::offline().start().await;
    for (daemon, holds, too_long) in [(&usual, 366, 367), (&strict, 100, 101)] {
        let rest = daemon.rest();
        rest.verify(peer.public_key(), &token(holds)).await.data();
        let answer = rest.verify(peer.public_key(), &token(too_long)).await;
        assert_eq!(answer.refusal(), refused(400, "lifetime_too_long"));
    }
}

#[tokio::test]
async fn a_known_wallets_token_for_us_is_held_to_thirty_days_whatever_key_is_asked_about() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;
    daemon.ended(&stream).await;
    let us = PublicKey::parse(&daemon.public_key().await).unwrap();
    let rest = daemon.rest();
    for key in [us, phone.key()] {
        rest.verify(key, &phone.token(&us, now(), 30 * DAY)).await.data();
        let answer = rest.verify(key, &phone.token(&us, now(), 31 * DAY)).await;
        assert_eq!(answer.refusal(), refused(400, "lifetime_too_long"));
    }
    let elsewhere = Keys::generate().public_key();
    rest.verify(phone.key(), &phone.token(&elsewhere, now(), 31 * DAY)).await.data();
}
