use portico::store::{Challenge, Scan, Store, StoreError};

use crate::fixtures::*;

pub(crate) async fn a_one_time_url_ends_with_its_scan(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let stored = store.record_scan(&scan(1, &[stream(1)])).await.unwrap().unwrap();
    assert_eq!(stored.len(), 1);
    let page = page(store, stream(1)).await;
    assert_eq!((page.events, page.ended), (vec![stored[0].1.clone()], true));
    assert!(recovered(store).await.handshakes.is_empty());
    assert_eq!(store.record_scan(&scan(2, &[stream(1)])).await.unwrap(), None);
}

pub(crate) async fn a_login_url_goes_on_with_its_challenge_and_ends_with_the_answer(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let asked = challenge("c", stream(1));
    let scan = Scan { challenge: Some(asked.clone()), ..scan(1, &[stream(1)]) };
    store.record_scan(&scan).await.unwrap().unwrap();
    assert!(!page(store, stream(1)).await.ended);
    let open = recovered(store).await;
    assert_eq!((open.handshakes, open.challenges), (vec![], vec![asked]));

    let (answer, _) = store.close_challenge("c", &event("approved", 300), None).await.unwrap().unwrap();
    assert_eq!(answer.index, 2);
    assert!(page(store, stream(1)).await.ended);
}

pub(crate) async fn a_static_url_serves_every_next_user(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    for n in 1..=3 {
        let scan = Scan { user: user(n), one_time: false, ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
    }
    assert_eq!(recovered(store).await.handshakes, [static_login(stream(1))]);
    assert!(!page(store, stream(1)).await.ended);
}

pub(crate) async fn a_static_login_url_outlives_its_answers(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    for (n, name) in [(1, "a"), (2, "b")] {
        let challenge = Challenge { user: user(n), ends_stream: false, ..challenge(name, stream(1)) };
        let scan = Scan { one_time: false, challenge: Some(challenge), ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
    }
    store.close_challenge("a", &event("approved", 300), None).await.unwrap().unwrap();

    let open = recovered(store).await;
    assert_eq!(open.handshakes, [static_login(stream(1))]);
    assert_eq!(open.challenges.len(), 1, "the other user's challenge waits on");
    assert!(!page(store, stream(1)).await.ended);
}

/// Replay: a relay sends a wallet's scan again, to have its user asked again.
pub(crate) async fn a_replayed_scan_does_nothing(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    let first = Scan { one_time: false, ..scan(1, &[stream(1)]) };
    store.record_scan(&first).await.unwrap().unwrap();

    store.open_handshake(&static_login(stream(2))).await.unwrap();
    let replay = Scan {
        preferred_relays: vec!["wss://evil.example".into()],
        challenge: Some(challenge("c", stream(1))),
        ..Scan { one_time: false, ..scan(1, &[stream(1), stream(2)]) }
    };
    assert_eq!(store.record_scan(&replay).await.unwrap(), None);
    assert_eq!(page(store, stream(1)).await.events.len(), 1);
    assert!(page(store, stream(2)).await.events.is_empty());
    assert!(recovered(store).await.challenges.is_empty());
    assert_eq!(store.preferred_relays(&user(1)).await.unwrap(), first.preferred_relays);
}

pub(crate) async fn a_scan_that_finds_nothing_open_leaves_no_trace(store: &dyn Store) {
    let early = Scan { challenge: Some(challenge("c", stream(1))), ..scan(1, &[stream(1)]) };
    assert_eq!(store.record_scan(&early).await.unwrap(), None);
    assert_eq!(store.record_scan(&scan(1, &[])).await.unwrap(), None);
    assert!(store.preferred_relays(&user(1)).await.unwrap().is_empty());
    assert!(recovered(store).await.asked.is_empty());

    store.open_handshake(&handshake(stream(1))).await.unwrap();
    assert!(store.record_scan(&early).await.unwrap().is_some(), "it had had no effect yet");
}

pub(crate) async fn a_scan_leaves_out_what_is_closed(store: &dyn Store) {
    for n in [1, 2, 3] {
        store.open_handshake(&static_login(stream(n))).await.unwrap();
    }
    store.end_stream(stream(2), &event("error", 150)).await.unwrap();
    let scan = Scan {
        one_time: false,
        challenge: Some(challenge("c", stream(2))),
        ..scan(1, &[stream(3), stream(2), stream(1)])
    };
    let stored = store.record_scan(&scan).await.unwrap().unwrap();
    let streams: Vec<_> = stored.iter().map(|(stream, _)| *stream).collect();
    assert_eq!(streams, [stream(3), stream(1)]);
    assert!(recovered(store).await.challenges.is_empty(), "nobody would hear its outcome");
    assert_eq!(page(store, stream(2)).await.events.len(), 1);
}

pub(crate) async fn a_scan_whose_challenge_is_taken_is_undone(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(2))).await.unwrap();
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let taken = Scan { challenge: Some(challenge("c", stream(1))), ..scan(1, &[stream(1)]) };
    assert_eq!(store.record_scan(&taken).await, Err(StoreError::Conflict));
    assert_eq!(recovered(store).await.handshakes, [handshake(stream(1))]);
    assert!(page(store, stream(1)).await.events.is_empty());

    let anew = Scan { challenge: Some(challenge("d", stream(1))), ..taken };
    assert!(store.record_scan(&anew).await.unwrap().is_some(), "the same scan, with a fresh challenge");
}
