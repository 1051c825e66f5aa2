use futures_util::future::join_all;
use portico::store::{Store, StoreError};

use crate::fixtures::*;

pub(crate) async fn a_text_serves_once_and_only_if_it_was_offered(store: &dyn Store) {
    assert!(!store.take_sign_in(&[1; 32]).await.unwrap());
    assert_eq!(store.offer_sign_in(&[1; 32], at(200), at(100), 10).await, Ok(None));
    assert_eq!(store.offer_sign_in(&[1; 32], at(200), at(100), 10).await, Err(StoreError::Conflict));
    assert!(!store.take_sign_in(&[2; 32]).await.unwrap());
    assert!(store.take_sign_in(&[1; 32]).await.unwrap());
    assert!(!store.take_sign_in(&[1; 32]).await.unwrap());
}

pub(crate) async fn of_a_hundred_who_sign_a_text_one_is_let_in(store: &dyn Store) {
    store.offer_sign_in(&[1; 32], at(200), at(100), 10).await.unwrap();
    let taken = join_all((0..100).map(|_| store.take_sign_in(&[1; 32]))).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken == Ok(true)).count(), 1);
}

pub(crate) async fn what_has_expired_makes_room(store: &dyn Store) {
    let offer = async |n: u8, expires, now| store.offer_sign_in(&[n; 32], at(expires), at(now), 2).await;
    assert_eq!(offer(1, 150, 100).await, Ok(None));
    assert_eq!(offer(2, 200, 100).await, Ok(None));
    assert_eq!(offer(3, 300, 150).await, Ok(Some(at(150))), "it serves up to its last moment");
    assert_eq!(offer(3, 300, 151).await, Ok(None));
    assert!(!store.take_sign_in(&[1; 32]).await.unwrap());
    assert!(store.take_sign_in(&[2; 32]).await.unwrap());
}
