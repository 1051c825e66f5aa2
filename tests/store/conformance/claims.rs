use std::time::Duration;

use futures_util::future::join_all;
use nostr_sdk::PublicKey;
use portico::store::{Novelty, PromptRules, Rate, ShownRequest, Store, TooManyPrompts, Visit};

use crate::fixtures::*;

const RULES: PromptRules = PromptRules {
    max_open: 3,
    max_in_window: 10,
    window: Duration::from_secs(600),
    ttl: Duration::from_secs(300),
};

const RATE: Rate = Rate { most: 3, window: Duration::from_secs(60) };

/// The challenge that is begun in a second and asks these keys.
async fn ask(store: &dyn Store, keys: &[PublicKey], secs: u64) -> Option<TooManyPrompts> {
    store.claim_prompt(&name(keys, secs), keys, at(10_000 + secs), &RULES).await.unwrap()
}

async fn end(store: &dyn Store, keys: &[PublicKey], secs: u64) {
    store.end_prompt(&name(keys, secs), keys).await;
}

fn name(keys: &[PublicKey], secs: u64) -> String {
    format!("{} at {secs}", keys[0])
}

fn open(secs: u64) -> Option<TooManyPrompts> {
    Some(TooManyPrompts::Open(Duration::from_secs(secs)))
}

fn in_window(secs: u64) -> Option<TooManyPrompts> {
    Some(TooManyPrompts::InWindow(Duration::from_secs(secs)))
}

pub(crate) async fn prompt_bombing_stops_at_three_open_challenges(store: &dyn Store) {
    for second in 0..3 {
        assert_eq!(ask(store, &[user(1)], second).await, None);
    }
    assert_eq!(ask(store, &[user(1)], 10).await, open(290));
    assert_eq!(ask(store, &[user(2)], 10).await, None, "others are asked");
    end(store, &[user(1)], 1).await;
    assert_eq!(ask(store, &[user(1)], 11).await, None);
    assert!(ask(store, &[user(1)], 12).await.is_some());
}

pub(crate) async fn prompt_bombing_stops_at_ten_prompts_in_ten_minutes_even_when_each_is_declined(
    store: &dyn Store,
) {
    for second in 0..10 {
        assert_eq!(ask(store, &[user(1)], second).await, None);
        end(store, &[user(1)], second).await;
    }
    assert_eq!(ask(store, &[user(1)], 100).await, in_window(500));
    assert_eq!(ask(store, &[user(1)], 599).await, in_window(1));
    assert_eq!(ask(store, &[user(1)], 600).await, None);
    assert_eq!(ask(store, &[user(1)], 600).await, in_window(1), "the next place is free a second later");
}

pub(crate) async fn prompt_bombing_of_one_key_as_the_subkey_of_ever_new_users_stops_too(store: &dyn Store) {
    let mut asked = 0;
    for n in 10..20 {
        asked += usize::from(ask(store, &[user(n), user(1)], n.into()).await.is_none());
    }
    assert_eq!(asked, 3);
    for second in 0..3 {
        assert_eq!(ask(store, &[user(19)], second).await, None, "what was refused costs them nothing");
    }
}

pub(crate) async fn a_prompt_that_was_never_sent_does_not_count(store: &dyn Store) {
    for second in 0..50 {
        let keys = [user(1), user(2)];
        assert_eq!(ask(store, &keys, second).await, None);
        store.withdraw_prompt(&name(&keys, second), &keys).await;
    }
}

pub(crate) async fn of_a_hundred_who_ask_a_user_as_many_do_as_may(store: &dyn Store) {
    let now = at(10_000);
    let names: Vec<_> = (0..100).map(|n| format!("challenge {n}")).collect();
    let keys = [user(2), user(1)];
    let asked = join_all(names.iter().map(|name| store.claim_prompt(name, &keys, now, &RULES))).await;
    assert_eq!(asked.iter().filter(|asked| **asked == Ok(None)).count(), 3);
    assert_eq!(asked.iter().filter(|asked| **asked == Ok(open(300))).count(), 97);
}

