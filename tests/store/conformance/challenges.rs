use portico::store::{Challenge, Store, StoreError};

use crate::fixtures::*;

pub(crate) async fn a_challenge_comes_back_as_it_was_opened(store: &dyn Store) {
    let all = [
        challenge("a", stream(1)),
        Challenge { relays: vec![], envelopes: vec![], ends_stream: false, ..challenge("b", stream(2)) },
        Challenge { renewals: 255, user: user(9), created_at: at(101), ..challenge("c", stream(3)) },
    ];
    for challenge in &all {
        store.open_challenge(challenge).await.unwrap();
    }
    assert_eq!(recovered(store).await.challenges, all);
    assert!(page(store, stream(1)).await.events.is_empty());
}

pub(crate) async fn a_challenge_that_is_there_already_is_a_conflict(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    let again = challenge("c", stream(2));
    assert_eq!(store.open_challenge(&again).await, Err(StoreError::Conflict));
    assert_eq!(store.events_after(stream(2), 0, 1).await.unwrap(), None, "its stream was undone with it");
    store.close_challenge("c", &event("declined", 200), None).await.unwrap().unwrap();
    assert_eq!(store.open_challenge(&again).await, Err(StoreError::Conflict), "closed is not forgotten");
}

pub(crate) async fn new_envelopes_join_the_old_ones_or_take_their_place_while_it_is_open(store: &dyn Store) {
    let opened = challenge("c", stream(1));
    store.open_challenge(&opened).await.unwrap();
    assert!(store.put_envelope("c", &envelope(1, "anew"), 1).await.unwrap());
    assert!(store.put_envelope("c", &envelope(9, "one more"), 1).await.unwrap());
    let mut envelopes = opened.envelopes.clone();
    envelopes.retain(|known| known.recipient != envelope(1, "").recipient);
    envelopes.insert(0, envelope(1, "anew"));
    envelopes.push(envelope(9, "one more"));
    let expected = Challenge { envelopes, renewals: 1, ..opened };
    assert_eq!(recovered(store).await.challenges, [expected]);

    store.close_challenge("c", &event("declined", 200), None).await.unwrap().unwrap();
    assert!(!store.put_envelope("c", &envelope(1, "late"), 2).await.unwrap());
    assert!(!store.put_envelope("unheard of", &envelope(1, "x"), 1).await.unwrap());
}

pub(crate) async fn an_approval_teaches_whose_the_signing_key_is(store: &dyn Store) {
    store.open_challenge(&challenge("a", stream(1))).await.unwrap();
    store.open_challenge(&challenge("b", stream(2))).await.unwrap();
    for (name, signer) in [("a", 1), ("b", 7)] {
        store.close_challenge(name, &event("approved", 200), Some(&approval(signer))).await.unwrap().unwrap();
    }
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), Some(user(1)));
    assert_eq!(store.user_of_signer(&user(7)).await.unwrap(), Some(user(1)), "a subkey of the user's");
    assert_eq!(store.user_of_signer(&user(2)).await.unwrap(), None);
}

pub(crate) async fn a_refusal_teaches_nothing(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    let (outcome, _) = store.close_challenge("c", &event("declined", 200), None).await.unwrap().unwrap();
    let page = page(store, stream(1)).await;
    assert_eq!((page.events, page.ended), (vec![outcome], true));
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), None);
}

/// Double spending: a second answer must neither be told nor count as somebody's login.
pub(crate) async fn an_answer_that_comes_twice_counts_once(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    store.close_challenge("c", &event("declined", 200), None).await.unwrap().unwrap();
    let second = store.close_challenge("c", &event("approved", 201), Some(&approval(1))).await.unwrap();
    assert_eq!(second, None);
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), None);
    assert_eq!(page(store, stream(1)).await.events.len(), 1);
}

/// Prompt bombing: a challenge that was answered, or ended with its stream, still counts as a prompt.
pub(crate) async fn whoever_was_asked_stays_counted_when_the_challenge_is_closed(store: &dyn Store) {
    for n in 1..=4 {
        let challenge = Challenge {
            user: user(n),
            created_at: at(100 + u64::from(n)),
            ..challenge(&n.to_string(), stream(n))
        };
        store.open_challenge(&challenge).await.unwrap();
    }
    store.close_challenge("3", &event("declined", 200), None).await.unwrap().unwrap();
    store.end_stream(stream(4), &event("error", 200)).await.unwrap().unwrap();
    let asked = store.recover(at(102)).await.unwrap().asked;
    assert_eq!(asked, [(user(2), at(102)), (user(3), at(103)), (user(4), at(104))]);
}
