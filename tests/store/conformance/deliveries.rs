use portico::store::{Attempt, AuditKind, Delivery, DeliveryState, Handshake, Scan, Store};

use crate::fixtures::*;
use crate::people::audited;

pub(crate) async fn every_event_owes_a_delivery(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    store.open_challenge(&challenge("c", stream(2))).await.unwrap();
    assert!(heads(store).await.is_empty(), "nothing has happened yet");

    let login = Scan { challenge: Some(challenge("d", stream(1))), ..scan(1, &[stream(1)]) };
    store.record_scan(&login).await.unwrap().unwrap();
    store.close_challenge("d", &event("approved", 300), None).await.unwrap().unwrap();
    store.end_stream(stream(2), &event("error", 250)).await.unwrap().unwrap();
    assert_eq!(store.end_stream(stream(2), &event("error", 251)).await.unwrap(), None);

    let owed = store.undelivered(None, 10).await.unwrap();
    assert_eq!((owed.waiting, owed.failed), (3, 0));
    let first = Delivery {
        stream: stream(1),
        index: 1,
        since: at(200),
        attempts: 0,
        state: DeliveryState::Head(at(200)),
        last_error: None,
    };
    let second = Delivery { index: 2, since: at(300), state: DeliveryState::Behind, ..first.clone() };
    let other =
        Delivery { stream: stream(2), since: at(250), state: DeliveryState::Head(at(250)), ..first.clone() };
    assert_eq!(owed.deliveries, [first, second, other]);
}

pub(crate) async fn a_delivery_waits_for_the_one_before_it(store: &dyn Store) {
    happen(store, 1, 3).await;
    for n in 1..=3 {
        let head = only_head(store).await;
        assert_eq!((head.stream, head.index), (stream(1), n));
        assert!(store.record_attempt(&head, at(400), &Attempt::Delivered).await.unwrap());
        assert!(!store.record_attempt(&head, at(400), &Attempt::Delivered).await.unwrap(), "once is enough");
    }
    assert!(heads(store).await.is_empty());
    happen_again(store, 1, 4).await;
    assert_eq!(only_head(store).await.index, 4, "after a pause, too");
}

pub(crate) async fn streams_do_not_wait_for_each_other(store: &dyn Store) {
    for n in 1..=3 {
        happen(store, n, 2).await;
    }
    let first = heads(store).await.remove(0);
    again(store, &first, 900).await;
    let due: Vec<_> = heads(store).await.iter().map(|head| head.stream).collect();
    assert_eq!(due, [stream(2), stream(3), stream(1)], "those that are due first come first");
    assert_eq!(store.heads(2).await.unwrap().len(), 2);
}

pub(crate) async fn what_is_given_up_is_kept_and_holds_up_nobody(store: &dyn Store) {
    happen(store, 1, 2).await;
    let first = only_head(store).await;
    again(store, &first, 500).await;
    let tried = only_head(store).await;
    assert_eq!((tried.attempts, tried.state), (1, DeliveryState::Head(at(500))));
    assert_eq!(tried.last_error.as_deref(), Some("http_500"));

    give_up(store, &tried, 600).await;
    let second = only_head(store).await;
    assert_eq!((second.index, second.state), (2, DeliveryState::Head(at(600))));
    give_up(store, &second, 700).await;
    happen_again(store, 1, 3).await;
    assert_eq!(only_head(store).await.index, 3, "what comes later is tried");

    let kept = store.undelivered(Some(stream(1)), 10).await.unwrap();
    assert_eq!((kept.waiting, kept.failed), (1, 2));
    let states: Vec<_> = kept.deliveries.iter().map(|kept| kept.state).collect();
    let expected =
        [DeliveryState::Failed(at(600)), DeliveryState::Failed(at(700)), DeliveryState::Head(at(200))];
    assert_eq!(states, expected);
    assert_eq!(store.undelivered(Some(stream(2)), 10).await.unwrap(), Default::default());
    assert_eq!(store.undelivered(None, 1).await.unwrap().deliveries.len(), 1);
}

