//! A relay that may not hold our subscription is not ready, and is asked again.

use std::time::Duration;

use nostr_sdk::prelude::Event;
use portico::clock::Timestamp;
use portico::relay::{Instead, LinkError, RelayHealth, RelayOptions, RelayState};

use crate::bench::{Bench, options, soon};
use crate::support::relay::TestRelay;

#[tokio::test]
async fn a_subscription_that_a_relay_ends_in_whatever_shape_is_opened_again() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    let huge = format!(r#"["CLOSED","{{sub}}","error: {}"]"#, "x".repeat(90_000));
    for (frame, times) in [
        (r#"["CLOSED","{sub}"]"#, 1),
        (r#"["CLOSED","{sub}",null]"#, 2),
        (r#"["CLOSED","{sub}",42]"#, 3),
        (r#"["CLOSED","{sub}","error: x",{"more":[1]},2]"#, 4),
        (" [ \"CLOSED\" ,\r\n \"\\u0070ortico\" ] ", 5),
        (r#"["CLOSED"]"#, 6),
        (&huge, 7),
    ] {
        relay.close_by(frame);
        relay.until_subscribed(1).await;
        let event = bench.response(frame);
        relay.publish(&event);
        assert_eq!(bench.event().await, event, "after {frame:.80}");
        assert_eq!(bench.health(&relay).counters.closed, times);
    }
    assert_eq!(relay.state().connections_seen, 1);
}

#[tokio::test]
async fn a_relay_that_has_ended_the_subscription_is_not_ready_and_its_reason_is_told_without_control_characters()
 {
    let relay = TestRelay::start().await;
    // So long a back-off that it is still waiting when it is looked at.
    let options = RelayOptions { retry: Duration::from_secs(1000), ..options([relay.url()]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    soon("a ready relay", bench.relays.ready()).await;
    relay.close_by(&format!(r#"["CLOSED","{{sub}}","error: a\n\u001b[31m{}"]"#, "b".repeat(50_000)));
    bench.until(&relay, "not ready", |health| health.state == RelayState::Subscribing).await;
    let Some(LinkError::SubscriptionClosed(reason)) = bench.health(&relay).last_error else {
        panic!("{:?}", bench.health(&relay))
    };
    assert!(reason.starts_with("error: a") && reason.len() <= 200, "{reason}");
    assert!(!reason.contains(char::is_control), "{reason}");
}

#[tokio::test]
async fn the_end_of_somebody_elses_subscription_is_nothing_to_ours() {
    let relay = TestRelay::start().await;
    let mut bench = Bench::ready(&[&relay]).await;
    for frame in [r#"["CLOSED","ask-99","error: x"]"#, r#"["CLOSED","PORTICO"]"#, r#"["CLOSED",""]"#] {
        relay.inject(frame);
    }
    let event = bench.response("after");
    relay.publish(&event);
    assert_eq!(bench.event().await, event);
    assert_eq!((bench.health(&relay).counters.closed, relay.state().reqs_seen), (0, 1));
}

#[tokio::test]
async fn a_relay_that_sends_a_notice_in_place_of_eose_is_not_ready_and_is_asked_again() {
    let relay = TestRelay::with().instead_of_eose(r#"["NOTICE","ERROR: bad req"]"#).start().await;
    // Long enough for the notice to come before, on a machine busy with other things.
    let options = RelayOptions { eose_timeout: Duration::from_secs(1), ..options([relay.url()]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    bench.until(&relay, "doubts", |health| health.counters.closed == 2).await;
    relay.until("another question", |state| state.reqs_seen == 3).await;
    let health = bench.health(&relay);
    assert_eq!((health.state, health.ready_since), (RelayState::Subscribing, None));
    assert_eq!(health.last_error, Some(LinkError::Unconfirmed(Instead::Notice("ERROR: bad req".into()))));
    assert_eq!(health.last_notice.as_deref(), Some("ERROR: bad req"));
    assert!(health.counters.notices >= 2, "{health:?}");
    assert!(!bench.relays.any_ready_since(Timestamp::from_secs(0)), "it never was");
}

#[tokio::test]
async fn a_relay_that_sends_neither_eose_nor_a_notice_is_taken_for_ready() {
    let relay = TestRelay::with().instead_of_eose("").start().await;
    let options = RelayOptions { eose_timeout: Duration::from_millis(20), ..options([relay.url()]) };
    let mut bench = Bench::with(options, |_: &Event| true).await;
    soon("a ready relay", bench.relays.ready()).await;
    let event = bench.response("hello");
    relay.publish(&event);
    assert_eq!(bench.event().await, event);
}

/// The relay answers the first question so, says `then` and falls silent.
async fn falls_silent(first: &'static str, then: Option<&str>, told: Instead) {
    let relay = TestRelay::with().answers_once(first).start().await;
    let options = RelayOptions { eose_timeout: Duration::from_secs(1), ..options([relay.url()]) };
    let mut bench = Bench::with(options, |_: &Event| true).await;
    if let Some(frame) = then {
        soon("a ready relay", bench.relays.ready()).await;
        relay.close_by(frame);
    }
    bench.until(&relay, "doubts", |health| health.counters.closed == 3).await;
    let health = bench.health(&relay);
    assert_eq!((health.state, health.ready_since), (RelayState::Subscribing, None), "{first} {then:?}");
    assert_eq!(health.last_error, Some(LinkError::Unconfirmed(told)), "{first} {then:?}");

    relay.close_all();
    let doubted = |health: &RelayHealth| health.counters.connected == 2 && health.counters.closed >= 5;
    bench.until(&relay, "doubts about the next connection", doubted).await;
    assert_eq!(bench.health(&relay).state, RelayState::Subscribing, "{first} {then:?}");

    let event = bench.response("it is open");
    let is_ready = |health: &RelayHealth| {
        relay.publish(&event);
        health.state == RelayState::Ready
    };
    bench.until(&relay, "ready by an event", is_ready).await;
    assert_eq!(bench.event().await, event);
}

#[tokio::test]
async fn a_relay_that_falls_silent_after_it_said_anything_else_is_not_ready_until_it_delivers() {
    const EOSE: &str = r#"["EOSE","{sub}"]"#;
    let (closed, notice) =
        (|text: &str| Instead::Closed(text.into()), |text: &str| Instead::Notice(text.into()));
    tokio::join!(
        falls_silent(EOSE, Some(r#"["CLOSED","{sub}","x"]"#), closed("x")),
        falls_silent(r#"["CLOSED","{sub}","auth-required: x"]"#, None, closed("auth-required: x")),
        falls_silent(EOSE, Some(r#"["NOTICE","error: x"]"#), notice("error: x")),
        falls_silent(r#"["NOTICE",""]"#, None, notice("")),
    );
}

#[tokio::test]
async fn a_notice_later_on_makes_it_ask_whether_the_subscription_is_still_open() {
    let relay = TestRelay::start().await;
    let bench = Bench::ready(&[&relay]).await;
    // The relay forgets the subscription, and says so in a notice alone.
    relay.close_by(r#"["NOTICE","closed: too many subscriptions"]"#);
    relay.until_subscribed(1).await;
    assert_eq!(bench.health(&relay).last_notice.as_deref(), Some("closed: too many subscriptions"));
    assert_eq!(relay.state().reqs_seen, 2);
}

#[tokio::test]
async fn an_answer_without_its_last_element_counts() {
    let relay = TestRelay::with().terse().start().await;
    let bench = Bench::ready(&[&relay]).await;
    bench.relays.publish(bench.challenge());
    bench.until(&relay, "an OK", |health| health.counters.accepted == 1).await;
    for (frame, accepted, refused) in [
        (format!(r#"["OK","{}",true,null]"#, "a".repeat(64)), 2, 0),
        (format!(r#"["OK","{}",false]"#, "B".repeat(64)), 2, 1),
        (format!(r#"["OK","{}",true,"{}",7]"#, "a".repeat(64), "x".repeat(9000)), 3, 1),
    ] {
        relay.inject(&frame);
        bench
            .until(&relay, &format!("{frame:.90}"), |health| {
                (health.counters.accepted, health.counters.refused) == (accepted, refused)
            })
            .await;
    }
    let refused = format!(r#"["OK","{}",false,"blocked: a\nb{}"]"#, "b".repeat(64), "x".repeat(9000));
    relay.inject(&refused);
    bench.until(&relay, "a refusal", |health| health.counters.refused == 2).await;
    let reason = bench.health(&relay).last_refusal.unwrap();
    assert!(reason.starts_with("blocked: a") && reason.len() <= 200, "{reason}");
    assert!(!reason.contains(char::is_control), "{reason}");
}

#[tokio::test]
async fn it_logs_in_where_a_relay_answers_with_as_little_as_it_can() {
    let relay = TestRelay::with().terse().requires_auth().start().await;
    let options = RelayOptions { retry: Duration::from_millis(100), ..options([relay.url()]) };
    let bench = Bench::with(options, |_: &Event| true).await;
    soon("a ready relay", bench.relays.ready()).await;
    assert_eq!(relay.state().logins, 1);
}

#[tokio::test]
async fn any_other_text_in_place_of_eose_is_no_silence_and_is_told() {
    let other = "0000000000000000000000000000000000000000000000000000000000000001";
    let unknown: &'static str = format!(r#"["OK","{other}",false,"blocked: no subs"]"#).leak();
    for frame in [
        r#"["OK","portico",false,"blocked: no subs"]"#,
        unknown,
        r#"["WAT"]"#,
        r#"{"error":"bad req"}"#,
        r#"["EOSE","PORTICO"]"#,
        r#"["CLOSED","Portico","x"]"#,
        "no",
    ] {
        let relay = TestRelay::with().instead_of_eose(frame).start().await;
        let options = RelayOptions { eose_timeout: Duration::from_secs(1), ..options([relay.url()]) };
        let bench = Bench::with(options, |_: &Event| true).await;
        bench.until(&relay, "doubts", |health| health.counters.closed == 1).await;
        let told = bench.health(&relay).last_error;
        assert_eq!(told, Some(LinkError::Unconfirmed(Instead::Strange(frame.to_owned()))), "{frame}");
        assert!(!bench.relays.any_ready_since(Timestamp::from_secs(0)), "{frame}");
    }
}
