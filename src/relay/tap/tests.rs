use super::super::inbound::tests::inbound;
use super::*;
use crate::clock::Timestamp;
use nostr_sdk::prelude::{Event, EventBuilder, JsonUtil, Keys};

const LOGIN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

impl Tap {
    pub(in crate::relay) fn inbound(&self) -> &Inbound {
        &self.inbound
    }
}

struct Bench {
    tap: Arc<Tap>,
    controls: mpsc::Sender<Control>,
    heard: mpsc::Receiver<Control>,
}

fn bench(origin: Origin, queue: usize) -> Bench {
    let whose = Whose { url: "wss://relay.example".parse().unwrap(), origin, public_only: false };
    let (inbound, _) = inbound(|_: &Event| true);
    let tap = Tap::new(whose, Arc::new(inbound), Health::new(Timestamp::from_secs(1)), queue);
    let (controls, heard) = tap.connected();
    Bench { tap, controls, heard }
}

/// A frame of our subscription with an event of this kind that says so much.
fn event(kind: u16, length: usize) -> String {
    let event = EventBuilder::new(nostr_sdk::Kind::from_u16(kind), "x".repeat(length));
    let event = event.sign_with_keys(&Keys::generate()).unwrap();
    format!(r#"["EVENT","portico",{}]"#, event.as_json())
}

impl Bench {
    /// Takes a frame; returns the challenge if it asks for a login.
    fn take(&self, frame: &str) -> Option<String> {
        self.tap.sort(frame.into(), &self.controls, EventId::from_hex(LOGIN).ok())
    }
}

#[tokio::test]
async fn only_a_request_to_log_in_leads_to_a_login() {
    let bench = bench(Origin::Operator, 8);
    for frame in [r#"["AUTH","challenge"]"#, r#"["AUTH","challenge",null,"#] {
        assert_eq!(bench.take(frame).as_deref(), Some("challenge"), "{frame}");
    }
    for frame in [
        &format!(r#"["OK","{LOGIN}",true,""]"#),
        r#"["EVENT","portico",{}]"#,
        r#"["EVENT","somebody-else",{}]"#,
        r#"["EOSE","portico"]"#,
        r#"["CLOSED","portico","error: x"]"#,
        r#"["NOTICE","x"]"#,
        &format!(r#"["OK","{}",true]"#, "b".repeat(64)),
        r#"["OK","bbbb",true,""]"#,
        r#"["COUNT","x",{"count":1}]"#,
        "garbage",
    ] {
        assert_eq!(bench.take(frame), None, "{frame}");
    }
}

#[tokio::test]
async fn garbage_that_looks_like_nip_42_counts_as_garbage() {
    let bench = bench(Origin::Operator, 8);
    let long = format!(r#"["AUTH","{}"]"#, "x".repeat(5000));
    for frame in [r#"["AUTH","unterminated]"#, &long, &format!(r#"["OK","{LOGIN}",garbage"#)] {
        assert_eq!(bench.take(frame), None, "{frame}");
    }
    assert_eq!(bench.tap.health.tally.garbage.get(), 3);
}

#[tokio::test]
async fn the_end_of_our_subscription_is_told_in_any_shape_and_size_and_that_of_another_is_not() {
    let mut bench = bench(Origin::Operator, 8);
    let huge = format!(r#"["CLOSED","portico","error: {}"]"#, "x".repeat(500_000));
    for (frame, reason) in [
        (r#"["CLOSED","portico"]"#, ""),
        (r#"["CLOSED","portico",null]"#, ""),
        (r#"["CLOSED","portic\u006f",7,8]"#, "7"),
        (r#"["CLOSED"]"#, ""),
        (&huge, "error: xxx"),
    ] {
        bench.take(frame);
        let Ok(Control::Closed(told)) = bench.heard.try_recv() else { panic!("{frame}") };
        assert!(told.starts_with(reason) && told.len() <= 200, "{told}");
    }
    for frame in [r#"["CLOSED","Portico","x"]"#, r#"["CLOSED","",null]"#, r#"["EOSE","Portico"]"#] {
        bench.take(frame);
        assert!(matches!(bench.heard.try_recv(), Ok(Control::Strange { may_end: false, .. })), "{frame}");
        bench.tap.wondered();
    }
    bench.take(r#"["CLOSED","ask-7"]"#);
    assert!(bench.heard.try_recv().is_err(), "it may be the late end of a question");
}

#[tokio::test]
async fn a_flood_of_unknown_frames_leaves_room_for_those_that_count() {
    let mut bench = bench(Origin::Preferred, 8);
    for _ in 0..1000 {
        bench.take(r#"["WAT"]"#);
    }
    bench.take(r#"["EOSE","portico"]"#);
    assert!(matches!(bench.heard.try_recv(), Ok(Control::Strange { may_end: true, .. })));
    assert!(matches!(bench.heard.try_recv(), Ok(Control::Eose)));
    assert_eq!(bench.tap.health.tally.dropped.get(), 0);
}

#[tokio::test]
async fn whether_a_login_is_accepted_or_refused_is_told() {
    let mut bench = bench(Origin::Operator, 8);
    bench.take(&format!(r#"["OK","{LOGIN}",false,"restricted: no"]"#));
    let Ok(Control::LoginRefused(reason)) = bench.heard.try_recv() else { panic!("it is not told") };
    assert_eq!(reason, "restricted: no");
    bench.take(&format!(r#"["OK","{LOGIN}",true,""]"#));
    assert!(matches!(bench.heard.try_recv(), Ok(Control::Authenticated)));
}

#[tokio::test]
async fn events_beyond_the_queue_are_dropped_and_counted_and_the_loss_is_told() {
    let bench = bench(Origin::Operator, 2);
    for _ in 0..5 {
        bench.take(&event(27001, 10));
    }
    assert_eq!(bench.tap.events.len(), 2);
    assert_eq!(bench.tap.health.tally.dropped.get(), 3);
    bench.tap.lost.notified().await;
}

#[tokio::test]
async fn a_strangers_relay_cannot_make_us_hold_more_bytes_than_its_part_whatever_it_sends() {
    for length in [1, 1000, 30_000, 87_000] {
        let bench = bench(Origin::Preferred, 100_000);
        let frame = event(27001, length);
        for _ in 0..1000 {
            bench.take(&frame);
            bench.take(r#"["NOTICE","x"]"#);
            bench.take(&format!(r#"["NOTICE","{}"]"#, "x".repeat(4000)));
        }
        assert!(bench.tap.events.len() * frame.len() <= bench.tap.max_queued(), "{length}");
        assert!(bench.tap.events.len() > 0, "{length}");
        assert!(bench.heard.len() <= 64, "{length}");
    }
}

#[tokio::test]
async fn what_is_longer_than_any_message_is_not_kept_and_is_no_lie_of_the_relay() {
    let bench = bench(Origin::Operator, 8);
    let frame = event(27001, 126 << 10);
    for _ in 0..2000 {
        bench.take(&frame);
    }
    assert_eq!((bench.tap.events.len(), bench.tap.health.tally.garbage.get()), (0, 2000));
    let hostile = tokio::time::timeout(Duration::ZERO, bench.tap.hostile.notified()).await;
    assert!(hostile.is_err(), "an honest relay passes on what strangers publish");
}

#[tokio::test]
async fn a_relay_that_sends_what_nobody_subscribed_to_turns_hostile() {
    let frames = [event(1, 10), "garbage".to_owned(), r#"["EVENT","portico",{}]"#.to_owned()];
    for frame in frames {
        let bench = bench(Origin::Operator, 8);
        for _ in 0..2000 {
            bench.take(&frame);
        }
        assert_eq!(bench.tap.events.len(), 0);
        tokio::time::timeout(Duration::ZERO, bench.tap.hostile.notified()).await.expect(&frame);
    }
}
