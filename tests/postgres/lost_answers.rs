//! The answer to a commit is lost: the store finds out whether it was stored, and the caller gets its own result, once.

use std::time::Duration;

use portico::clock::Timestamp;
use portico::store::postgres::{PostgresOptions, PostgresStore};
use portico::store::{
    Accounts, ApiTokens, Approval, AuditFilter, AuditKind, Challenge, Claims, Deliveries, KeyStore, Logins,
    Novelty, Replay, Replays, Revocation, Revocations, Scan, SessionChoice, ShownRequest, SignIns,
    StoredApiToken, Streams, User,
};

use crate::fixtures::*;
use crate::people::*;
use crate::proxy::{Fault, Proxy};
use crate::store::{new_database, options};
use crate::support::postgres::Postgres;

/// A store behind a proxy. It gives a silent connection up soon.
async fn behind_a_proxy() -> (PostgresStore, Proxy) {
    let proxy = Proxy::before(Postgres::start());
    let url = proxy.url(&new_database().await);
    let options = PostgresOptions { patience: Duration::from_secs(1), ..options(&url) };
    (PostgresStore::open(options).await.unwrap(), proxy)
}

const FAULTS: [Fault; 4] = [Fault::CutBefore, Fault::CutAfter, Fault::SilentBefore, Fault::SilentAfter];

