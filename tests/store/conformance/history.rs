use portico::clock::ClockSeen;
use portico::store::{
    Attempt, AuditKind, Challenge, Handshake, KnownSubkey, PurgeBefore, RelayChange, Replay, Revocation,
    Scan, Store, StoreError,
};

use crate::fixtures::*;
use crate::people::*;

pub(crate) async fn the_last_change_of_a_relay_holds_until_it_is_forgotten(store: &dyn Store) {
    let (added, removed) = (AuditKind::RelayAdded, AuditKind::RelayRemoved);
    store.change_relay("wss://a", RelayChange::Added, at(1), &asked(added, 1)).await.unwrap();
    store.change_relay("wss://b", RelayChange::Removed, at(2), &asked(removed, 2)).await.unwrap();
    store.change_relay("wss://a", RelayChange::Removed, at(3), &asked(removed, 3)).await.unwrap();
    let expected =
        [("wss://b".to_owned(), RelayChange::Removed), ("wss://a".to_owned(), RelayChange::Removed)];
    assert_eq!(store.relay_changes().await.unwrap(), expected);
    store.forget_relay_change("wss://b", Some(&asked(added, 4))).await.unwrap();
    store.forget_relay_change("wss://never.heard.of", None).await.unwrap();
    assert_eq!(store.relay_changes().await.unwrap(), expected[1..]);
    let told = [asked(added, 1), asked(removed, 2), asked(removed, 3), asked(added, 4)];
    assert_eq!(audited(store).await, told, "each with its change");
}

pub(crate) async fn a_token_is_revoked_once_and_until_it_expires(store: &dyn Store) {
    let (short, long) = (revocation(1, 200), revocation(2, 300));
    assert!(revoke(store, &short, 100).await);
    assert!(revoke(store, &long, 100).await);
    assert!(!revoke(store, &short, 101).await);
    let told = asked(AuditKind::TokenRevoked, 100);
    assert_eq!(audited(store).await, [told.clone(), told], "what was revoked before is not told");
    assert_eq!(store.revocations(at(199)).await.unwrap(), [short, long]);
    assert_eq!(store.revocations(at(200)).await.unwrap(), [long]);
}

pub(crate) async fn what_was_seen_of_the_clock_is_the_last_that_was_told(store: &dyn Store) {
    assert_eq!(store.clock_seen().await.unwrap(), None);
    for secs in [300, 200] {
        let seen = ClockSeen {
            highest: at(secs + 1),
            settled: at(secs),
            steady_for: std::time::Duration::from_millis(secs * 7),
        };
        store.see_clock(&seen).await.unwrap();
        assert_eq!(store.clock_seen().await.unwrap(), Some(seen));
    }
}

pub(crate) async fn a_purge_drops_what_its_limits_say_and_nothing_else(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    // Users 1, 2 and 3 scan at 100, 200 and 300; user 1 logs in with the challenge of stream 11.
    for n in 1..=3_u8 {
        let secs = u64::from(n) * 100;
        let scan = Scan { user: user(n), at: at(secs), one_time: false, ..scan(n, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
        let asked = Challenge { created_at: at(secs), ..challenge(&n.to_string(), stream(10 + n)) };
        store.open_challenge(&asked).await.unwrap();
        revoke(store, &revocation(n, secs), 50).await;
    }
    store.remember_subkey(&user(2), &subkey_of(2, 200), 8).await.unwrap();
    store.close_challenge("1", &event("approved", 150), Some(&approval(1))).await.unwrap().unwrap();

    assert_eq!(store.purge(&purge_nothing()).await.unwrap(), 0);
    let revocations = PurgeBefore { revocations: at(200), ..purge_nothing() };
    assert_eq!(store.purge(&revocations).await.unwrap(), 1);
    assert_eq!(store.revocations(at(0)).await.unwrap(), [revocation(2, 200), revocation(3, 300)]);

    let challenges = PurgeBefore { challenges: at(999), ..purge_nothing() };
    assert_eq!(store.purge(&challenges).await.unwrap(), 1, "open challenges stay, however old");
    assert_eq!(recovered(store).await.asked, [(user(1), at(200)), (user(1), at(300))]);

    let strangers = PurgeBefore { strangers: at(300), ..purge_nothing() };
    assert_eq!(store.purge(&strangers).await.unwrap(), 1);
    assert!(!store.preferred_relays(&user(1)).await.unwrap().is_empty(), "logged in once");
    assert!(store.preferred_relays(&user(2)).await.unwrap().is_empty());
    assert!(store.subkeys(&user(2)).await.unwrap().is_empty());
    assert!(!store.preferred_relays(&user(3)).await.unwrap().is_empty(), "scanned later");
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), Some(user(1)));

    assert_eq!(store.purge(&PurgeBefore { scans: at(300), ..purge_nothing() }).await.unwrap(), 2);
    assert_eq!(page(store, stream(1)).await.events.len(), 3, "streams are not history");
}

