//! Two daemons on one database do two things at the same moment that exclude each other, over and over.

use std::time::Duration;

use futures_util::future::join_all;
use portico::store::postgres::PostgresStore;
use portico::store::{
    Accounts, Attempt, AuditKind, Claims, Deliveries, Logins, PromptRules, Scan, StoreError, Streams, User,
};

use crate::fixtures::*;
use crate::people::*;
use crate::store::{new_database, open};
use crate::support::soon;

async fn two() -> (PostgresStore, PostgresStore) {
    let url = new_database().await;
    (open(&url).await, open(&url).await)
}

/// An event that is appended behind a head that is delivered at the same moment must not wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_while_earlier_ones_are_delivered_are_delivered_too() {
    const EVENTS: u32 = 300;
    let (one, other) = two().await;
    one.open_handshake(&static_login(stream(1))).await.unwrap();
    let happening = async {
        for n in 0..EVENTS {
            let mut event_id = [0; 32];
            event_id[..4].copy_from_slice(&n.to_be_bytes());
            let scan = Scan { event_id, one_time: false, ..scan(1, &[stream(1)]) };
            one.record_scan(&scan).await.unwrap().unwrap();
        }
    };
    // It goes on for as long as something waits.
    let delivering = async {
        let mut delivered = 0;
        while delivered < EVENTS {
            for head in other.heads(1).await.unwrap() {
                delivered +=
                    u32::from(other.record_attempt(&head, at(300), &Attempt::Delivered).await.unwrap());
            }
        }
    };
    soon("a delivery of every event", async { tokio::join!(happening, delivering) }).await;
    assert_eq!(one.undelivered(None, 0).await.unwrap().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_url_that_two_users_scan_at_two_daemons_asks_one_of_them() {
    let (one, other) = two().await;
    for n in 0..60 {
        one.open_handshake(&handshake(stream(n))).await.unwrap();
        let by = |user_n: u8| {
            let asked = challenge(&format!("{n} by {user_n}"), stream(n));
            Scan { user: user(user_n), challenge: Some(asked), ..scan(n * 2 + user_n, &[stream(n)]) }
        };
        let (first, second) = (by(0), by(1));
        let (first, second) = tokio::join!(one.record_scan(&first), other.record_scan(&second));
        let scanned = [first.unwrap(), second.unwrap()];
        assert_eq!(scanned.iter().flatten().count(), 1, "round {n}");
        assert_eq!(page(&one, stream(n)).await.events.len(), 1);
    }
    assert_eq!(recovered(&one).await.challenges.len(), 60);
}

/// Each daemon hears the same scan from a relay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_two_daemons_hear_counts_once_though_the_url_is_static() {
    let (one, other) = two().await;
    one.open_handshake(&static_login(stream(1))).await.unwrap();
    for n in 0..60 {
        let heard = Scan {
            one_time: false,
            challenge: Some(challenge(&n.to_string(), stream(1))),
            ..scan(n, &[stream(1)])
        };
        let (first, second) = tokio::join!(one.record_scan(&heard), other.record_scan(&heard));
        assert!(first.unwrap().is_some() != second.unwrap().is_some(), "round {n}");
    }
    assert_eq!(page(&one, stream(1)).await.latest, 60);
}

/// Whoever is disabled must not slip in by a login that was checked a moment before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_disabled_at_one_daemon_while_they_log_in_at_another_has_no_session() {
    let (one, other) = two().await;
    for n in 0..60 {
        let user = person(n);
        one.add_user(&user, &audit(AuditKind::UserInvited, user.id, 50)).await.unwrap();
        let login = login(100 + n, &user, Some(1));
        let disabled = User { disabled: true, revision: 2, ..user.clone() };
        let (changed, why) = (audit(AuditKind::UserChanged, user.id, 200), why("user_disabled", 200));
        let (begun, ended) =
            tokio::join!(one.begin_session(&login), other.change_user(&disabled, Some(&why), &changed));
        let ended = ended.unwrap().expect("a login does not count as a change");
        match begun {
            Ok(_) => assert_eq!(ids(&ended), [stream(100 + n)], "the login came first"),
            Err(error) => assert_eq!((error, ended), (StoreError::Conflict, vec![])),
        }
        assert_eq!(one.active_sessions(at(200)).await.unwrap(), 0, "round {n}");
        let page = other.events_after(stream(100 + n), 0, 9).await.unwrap();
        assert!(page.is_none_or(|page| page.ended));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prompt_bombing_over_two_daemons_stops_where_it_does_at_one() {
    let (one, other) = two().await;
    let rules = PromptRules {
        max_open: 3,
        max_in_window: 10,
        window: Duration::from_secs(600),
        ttl: Duration::from_secs(300),
    };
    let keys = [user(1)];
    let names: Vec<_> = (0..60).map(|n| n.to_string()).collect();
    let asked = join_all(names.iter().enumerate().map(|(n, name)| {
        let store = if n % 2 == 0 { &one } else { &other };
        store.claim_prompt(name, &keys, at(100), &rules)
    }))
    .await;
    assert_eq!(asked.into_iter().filter(|asked| *asked == Ok(None)).count(), 3);
}