pub(crate) async fn deliveries_are_begun_anew_in_their_order(store: &dyn Store) {
    for n in 1..=2 {
        happen(store, n, 2).await;
        let first = heads(store).await.into_iter().find(|head| head.stream == stream(n)).unwrap();
        give_up(store, &first, 600).await;
    }
    let second = heads(store).await.remove(0);
    assert_eq!(retry_deliveries(store, Some(second.stream), 800).await, 2);

    let anew = heads(store).await.into_iter().find(|head| head.stream == second.stream).unwrap();
    assert_eq!((anew.index, anew.attempts, anew.since), (1, 0, at(800)));
    assert_eq!(store.undelivered(None, 0).await.unwrap().failed, 1, "the other stream's");
    assert_eq!(retry_deliveries(store, None, 900).await, 4);
    let indexes: Vec<_> = heads(store).await.iter().map(|head| head.index).collect();
    assert_eq!(indexes, [1, 1]);
    let told = [800, 900].map(|secs| asked(AuditKind::WebhooksRetried, secs));
    assert_eq!(audited(store).await, told);
}

pub(crate) async fn an_attempt_from_before_an_operators_word_changes_nothing_but_arrival(store: &dyn Store) {
    happen(store, 1, 2).await;
    let first = only_head(store).await;
    give_up(store, &first, 600).await;
    let under_way = only_head(store).await;
    retry_deliveries(store, None, 700).await;
    let failed = Attempt::GivenUp { error: "timed_out".into() };
    assert!(!store.record_attempt(&under_way, at(710), &failed).await.unwrap());
    assert_eq!(store.undelivered(None, 0).await.unwrap().failed, 0);

    assert!(store.record_attempt(&under_way, at(720), &Attempt::Delivered).await.unwrap());
    let left = only_head(store).await;
    assert_eq!((left.index, left.since), (1, at(700)));
}

pub(crate) async fn what_is_dropped_is_not_delivered_and_its_events_stay(store: &dyn Store) {
    for n in 1..=2 {
        happen(store, n, 2).await;
    }
    let under_way = heads(store).await.remove(0);
    assert_eq!(drop_deliveries(store, Some(under_way.stream)).await, 2);
    assert!(!store.record_attempt(&under_way, at(400), &Attempt::Delivered).await.unwrap());
    assert_eq!(page(store, under_way.stream).await.events.len(), 2);
    assert_eq!(only_head(store).await.index, 1);
    assert_eq!(drop_deliveries(store, None).await, 2);
    assert_eq!(drop_deliveries(store, None).await, 0);
    let told = asked(AuditKind::WebhooksDropped, 500);
    assert_eq!(audited(store).await, [told.clone(), told], "where nothing is dropped, nothing is told");
    assert_eq!(store.undelivered(None, 10).await.unwrap(), Default::default());
}

/// A static URL on stream `n`, scanned `times` times.
async fn happen(store: &dyn Store, n: u8, times: u8) {
    let on_a_wall = Handshake { token: n.to_string(), ..static_login(stream(n)) };
    store.open_handshake(&on_a_wall).await.unwrap();
    for time in 1..=times {
        happen_again(store, n, time).await;
    }
}

async fn happen_again(store: &dyn Store, n: u8, time: u8) {
    let scan = Scan { one_time: false, ..scan(10 * n + time, &[stream(n)]) };
    store.record_scan(&scan).await.unwrap().unwrap();
}

async fn heads(store: &dyn Store) -> Vec<Delivery> {
    store.heads(10).await.unwrap()
}

async fn only_head(store: &dyn Store) -> Delivery {
    let mut heads = heads(store).await;
    assert_eq!(heads.len(), 1, "{heads:?}");
    heads.remove(0)
}

async fn again(store: &dyn Store, delivery: &Delivery, secs: u64) {
    let attempt = Attempt::Again { next_at: at(secs), error: "http_500".into() };
    assert!(store.record_attempt(delivery, at(400), &attempt).await.unwrap());
}

async fn give_up(store: &dyn Store, delivery: &Delivery, secs: u64) {
    let attempt = Attempt::GivenUp { error: "timed_out".into() };
    assert!(store.record_attempt(delivery, at(secs), &attempt).await.unwrap());
}