pub(crate) async fn a_purge_takes_any_number_of_rows(store: &dyn Store) {
    let revocations: Vec<Revocation> = (0..2_500_u32)
        .map(|n| {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&n.to_be_bytes());
            Revocation { digest, expires_at: at(100) }
        })
        .collect();
    futures_util::future::join_all(revocations.iter().map(|one| revoke(store, one, 50))).await;
    let all = PurgeBefore { revocations: at(101), ..purge_nothing() };
    assert_eq!(store.purge(&all).await.unwrap(), 2_500);
    assert!(store.revocations(at(0)).await.unwrap().is_empty());
}

/// Replay: the id is forgotten, but a URL that was used up stays so.
pub(crate) async fn a_replay_of_a_purged_scan_finds_a_used_url_closed(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    store.record_scan(&scan(1, &[stream(1)])).await.unwrap().unwrap();
    assert_eq!(store.purge(&PurgeBefore { scans: at(999), ..purge_nothing() }).await.unwrap(), 1);
    assert_eq!(store.record_scan(&scan(1, &[stream(1)])).await.unwrap(), None);
}

pub(crate) async fn a_purge_of_streams_takes_those_that_ended_long_ago_whole(store: &dyn Store) {
    for n in 1..=3 {
        store.open_handshake(&Handshake { token: n.to_string(), ..static_login(stream(n)) }).await.unwrap();
        let scan = Scan { one_time: false, ..scan(n, &[stream(n)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
    }
    store.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();
    store.end_stream(stream(2), &event("error", 301)).await.unwrap().unwrap();
    drop_deliveries(store, None).await;

    let before = PurgeBefore { streams: at(301), ..purge_nothing() };
    assert_eq!(store.purge(&before).await.unwrap(), 3, "two events and their stream");
    assert_eq!(store.events_after(stream(1), 0, 9).await.unwrap(), None);
    assert_eq!(page(store, stream(2)).await.events.len(), 2, "ended later");
    let all = PurgeBefore { streams: at(u64::MAX), ..purge_nothing() };
    assert_eq!(store.purge(&all).await.unwrap(), 3);
    assert_eq!(page(store, stream(3)).await.events.len(), 1, "open streams stay, however old");
    assert_eq!(recovered(store).await.handshakes.len(), 1);
}

pub(crate) async fn a_purge_leaves_streams_that_somebody_still_needs(store: &dyn Store) {
    let old = PurgeBefore { streams: at(999), ..purge_nothing() };
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    store.close_challenge("c", &event("approved", 300), None).await.unwrap().unwrap();
    store.open_handshake(&handshake(stream(2))).await.unwrap();
    store.end_stream(stream(2), &event("error", 300)).await.unwrap().unwrap();
    assert_eq!(store.purge(&old).await.unwrap(), 0, "deliveries wait");
    let patient = PurgeBefore { deliveries: at(300), ..old };
    assert_eq!(store.purge(&patient).await.unwrap(), 0, "and have waited no longer than they may");

    for head in store.heads(9).await.unwrap() {
        let given_up = Attempt::GivenUp { error: "timed_out".into() };
        store.record_attempt(&head, at(400), &given_up).await.unwrap();
    }
    assert_eq!(store.purge(&old).await.unwrap(), 2, "what was given up goes with its stream");
    assert_eq!(store.undelivered(None, 9).await.unwrap().failed, 1);
    assert_eq!(
        recovered(store).await.asked.len(),
        1,
        "whoever was asked stays counted, and the stream with it"
    );

    let both = PurgeBefore { challenges: at(999), ..old };
    assert_eq!(store.purge(&both).await.unwrap(), 3);
    assert_eq!(store.undelivered(None, 9).await.unwrap(), Default::default());
}

pub(crate) async fn a_delivery_that_nobody_makes_does_not_keep_its_stream_for_ever(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    store.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();
    let impatient = PurgeBefore { streams: at(999), deliveries: at(301), ..purge_nothing() };
    assert_eq!(store.purge(&impatient).await.unwrap(), 2);
    assert!(store.heads(9).await.unwrap().is_empty());
}

pub(crate) async fn a_purge_takes_a_stream_of_any_length(store: &dyn Store) {
    store.open_handshake(&static_login(stream(1))).await.unwrap();
    let scans = (0..2_500_u32).map(|n| async move {
        let mut event_id = [0; 32];
        event_id[..4].copy_from_slice(&n.to_be_bytes());
        let scan = Scan { event_id, one_time: false, ..scan(1, &[stream(1)]) };
        store.record_scan(&scan).await.unwrap().unwrap();
    });
    futures_util::future::join_all(scans).await;
    store.end_stream(stream(1), &event("error", 300)).await.unwrap().unwrap();
    drop_deliveries(store, None).await;
    let before = PurgeBefore { streams: at(301), ..purge_nothing() };
    assert_eq!(store.purge(&before).await.unwrap(), 2_502);
    assert_eq!(store.events_after(stream(1), 0, 9).await.unwrap(), None);
}

pub(crate) async fn a_store_says_how_much_room_it_takes_and_grows(store: &dyn Store) {
    let before = store.size().await.expect("a size");
    for n in 0..100 {
        let long = Challenge { relays: vec!["x".repeat(10_000)], ..challenge(&n.to_string(), stream(n)) };
        store.open_challenge(&long).await.unwrap();
    }
    let after = store.size().await.expect("a size");
    assert!(before > 0 && after >= before + 100_000, "{before} and then {after} bytes");
}

pub(crate) async fn a_closed_store_is_unavailable(store: &dyn Store) {
    store.open_handshake(&handshake(stream(1))).await.unwrap();
    begin(store, 9, &person(1)).await;
    assert!(store.user(user_id(1)).await.unwrap().is_some());
    tokio::join!(store.close(), store.close());
    let write = store.end_stream(stream(1), &event("error", 300)).await;
    assert!(matches!(write, Err(StoreError::Unavailable(_))));
    let read = store.events_after(stream(1), 0, 1).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))));
    let asked_before = store.user(user_id(1)).await;
    assert!(matches!(asked_before, Err(StoreError::Unavailable(_))));
    store.close().await;
}

