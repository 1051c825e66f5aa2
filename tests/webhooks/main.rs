//! Webhooks from outside: the built daemon, a receiver over real sockets that is down, slow or wrong, and a
//! daemon that dies in between.

mod operator;
mod receiver;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use serde_json::{Value, json};
use support::beginning::{Member, asked_to_log_in};
use support::daemon::Daemon;
use support::phone::Phone;
use support::relay::TestRelay;

use receiver::{Mood, Receiver, indexes};

/// A daemon that tells this receiver of everything.
async fn daemon(relay: &TestRelay, receiver: &Receiver) -> Daemon {
    Daemon::on(&[relay]).with_config(&receiver.config()).start_subscribed(&[relay]).await
}

/// Opens a handshake and takes it back: one event, on the stream that is returned.
async fn something_happens(daemon: &Daemon) -> String {
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), Value::Null).await.data();
    stream
}

#[tokio::test]
async fn every_event_of_a_login_is_posted_as_callers_see_it() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Takes).await);
    let daemon = daemon(&relay, &receiver).await;
    let (mut phone, asked, stream) = asked_to_log_in(&daemon).await;
    phone.approve(&asked).await;

    let came = receiver.until_came(&stream, 2).await;
    let posted: Vec<Value> = came.into_iter().map(|one| one.body).collect();
    let mut expected = daemon.ended(&stream).await;
    expected.iter_mut().for_each(|event| event["stream_id"] = stream.clone().into());
    assert_eq!(posted, expected);
    assert!(posted[1]["status"]["session_token"].as_str().unwrap().starts_with("eyJ"));
}

#[tokio::test]
async fn the_beginning_and_the_end_of_a_session_are_posted() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Takes).await);
    let config = format!("{}[sessions]\nenabled = true\n", receiver.config());
    let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    daemon.rest().post("/auth/logout", json!({ "access_token": member.access_token() })).await.data();
    let mut came = receiver.until_came(member.session(), 2).await;
    came.retain(|one| one.body["stream_id"] == member.session());
    let told: Vec<_> = came.iter().map(|one| one.body["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["session_created", "session_revoked"]);
    assert!(came.iter().all(|one| one.body["user_id"] == member.id()));
    assert_eq!(came[1].body["reason"], "logout");
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_everything_in_order() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Answers(500)).await);
    let daemon = daemon(&relay, &receiver).await;
    let (url, stream) = daemon.rest().key_handshake(json!({ "static_token": "wall" })).await;
    for _ in 0..3 {
        Phone::new().scan(&url).await;
    }
    daemon.events(&stream, 3).await;
    let refused = receiver.until("a second attempt", |came| came.len() >= 2).await;
    assert_eq!(indexes(&refused, &stream), [1], "the second event waits for the first");

    receiver.now(Mood::Takes);
    let came = receiver.until_came(&stream, 3).await;
    assert_eq!(indexes(&came, &stream), [1, 2, 3]);
}

#[tokio::test]
async fn each_try_is_signed_with_its_own_time_so_that_an_old_one_cannot_be_replayed() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Answers(500)).await);
    let config = receiver.config().replace("20ms", "1s").replace("50ms", "1s");
    let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let before = support::now();
    something_happens(&daemon).await;
    // The waits between three tries are 1.5 s at least.
    let came = receiver.until("a third attempt", |came| came.len() >= 3).await;
    assert!(came.iter().all(|one| one.id == came[0].id && one.body == came[0].body));
    let times: Vec<_> = came.iter().map(|one| one.timestamp).collect();
    assert!(times.is_sorted() && times[0] >= before && times[2] > times[0], "{times:?} from {before}");
}

#[tokio::test]
async fn a_daemon_killed_between_event_and_delivery_loses_and_reorders_nothing() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Hangs).await);
    let mut daemon = daemon(&relay, &receiver).await;
    let (url, stream) = daemon.rest().key_handshake(json!({ "static_token": "wall" })).await;
    for _ in 0..3 {
        Phone::new().scan(&url).await;
    }
    daemon.events(&stream, 3).await;
    receiver.until_came(&stream, 1).await;
    daemon.kill_9().await;

    receiver.now(Mood::Takes);
    let daemon = daemon.restart().await;
    let came = receiver.until_came(&stream, 3).await;
    assert_eq!(indexes(&came, &stream), [1, 2, 3]);
    drop(daemon);
}

#[tokio::test]
async fn a_receiver_that_hangs_on_one_stream_holds_up_no_other() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Takes).await);
    let daemon = daemon(&relay, &receiver).await;
    let (_, stuck) = daemon.rest().key_handshake(json!({})).await;
    receiver.now_towards(&stuck, Mood::Hangs);
    daemon.rest().delete(&format!("/key-handshake/{stuck}"), Value::Null).await.data();
    receiver.until_came(&stuck, 1).await;
    for _ in 0..5 {
        let stream = something_happens(&daemon).await;
        receiver.until_came(&stream, 1).await;
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_on_in_time_and_asked_again() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Hangs).await);
    let config = receiver.config() + "timeout = \"50ms\"\nmax_concurrent = 1\n";
    let daemon = Daemon::on(&[&relay]).with_config(&config).start().await;
    let streams = [something_happens(&daemon).await, something_happens(&daemon).await];
    receiver.until("a second attempt", |came| came.len() >= 3).await;
    receiver.now(Mood::Takes);
    for stream in &streams {
        receiver.until_came(stream, 1).await;
    }
    daemon.until_logged("timed_out").await;
}

#[tokio::test]
async fn an_answer_without_end_and_a_redirect_do_no_harm() {
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Redirects).await);
    let daemon = daemon(&relay, &receiver).await;
    let stream = something_happens(&daemon).await;
    // The receiver insists on its own path: a redirect that was followed would be an error there.
    let came = receiver.until("a second attempt", |came| came.len() >= 2).await;
    assert_eq!(indexes(&came, &stream), [1]);
    receiver.now(Mood::Babbles);
    daemon.until_logged("http_307").await;
    let next = something_happens(&daemon).await;
    receiver.until_came(&next, 1).await;
}