pub(crate) async fn prompts_while_the_clock_was_ahead_lock_nobody_out_for_that_long(store: &dyn Store) {
    for second in 0..10 {
        assert_eq!(ask(store, &[user(1)], 100_000 + second).await, None);
        end(store, &[user(1)], 100_000 + second).await;
    }
    assert_eq!(ask(store, &[user(1)], 0).await, in_window(600));
    assert_eq!(ask(store, &[user(1)], 600).await, None);
}

async fn come(store: &dyn Store, visit: Visit, wallet: &str, secs: u64) -> Option<u64> {
    let refused = store.claim_visit(visit, ("portal", wallet), at(10_000 + secs), RATE).await.unwrap();
    refused.map(|wait| wait.as_secs())
}

pub(crate) async fn a_wallet_comes_so_often_within_any_window(store: &dyn Store) {
    for second in [0, 20, 40] {
        assert_eq!(come(store, Visit::Login, "a", second).await, None);
    }
    assert_eq!(come(store, Visit::Login, "a", 59).await, Some(1));
    assert_eq!(come(store, Visit::Login, "a", 60).await, None);
    assert_eq!(come(store, Visit::Login, "a", 60).await, Some(20));
    store.tidy_claims(at(10_060)).await.unwrap();
    assert_eq!(come(store, Visit::Login, "a", 61).await, Some(19), "what still matters is not dropped");
}

pub(crate) async fn wallets_and_what_they_come_for_are_counted_apart(store: &dyn Store) {
    for _ in 0..3 {
        assert_eq!(come(store, Visit::Login, "a", 0).await, None);
    }
    assert!(come(store, Visit::Login, "a", 1).await.is_some());
    assert_eq!(come(store, Visit::Refresh, "a", 1).await, None);
    assert_eq!(come(store, Visit::Login, "b", 1).await, None);
    let elsewhere = store.claim_visit(Visit::Login, ("nip98", "a"), at(10_001), RATE).await;
    assert_eq!(elsewhere, Ok(None));
}

pub(crate) async fn of_a_hundred_visits_of_a_wallet_as_many_go_through_as_may(store: &dyn Store) {
    let came = join_all((0..100).map(|_| come(store, Visit::Refresh, "a", 0))).await;
    assert_eq!(came.iter().filter(|came| came.is_none()).count(), 3);
    assert_eq!(came.iter().filter(|came| **came == Some(60)).count(), 97);
}

pub(crate) async fn visits_while_the_clock_was_ahead_lock_nobody_out_for_that_long(store: &dyn Store) {
    for _ in 0..3 {
        assert_eq!(come(store, Visit::Login, "a", 700_000).await, None);
    }
    assert_eq!(come(store, Visit::Login, "a", 0).await, Some(60), "they still count");
    assert_eq!(come(store, Visit::Login, "a", 60).await, None);
}

/// Shown when it was signed, by a clock that nobody set.
async fn show(store: &dyn Store, n: u8, secs: u64) -> bool {
    let shown = ShownRequest { id: [n; 32], signed_at: at(10_000 + secs) };
    let now = at(10_000 + secs);
    let novelty = store.claim_request(&shown, now, now, Duration::from_secs(121)).await.unwrap();
    matches!(novelty, Novelty::New | Novelty::NewToAll)
}

pub(crate) async fn a_signed_request_is_new_once(store: &dyn Store) {
    assert!(show(store, 1, 0).await);
    assert!(show(store, 2, 0).await);
    assert!(!show(store, 1, 0).await);
    let again = ShownRequest { id: [1; 32], signed_at: at(10_000) };
    let later = at(10_120);
    let novelty = store.claim_request(&again, later, later, Duration::from_secs(121)).await;
    assert_eq!(novelty, Ok(Novelty::Known), "to its last moment");
}

pub(crate) async fn of_a_hundred_who_show_a_signed_request_one_is_let_in(store: &dyn Store) {
    let shown = join_all((0..100).map(|_| show(store, 1, 0))).await;
    assert_eq!(shown.into_iter().filter(|shown| *shown).count(), 1);
}