pub(crate) async fn a_signed_request_is_used_up_once_and_is_no_revocation(store: &dyn Store) {
    let shown = |n: u8, secs| Replay { digest: [n; 32], expires_at: at(secs) };
    assert!(store.use_up(&shown(1, 100)).await.unwrap());
    assert!(store.use_up(&shown(2, 200)).await.unwrap());
    assert!(!store.use_up(&shown(1, 100)).await.unwrap());
    assert!(store.revocations(at(0)).await.unwrap().is_empty(), "they do not fill the bound of revocations");

    let expired = PurgeBefore { replays: at(101), ..purge_nothing() };
    assert_eq!(store.purge(&expired).await.unwrap(), 1);
    assert!(!store.use_up(&shown(2, 200)).await.unwrap(), "it could be shown again");
    assert!(store.use_up(&shown(1, 300)).await.unwrap());
}

/// A daemon of before kept them among the revocations.
pub(crate) async fn a_signed_request_that_was_shown_before_an_upgrade_stays_used_up(store: &dyn Store) {
    revoke(store, &revocation(1, 100), 50).await;
    assert!(!store.use_up(&Replay { digest: [1; 32], expires_at: at(100) }).await.unwrap());
}

fn revocation(n: u8, expires_at: u64) -> Revocation {
    Revocation { digest: [n; 32], expires_at: at(expires_at) }
}

fn subkey_of(n: u8, seen_at: u64) -> KnownSubkey {
    KnownSubkey { key: user(100 + n), proof: "{}".into(), seen_at: at(seen_at) }
}
