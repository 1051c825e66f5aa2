use futures_util::future::join_all;
use portico::store::{Scan, Store, StreamId};

use crate::fixtures::*;

pub(crate) async fn of_a_hundred_who_close_a_challenge_one_does(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    let answers = join_all((0..100).map(|n| async move {
        let outcome = event(&format!("answer {n}"), 200);
        let answer = store.close_challenge("c", &outcome, Some(&approval(n))).await.unwrap();
        answer.map(|(event, _)| (n, event))
    }))
    .await;
    let winners: Vec<_> = answers.into_iter().flatten().collect();
    let [(winner, event)] = winners.as_slice() else { panic!("{} of them closed it", winners.len()) };
    assert_eq!(page(store, stream(1)).await.events, std::slice::from_ref(event));
    for n in 0..100 {
        let known = store.user_of_signer(&user(n)).await.unwrap();
        assert_eq!(known.is_some(), n == *winner);
    }
}

pub(crate) async fn of_a_hundred_who_scan_a_one_time_url_one_does(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    let answers = join_all((0..100).map(|n| async move {
        let scan = Scan { user: user(n), ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap()
    }))
    .await;
    assert_eq!(answers.iter().flatten().count(), 1);
    assert_eq!(page(store, stream(1)).await.events.len(), 1);
}

pub(crate) async fn every_writer_of_many_gets_its_own_place_in_the_stream(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    let answers = join_all((0..=255).map(|n| async move {
        let scan = Scan { one_time: false, ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap().remove(0).1.index
    }))
    .await;
    let mut indexes = answers;
    indexes.sort_unstable();
    assert_eq!(indexes, (1..=256).collect::<Vec<u64>>());
    let stored: Vec<u64> = page(store, stream(1)).await.events.iter().map(|event| event.index).collect();
    assert_eq!(stored, indexes);
}

/// A page and its `ended` are of the same moment: else a follower would stop before the last event.
pub(crate) async fn a_follower_that_sees_the_end_has_seen_every_event(store: &dyn Store) {
    for round in 0..20 {
        let stream = stream(round);
        store.open_challenge(&challenge(&round.to_string(), stream)).await.unwrap();
        let outcome = event("approved", 200);
        let name = round.to_string();
        let (seen, closed) =
            tokio::join!(followed_to_the_end(store, stream), store.close_challenge(&name, &outcome, None));
        assert!(closed.unwrap().is_some());
        assert_eq!(seen, 1);
    }
}

async fn followed_to_the_end(store: &dyn Store, stream: StreamId) -> usize {
    loop {
        let page = page(store, stream).await;
        if page.ended {
            return page.events.len();
        }
    }
}
