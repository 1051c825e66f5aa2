use portico::store::{Handshake, HandshakeKind, Scan, Store, StoreError};

use crate::fixtures::*;

pub(crate) async fn a_store_that_can_be_written_says_so(store: &dyn Store) {
    store.check().await.unwrap();
    store.close().await;
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
}

pub(crate) async fn events_are_numbered_from_one_without_gaps(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    for n in 1..=5 {
        let scan = Scan { one_time: false, ..scan(n, &[stream(1)]) };
        let stored = store.record_scan(&scan).await.unwrap().unwrap();
        assert_eq!(stored[0].1.index, u64::from(n));
        assert_eq!(stored[0].1.body, scan.events[0].1.body);
    }
    assert_eq!(page(store, stream(1)).await.events.len(), 5);
    for (after, limit, expected) in
        [(0, 2, vec![1, 2]), (2, 2, vec![3, 4]), (4, 9, vec![5]), (5, 9, vec![]), (0, 0, vec![])]
    {
        let page = store.events_after(stream(1), after, limit).await.unwrap().unwrap();
        let indexes: Vec<u64> = page.events.iter().map(|event| event.index).collect();
        assert_eq!(indexes, expected, "{limit} after {after}");
        assert!(!page.ended);
    }
    let beyond = store.events_after(stream(1), u64::MAX, usize::MAX).await.unwrap().unwrap();
    assert!(beyond.events.is_empty());
}

pub(crate) async fn a_page_tells_of_the_end_though_the_last_event_lies_beyond_it(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    store.record_scan(&Scan { one_time: false, ..scan(1, &[stream(1)]) }).await.unwrap();
    store.end_stream(stream(1), &event("error", 300)).await.unwrap();
    let page = store.events_after(stream(1), 0, 1).await.unwrap().unwrap();
    assert_eq!((page.events.len(), page.ended), (1, true));
}

pub(crate) async fn a_stream_that_never_was_has_no_page_and_no_end(store: &dyn Store) {
    assert_eq!(store.events_after(stream(1), 0, 10).await.unwrap(), None);
    assert_eq!(store.end_stream(stream(1), &event("error", 300)).await.unwrap(), None);
    assert_eq!(store.events_after(stream(1), 0, 10).await.unwrap(), None);
}

pub(crate) async fn a_stream_ends_once(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let last = store.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();
    assert_eq!((last.index, last.at), (1, at(300)));
    assert_eq!(store.end_stream(stream(1), &event("error", 301)).await.unwrap(), None);
    let page = page(store, stream(1)).await;
    assert_eq!((page.events, page.ended), (vec![last], true));
}

pub(crate) async fn the_end_of_a_stream_is_the_end_of_its_handshake_and_challenges(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    for (event_id, name) in [(1, "a"), (2, "b")] {
        let challenge = challenge(name, stream(1));
        let scan = Scan { one_time: false, challenge: Some(challenge), ..scan(event_id, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
    }
    store.open_challenge(&challenge("of another stream", stream(2))).await.unwrap();

    store.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();

    let open = recovered(store).await;
    assert!(open.handshakes.is_empty());
    assert_eq!(open.challenges, [challenge("of another stream", stream(2))]);
    assert_eq!(store.close_challenge("a", &event("late", 301), None).await.unwrap(), None);
    let late = Scan { one_time: false, ..scan(3, &[stream(1)]) };
    assert_eq!(store.record_scan(&late).await.unwrap(), None);
    assert_eq!(page(store, stream(1)).await.events.len(), 3);
}

pub(crate) async fn a_stream_that_is_there_already_is_a_conflict(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let again = Handshake { token: "another".into(), ..handshake(stream(1)) };
    assert_eq!(store.open_handshake(&again).await, Err(StoreError::Conflict));
    let same = challenge("c", stream(1));
    assert_eq!(store.open_challenge(&same).await, Err(StoreError::Conflict));
    let open = recovered(store).await;
    assert_eq!((open.handshakes, open.challenges), (vec![handshake(stream(1))], vec![]));
}

pub(crate) async fn a_handshake_comes_back_as_it_was_opened(store: &dyn Store) {
    let all = [
        handshake(stream(1)),
        static_login(stream(2)),
        Handshake { token: String::new(), no_request: false, ..handshake(stream(3)) },
        Handshake { token: "wall; '\"\0 ✓".into(), kind: HandshakeKind::Login, ..handshake(stream(4)) },
    ];
    for handshake in &all {
        store.open_handshake(handshake).await.unwrap();
    }
    assert_eq!(recovered(store).await.handshakes, all);
}