/// What comes of a call whose commit is disturbed.
async fn disturbed<T>(proxy: &Proxy, fault: Fault, call: impl Future<Output = T>) -> T {
    proxy.disturb(fault);
    let answer = call.await;
    assert!(proxy.has_disturbed(), "it commits nothing");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_whose_commits_are_lost_goes_through_once_and_the_daemon_learns_each_outcome() {
    for fault in FAULTS {
        let (store, proxy) = behind_a_proxy().await;
        let url = handshake(stream(1));
        disturbed(&proxy, fault, store.open_handshake(&url)).await.unwrap();

        let scan = Scan { challenge: Some(challenge("c", stream(1))), ..scan(1, &[stream(1)]) };
        let scanned = disturbed(&proxy, fault, store.record_scan(&scan)).await.unwrap();
        let scanned = scanned.unwrap_or_else(|| panic!("{fault:?}: the scan counts as a replay of itself"));
        assert_eq!(scanned[0].1.index, 1);

        let approval = Approval { session: Some(login(9, &person(1), None)), ..approval(1) };
        let outcome = event("approved", 300);
        let closed =
            disturbed(&proxy, fault, store.close_challenge("c", &outcome, Some(&approval))).await.unwrap();
        let (told, begun) =
            closed.unwrap_or_else(|| panic!("{fault:?}: the outcome counts as somebody else's"));
        assert_eq!((told.index, &told.body), (2, &outcome.body));
        assert_eq!(page(&store, stream(1)).await.events, [scanned[0].1.clone(), told]);
        assert_eq!(page(&store, stream(9)).await.events, [begun.unwrap().event]);
        assert_eq!(store.user(user_id(1)).await.unwrap().unwrap().logins, 1, "{fault:?}");
        assert_eq!(store.heads(9).await.unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_or_a_change_whose_commit_is_lost_is_done_once_and_told() {
    for fault in FAULTS {
        let (store, proxy) = behind_a_proxy().await;
        let added = audit(AuditKind::UserInvited, user_id(1), 100);
        disturbed(&proxy, fault, store.add_user(&person(1), &added)).await.unwrap();
        disturbed(&proxy, fault, store.begin_session(&login(1, &person(1), Some(1)))).await.unwrap();
        begin(&store, 2, &person(1)).await;

        let ended = audit(AuditKind::SessionsRevoked, user_id(1), 200);
        let why = why("logout", 200);
        let one = SessionChoice::One(stream(1));
        let gone = disturbed(&proxy, fault, store.end_sessions(one, &why, &ended)).await.unwrap();
        assert_eq!(ids(&gone), [stream(1)], "{fault:?}");

        let disabled = User { disabled: true, revision: 2, ..person(1) };
        let changed = audit(AuditKind::UserChanged, user_id(1), 250);
        let gone =
            disturbed(&proxy, fault, store.change_user(&disabled, Some(&why), &changed)).await.unwrap();
        assert_eq!(gone.map(|gone| ids(&gone)), Some(vec![stream(2)]), "{fault:?}");

        let deleted = audit(AuditKind::UserDeleted, user_id(1), 300);
        let gone =
            disturbed(&proxy, fault, store.delete_user(user_id(1), None, &why, &deleted)).await.unwrap();
        assert_eq!(gone, Some(vec![]), "{fault:?}");
        let told = [AuditKind::UserInvited, AuditKind::UserChanged, AuditKind::UserDeleted];
        for kind in told {
            let filter = AuditFilter { kind: Some(kind), ..AuditFilter::default() };
            assert_eq!(records(&store, &filter).await.len(), 1, "{fault:?}: {kind}");
        }
        disturbed(&proxy, fault, store.record_audit(&[ended])).await.unwrap();
        assert_eq!(audited(&store).await.len(), 8, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_used_up_revoked_or_made_once_is_so_for_its_own_caller() {
    for fault in FAULTS {
        let (store, proxy) = behind_a_proxy().await;
        let revocation = Revocation { digest: [1; 32], expires_at: at(900) };
        let record = asked(AuditKind::TokenRevoked, 100);
        let revoked = store.revoke(&revocation, at(100), &record);
        assert!(disturbed(&proxy, fault, revoked).await.unwrap(), "{fault:?}");
        let replay = Replay { digest: [2; 32], expires_at: at(900) };
        assert!(disturbed(&proxy, fault, store.use_up(&replay)).await.unwrap(), "{fault:?}");
        let shown = ShownRequest { id: [3; 32], signed_at: at(100) };
        let claim = store.claim_request(&shown, at(100), at(100), Duration::from_secs(121));
        assert_eq!(disturbed(&proxy, fault, claim).await, Ok(Novelty::NewToAll), "{fault:?}");
        let offered = store.offer_sign_in(&[4; 32], at(900), at(100), 10);
        assert_eq!(disturbed(&proxy, fault, offered).await, Ok(None), "{fault:?}");
        assert!(
            disturbed(&proxy, fault, store.replace_keys(None, "ring")).await.unwrap().is_some(),
            "{fault:?}"
        );

        let made = audit(AuditKind::ApiTokenMade, user_id(1), 100);
        assert!(
            disturbed(&proxy, fault, store.add_api_token(&token(), 1, &made)).await.unwrap(),
            "{fault:?}"
        );
        let revoked = audit(AuditKind::ApiTokenRevoked, user_id(1), 100);
        let id = disturbed(&proxy, fault, store.revoke_api_token("shop", &revoked)).await.unwrap();
        assert_eq!(id, Some([1; 8]), "{fault:?}");
        assert_eq!(audited(&store).await, [record, made, revoked], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_its_own_and_the_end_of_a_stream_survive_lost_answers() {
    for fault in FAULTS {
        let (store, proxy) = behind_a_proxy().await;
        let opened = Challenge { user: user(3), ..challenge("c", stream(1)) };
        disturbed(&proxy, fault, store.open_challenge(&opened)).await.unwrap();
        assert!(disturbed(&proxy, fault, store.put_envelope("c", &envelope(3, "x"), 1)).await.unwrap());
        let last = event("error", 300);
        let ended = disturbed(&proxy, fault, store.end_stream(stream(1), &last)).await.unwrap();
        let ended = ended.unwrap_or_else(|| panic!("{fault:?}: the end counts as somebody else's"));
        assert_eq!(page(&store, stream(1)).await.events, [ended]);
    }
}

fn token() -> StoredApiToken {
    StoredApiToken {
        id: [1; 8],
        name: "shop".into(),
        secret_hash: [2; 32],
        rights: "check".parse().unwrap(),
        made_by: "uid 1000".into(),
        made_at: at(100),
        expires_at: None,
        used_at: None::<Timestamp>,
    }
}
