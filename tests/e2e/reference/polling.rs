//! Programs that poll a stream, as the SDKs of the REST API do: `GET /events/{id}`, and from the first event on with
//! `after`. They take the first event of a handshake for a scan, whatever its type.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

/// What an SDK asks while it waits.
async fn poll(rest: &Rest, stream: &str) -> crate::support::rest::Answer {
    rest.get(&format!("/events/{stream}")).await
}

fn events(told: &Value) -> &Vec<Value> {
    told["events"].as_array().unwrap()
}

#[tokio::test]
async fn a_handshake_that_ends_unscanned_fails_the_poll_and_is_an_event_for_everybody_else() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    let (_, stream) = rest.key_handshake(json!({ "static_token": null, "no_request": false })).await;
    let open = poll(&rest, &stream).await.data();
    assert_eq!((events(&open).len(), &open["ended"]), (0, &json!(false)));
    rest.delete(&format!("/key-handshake/{stream}"), json!({})).await.data();

    let answer = poll(&rest, &stream).await;
    assert_eq!(answer.refusal(), refused(410, "cancelled"));
    assert!(answer.json()["error"].as_str().unwrap().contains("scanned"), "{answer:?}");
    for query in ["?after=0", "?wait=0", "?wait=5", "?after=0&wait=5"] {
        let told = rest.get(&format!("/events/{stream}{query}")).await.data();
        let [event] = &events(&told)[..] else { panic!("{told}") };
        assert_eq!((&event["type"], &event["code"]), (&json!("error"), &json!("cancelled")));
        assert_eq!((&event["request"], &told["ended"]), (&json!("key_handshake"), &json!(true)));
    }
    let followed = rest.clone().with("accept", "text/event-stream").get(&format!("/events/{stream}")).await;
    assert!(followed.text.contains("\"type\":\"error\""), "{followed:?}");
}

#[tokio::test]
async fn a_handshake_that_was_scanned_is_told_even_if_it_ended_in_an_error_later() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let rest = daemon.rest();
    let (url, stream) = rest.key_handshake(json!({ "static_token": "wall" })).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    daemon.events(&stream, 1).await;
    rest.delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
    let told = poll(&rest, &stream).await.data();
    assert_eq!((events(&told).len(), &events(&told)[0]["type"]), (2, &json!("key_handshake")));
}

#[tokio::test]
async fn what_the_reference_never_ends_without_an_event_ends_with_one_for_every_poll() {
    let daemon = Daemon::offline().start().await;
    let rest = daemon.rest();
    let (_, login) = rest.login(json!({})).await;
    let question = rest.authenticate(Phone::new().key()).await;
    for stream in [&login, &question] {
        rest.delete(&format!("/key-handshake/{stream}"), json!({})).await.data();
        let told = poll(&rest, stream).await.data();
        assert_eq!((events(&told).len(), &events(&told)[0]["type"]), (1, &json!("error")));
        assert!(events(&told)[0].get("request").is_none(), "{told}");
    }
}

#[tokio::test]
async fn nothing_recurs_here_and_so_nothing_is_closed() {
    let daemon = Daemon::offline().with_tcp().start().await;
    for rest in [daemon.rest(), daemon.rest_over_tcp()] {
        for query in ["", "?after=0", "?after=7&wait=30"] {
            let path = format!("/events/recurring-payment-close{query}");
            let told = rest.get(&path).await.data();
            assert_eq!(
                (&told["stream_id"], &told["events"]),
                (&json!("recurring-payment-close"), &json!([]))
            );
        }
        let path = "/events/recurring-payment-close";
        let followed = rest.clone().with("accept", "text/event-stream").get(path).await;
        assert_eq!(followed.status, 204);
    }
    let stranger = daemon.rest_over_tcp().without("authorization");
    let answer = stranger.get("/events/recurring-payment-close").await;
    assert_eq!(answer.refusal(), refused(401, "unauthorized"));
}
