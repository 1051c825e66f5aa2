use futures_util::future::join_all;
use portico::store::{Store, StreamId, TakenCode, WebSignIn, WebSignInId};

use crate::fixtures::*;

fn sign_in(n: u8) -> WebSignIn {
    WebSignIn {
        id: WebSignInId::from_bytes([n; 16]),
        browser: [n; 32],
        app: "shop".into(),
        return_url: "https://shop.example/signed-in".into(),
        state: Some("from ü".into()),
        language: None,
        stream: StreamId::from_bytes([n; 16]),
        url: "portal://npub1".into(),
        shown_until: at(300),
        renewals: 0,
        expires_at: at(1_000),
    }
}

async fn opened(store: &dyn Store, n: u8) -> WebSignIn {
    let sign_in = sign_in(n);
    store.open_web_sign_in(&sign_in, at(0)).await.unwrap();
    sign_in
}

pub(crate) async fn a_sign_in_comes_back_as_it_was_opened_until_it_is_forgotten(store: &dyn Store) {
    let first = opened(store, 1).await;
    assert_eq!(store.web_sign_in(first.id).await, Ok(Some((first.clone(), false))));
    assert_eq!(store.web_sign_in(sign_in(2).id).await, Ok(None));
    store.open_web_sign_in(&sign_in(2), at(1_000)).await.unwrap();
    assert!(store.web_sign_in(first.id).await.unwrap().is_some(), "it serves up to its last moment");
    store.open_web_sign_in(&WebSignIn { expires_at: at(2_000), ..sign_in(3) }, at(1_001)).await.unwrap();
    assert_eq!(store.web_sign_in(first.id).await, Ok(None));
    assert!(store.web_sign_in(sign_in(3).id).await.unwrap().is_some());
}

pub(crate) async fn of_a_hundred_who_renew_a_sign_in_one_does(store: &dyn Store) {
    let first = opened(store, 1).await;
    let renewed = |n: u8| WebSignIn {
        stream: StreamId::from_bytes([n; 16]),
        url: format!("portal://{n}"),
        renewals: 1,
        ..first.clone()
    };
    let renewals: Vec<_> = (100..200).map(renewed).collect();
    let done = join_all(renewals.iter().map(|one| store.renew_web_sign_in(one, first.stream))).await;
    let winners: Vec<_> = renewals.iter().zip(done).filter(|(_, done)| *done == Ok(true)).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.web_sign_in(first.id).await, Ok(Some((winners[0].0.clone(), false))));
}

pub(crate) async fn a_code_serves_its_app_once_and_in_time(store: &dyn Store) {
    let first = opened(store, 1).await;
    let take = async |code: u8, app, now| store.take_web_code(&[code; 32], app, at(now)).await.unwrap();
    assert_eq!(take(9, "shop", 0).await, TakenCode::Unknown);
    assert_eq!(store.offer_web_code(first.id, &[8; 32], at(60)).await, Ok(true));
    assert_eq!(store.offer_web_code(first.id, &[9; 32], at(60)).await, Ok(true));
    assert_eq!(take(8, "shop", 1).await, TakenCode::Unknown, "another one took its place");
    assert_eq!(take(9, "shop", 60).await, TakenCode::Good(Box::new(first.clone())));
    assert_eq!(take(9, "shop", 60).await, TakenCode::Used);
    assert_eq!(store.offer_web_code(first.id, &[7; 32], at(60)).await, Ok(false), "one code for one sign-in");
    assert_eq!(store.web_sign_in(first.id).await, Ok(Some((first, true))));

    let late = opened(store, 2).await;
    store.offer_web_code(late.id, &[10; 32], at(60)).await.unwrap();
    assert_eq!(take(10, "shop", 61).await, TakenCode::Expired);
    assert_eq!(store.offer_web_code(sign_in(3).id, &[11; 32], at(60)).await, Ok(false), "no such sign-in");
}

pub(crate) async fn a_code_that_another_app_shows_serves_nobody_any_more(store: &dyn Store) {
    let first = opened(store, 1).await;
    store.offer_web_code(first.id, &[9; 32], at(60)).await.unwrap();
    let other = store.take_web_code(&[9; 32], "blog", at(1)).await;
    assert_eq!(other, Ok(TakenCode::OfOtherApp("shop".into())));
    assert_eq!(store.take_web_code(&[9; 32], "shop", at(1)).await, Ok(TakenCode::Used));
}

pub(crate) async fn of_a_hundred_who_show_a_code_one_is_let_in(store: &dyn Store) {
    let first = opened(store, 1).await;
    store.offer_web_code(first.id, &[9; 32], at(60)).await.unwrap();
    let taken = join_all((0..100).map(|_| store.take_web_code(&[9; 32], "shop", at(1)))).await;
    let good = taken.iter().filter(|taken| matches!(taken, Ok(TakenCode::Good(_)))).count();
    let used = taken.iter().filter(|taken| **taken == Ok(TakenCode::Used)).count();
    assert_eq!((good, used), (1, 99));
}
