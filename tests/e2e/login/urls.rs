//! Handshake URLs that are printed on walls, and how they end.

use serde_json::json;

use super::types;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

#[tokio::test]
async fn a_static_url_serves_every_next_user_and_after_a_restart() {
    let relay = TestRelay::start().await;
    let mut daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({ "static_token": "on the wall" })).await;
    let mut users = Vec::new();
    for visit in 1..=3 {
        if visit == 3 {
            assert!(daemon.terminate().await.success());
            daemon = daemon.restart().await;
            relay.until("the daemon's return", |state| state.subscriptions() == users.len() + 1).await;
        }
        let mut phone = Phone::new();
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        let events = daemon.events(&stream, 2 * visit).await;
        let last = events.last().unwrap();
        assert_eq!((&last["type"], &last["index"]), (&json!("authenticate_key"), &json!(2 * visit)));
        assert_eq!(last["user_key"], phone.key().to_hex());
        users.push(phone);
    }
    let again = daemon.rest().post("/login", json!({ "static_token": "on the wall" })).await.data();
    let same = json!({ "url": url, "stream_id": stream, "after": 6, "relays_ready": 1 });
    assert_eq!(
        again, same,
        "asking for it again gives the same one, and where it stands: old logins are not new"
    );
}

#[tokio::test]
async fn each_stream_on_one_static_token_hears_of_the_scan() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let body = json!({ "static_token": "shared", "no_request": true });
    let (url, first) = daemon.rest().key_handshake(body.clone()).await;
    let (same_url, second) = daemon.rest().key_handshake(body).await;
    assert_eq!(url, same_url);
    assert!(url.ends_with("&no_request=true"), "{url}");
    assert_ne!(first, second);
    let mut phone = Phone::new();
    phone.scan(&url).await;
    for stream in [&first, &second] {
        let events = daemon.events(stream, 1).await;
        assert_eq!((types(&events), &events[0]["main_key"]), (vec!["key_handshake"], &json!(phone.key())));
    }
}

#[tokio::test]
async fn a_deleted_url_ends_its_stream_as_cancelled_and_serves_nobody_any_more() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let rest = daemon.rest();
    let (url, stream) = rest.key_handshake(json!({ "static_token": "gone" })).await;
    let path = format!("/key-handshake/{stream}");
    rest.delete(&path, json!({})).await.data();
    let events = daemon.ended(&stream).await;
    assert_eq!((types(&events), &events[0]["code"]), (vec!["error"], &json!("cancelled")));
    assert_eq!(rest.delete(&path, json!({})).await.refusal(), refused(404, "no_such_stream"));

    // The phone scans the dead URL, then an open one. When the second scan has arrived, so has the first.
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let (living_url, living) = rest.key_handshake(json!({})).await;
    phone.scan(&living_url).await;
    daemon.ended(&living).await;
    assert_eq!(daemon.rest().events(&stream).await.len(), 1);
}

#[tokio::test]
async fn a_login_that_is_taken_back_ends_with_what_is_open_on_it() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({ "static_token": "wall" })).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    phone.approve(&asked).await;
    let marker = daemon.rest().authenticate(phone.key()).await;
    let next = phone.challenge().await;
    phone.decline(&next, None).await;
    daemon.ended(&marker).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(types(&events), ["key_handshake", "error"]);
    assert_eq!(events[1]["code"], "cancelled");
}

#[tokio::test]
async fn what_a_user_is_being_asked_can_be_taken_back_and_the_answer_counts_no_more() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    let (url, scanned) = daemon.rest().login(json!({})).await;
    phone.scan(&url).await;
    let asked_by_scan = phone.challenge().await;
    let direct = daemon.rest().authenticate(phone.key()).await;
    let asked_directly = phone.challenge().await;
    for stream in [&scanned, &direct] {
        daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
        let again = daemon.rest().delete(&format!("/key-handshake/{stream}"), json!({})).await;
        assert_eq!(again.refusal(), refused(404, "no_such_stream"));
    }
    phone.approve(&asked_by_scan).await;
    phone.approve(&asked_directly).await;
    let marker = daemon.rest().authenticate(phone.key()).await;
    let next = phone.challenge().await;
    phone.decline(&next, None).await;
    daemon.ended(&marker).await;
    for stream in [&scanned, &direct] {
        let events = daemon.ended(stream).await;
        assert_eq!(events.last().unwrap()["code"], "cancelled", "{events:?}");
    }
}

#[tokio::test]
async fn a_login_that_is_taken_back_while_it_is_scanned_leaves_nothing_open() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    // A scan takes a millisecond or two: it is met a little later in each round.
    for requests_before in 0..10 {
        let all = (0..20).map(|_| async {
            let rest = daemon.rest();
            let (url, stream) = rest.login(json!({})).await;
            let mut phone = Phone::new();
            phone.connect(&relay.url()).await;
            let take_back = async {
                for _ in 0..requests_before {
                    rest.get("/health").await;
                }
                rest.delete(&format!("/key-handshake/{stream}"), json!({})).await
            };
            let (_, answer) = tokio::join!(phone.scan(&url), take_back);
            answer.data();
            assert_eq!(daemon.ended(&stream).await.last().unwrap()["code"], "cancelled");
        });
        futures_util::future::join_all(all).await;
    }
    let marker = daemon.rest().authenticate(Phone::new().key()).await;
    daemon.rest().delete(&format!("/key-handshake/{marker}"), json!({})).await.data();
    assert_eq!(daemon.metric("portico_open_challenges").await, 0.0);
}

#[tokio::test]
async fn a_one_time_url_serves_one_user() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().key_handshake(json!({})).await;
    let (mut first, mut second) = (Phone::new(), Phone::new());
    first.scan(&url).await;
    daemon.ended(&stream).await;
    second.scan(&url).await;
    let (next_url, next) = daemon.rest().key_handshake(json!({})).await;
    second.scan(&next_url).await;
    daemon.ended(&next).await;
    assert_eq!(daemon.rest().events(&stream).await.len(), 1);
    let token = |url: &str| url.split("&token=").nth(1).unwrap().to_owned();
    assert_ne!(token(&url), token(&next_url));
    assert!(token(&url).len() >= 22, "at least 128 random bits");
}

#[tokio::test]
async fn a_static_token_means_one_thing_at_a_time_and_must_make_sense() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    rest.login(json!({ "static_token": "wall" })).await;
    let conflict = rest.post("/key-handshake", json!({ "static_token": "wall" })).await;
    assert_eq!(conflict.refusal(), refused(409, "conflict"));
    for token in ["".to_owned(), "x".repeat(257), "a\nb".to_owned()] {
        let answer = rest.post("/login", json!({ "static_token": token })).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{token:?}");
    }
}
