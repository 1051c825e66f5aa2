use futures_util::future::join_all;
use portico::store::{
    AuditFilter, AuditKind, PurgeBefore, SessionChoice, Store, StoreError, StreamId, User, UserFilter, UserId,
};

use crate::fixtures::*;
use crate::people::*;

pub(crate) async fn a_session_is_ended_once_as_its_stream_and_the_audit_tell(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 200);
    let end = async |reason| {
        let which = SessionChoice::One(stream(1));
        store.end_sessions(which, &why(reason, 200), &revoked).await.unwrap()
    };
    let gone = end("logout").await;
    assert_eq!(ids(&gone), [stream(1)]);
    let page = page(store, stream(1)).await;
    assert_eq!((page.events.len(), page.events.last(), page.ended), (2, Some(&gone[0].event), true));
    let session = store.session(stream(1)).await.unwrap().unwrap();
    assert_eq!(session.ended, Some((at(200), "logout".into())));
    assert_eq!(audited(store).await.last(), Some(&ended(stream(1), "logout", &revoked)));

    assert_eq!(end("again").await, []);
    assert_eq!(store.session(stream(1)).await.unwrap().as_deref(), Some(&*session));
    assert_eq!(audited(store).await.len(), 2, "nothing was ended");
    let unknown = SessionChoice::One(stream(2));
    assert_eq!(store.end_sessions(unknown, &why("logout", 200), &revoked).await.unwrap(), []);
}

pub(crate) async fn of_a_hundred_who_end_a_session_one_does(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let answers = join_all((0..100).map(|_| async {
        let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 200);
        store.end_sessions(SessionChoice::AllOf(user_id(1)), &why("logout", 200), &revoked).await.unwrap()
    }))
    .await;
    assert_eq!(answers.iter().flatten().count(), 1);
    assert_eq!(audited(store).await.len(), 2);
}

/// One that ran out could be carried on: "log me out everywhere" means it, too.
pub(crate) async fn all_sessions_of_a_user_end_those_that_ran_out_too_and_nobody_elses(store: &dyn Store) {
    for n in [2, 1, 3] {
        begin(store, n, &person(1)).await;
    }
    begin(store, 4, &person(2)).await;
    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 2_000);
    let all = SessionChoice::AllOf(user_id(1));
    let gone = store.end_sessions(all, &why("logout", 2_000), &revoked).await.unwrap();
    assert_eq!(ids(&gone), [stream(1), stream(2), stream(3)], "the oldest first");
    assert_eq!(sessions(store, user_id(2)).await, [(stream(4), None)]);
    let told = [1, 2, 3].map(|n| ended(stream(n), "logout", &revoked));
    assert_eq!(audited(store).await[4..], told, "the audit tells of each");
}

pub(crate) async fn sessions_that_rest_on_a_credential_end_with_it(store: &dyn Store) {
    for n in [1, 2, 3] {
        begin(store, n, &person(1)).await;
    }
    // The second rests on the credential of the first from now on.
    assert!(store.carry_on_session(stream(2), &[1; 32], at(5_000)).await.unwrap());
    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 200);
    let which = SessionChoice::RestingOn([1; 32]);
    let gone = store.end_sessions(which, &why("credential_revoked", 200), &revoked).await.unwrap();
    assert_eq!(ids(&gone), [stream(1), stream(2)]);
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 1);
}

pub(crate) async fn a_session_is_carried_on_until_it_is_ended(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    assert!(
        store.carry_on_session(stream(1), &[9; 32], at(3_000)).await.unwrap(),
        "though it ran out at 1000"
    );
    let session = store.session(stream(1)).await.unwrap().unwrap();
    assert_eq!((session.credential, session.expires_at), ([9; 32], at(3_000)));
    assert_eq!(store.active_sessions(at(2_000)).await.unwrap(), 1);

    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 2_000);
    store.end_sessions(SessionChoice::One(stream(1)), &why("logout", 2_000), &revoked).await.unwrap();
    let before = store.session(stream(1)).await.unwrap();
    assert!(!store.carry_on_session(stream(1), &[8; 32], at(4_000)).await.unwrap());
    assert_eq!(store.session(stream(1)).await.unwrap(), before);
    assert!(!store.carry_on_session(stream(2), &[8; 32], at(4_000)).await.unwrap());
}

pub(crate) async fn a_credential_leads_to_its_latest_session_but_first_to_one_not_ended(store: &dyn Store) {
    for n in 1..=3 {
        let mut login = login(n, &person(1), (n > 1).then_some(1));
        login.session.credential = [7; 32];
        store.begin_session(&login).await.unwrap();
    }
    let latest = async || store.session_of_credential(&[7; 32]).await.unwrap().map(|session| session.id);
    assert_eq!(latest().await, Some(stream(3)));
    for (ended, next) in [(3, 2), (1, 2), (2, 3)] {
        let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 200);
        let which = SessionChoice::One(stream(ended));
        store.end_sessions(which, &why("logout", 200), &revoked).await.unwrap();
        assert_eq!(latest().await, Some(stream(next)));
    }
    begin(store, 4, &person(1)).await;
    store.carry_on_session(stream(4), &[7; 32], at(2_000)).await.unwrap();
    assert_eq!(latest().await, Some(stream(4)), "carried on with it");
    assert_eq!(store.session_of_credential(&[4; 32]).await.unwrap(), None, "carried on with another");
}

pub(crate) async fn sessions_of_a_user_come_in_pages_the_latest_first(store: &dyn Store) {
    for n in 1..=5 {
        begin(store, n, &person(n % 2)).await;
    }
    let page = async |before: Option<StreamId>, limit| {
        let sessions = store.sessions_of(user_id(1), before, limit).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [stream(5), stream(3)]);
    assert_eq!(page(Some(stream(3)), 2).await, [stream(1)]);
    assert_eq!(page(Some(stream(1)), 2).await, []);
}

pub(crate) async fn a_session_is_active_until_it_expires_or_is_ended(store: &dyn Store) {
    for n in 1..=3 {
        let mut login = login(n, &person(n), None);
        login.session.expires_at = at(1_000 * u64::from(n));
        store.begin_session(&login).await.unwrap();
    }
    let revoked = audit(AuditKind::SessionsRevoked, user_id(3), 200);
    store.end_sessions(SessionChoice::AllOf(user_id(3)), &why("logout", 200), &revoked).await.unwrap();
    for (now, active) in [(999, 2), (1_000, 1), (2_000, 0)] {
        assert_eq!(store.active_sessions(at(now)).await.unwrap(), active, "at {now}");
    }
}

pub(crate) async fn a_purge_takes_old_sessions_and_their_streams_only_with_them(store: &dyn Store) {
    for n in 1..=4 {
        let mut login = login(n, &person(n), None);
        login.session.expires_at = at([0, 900, 900, 500, 501][usize::from(n)]);
        store.begin_session(&login).await.unwrap();
    }
    for (n, secs) in [(1, 499), (2, 500)] {
        let revoked = audit(AuditKind::SessionsRevoked, user_id(n), secs);
        store.end_sessions(SessionChoice::One(stream(n)), &why("logout", secs), &revoked).await.unwrap();
    }
    drop_deliveries(store, None).await;
    let streams = PurgeBefore { streams: at(999), ..purge_nothing() };
    assert_eq!(store.purge(&streams).await.unwrap(), 0, "operators can still see what became of them");

    let sessions = |secs| PurgeBefore { sessions: at(secs), ..purge_nothing() };
    assert_eq!(store.purge(&sessions(500)).await.unwrap(), 1);
    assert_eq!(store.session(stream(1)).await.unwrap(), None);
    assert_eq!(store.purge(&sessions(501)).await.unwrap(), 2);
    assert_eq!(store.session(stream(2)).await.unwrap(), None);
    assert_eq!(store.session(stream(3)).await.unwrap(), None);
    assert!(store.session(stream(4)).await.unwrap().is_some());
    assert!(page(store, stream(3)).await.ended, "it ran out");
    assert!(!page(store, stream(4)).await.ended);

    let before = PurgeBefore { streams: at(500), ..purge_nothing() };
    assert_eq!(store.purge(&before).await.unwrap(), 3, "of the first, two events and their stream");
    assert_eq!(store.purge(&streams).await.unwrap(), 5, "three of the second, two of the one that ran out");
    assert!(store.events_after(stream(4), 0, 9).await.unwrap().is_some());
    assert!(store.user(user_id(1)).await.unwrap().is_some());
}

pub(crate) async fn a_purge_takes_any_number_of_sessions(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let begun = (0..1_100_u64).map(|n| async move {
        let mut login = login(1, &person(1), Some(1));
        login.session.id = StreamId::new(at(1_000 + n), [0; 10]);
        login.max_sessions = usize::MAX;
        store.begin_session(&login).await.unwrap();
    });
    join_all(begun).await;
    drop_deliveries(store, None).await;
    let before = PurgeBefore { sessions: at(1_001), streams: at(1_001), ..purge_nothing() };
    assert_eq!(store.purge(&before).await.unwrap(), 3 * 1_101, "sessions, their events, their streams");
}

/// Somebody whom nobody but their own login knows.
fn stranger(n: u8) -> User {
    User { roles: vec![], ..person(n) }
}

/// Users from before second 101, whose sessions have gone before.
fn forgotten() -> PurgeBefore {
    PurgeBefore { sessions: at(1_001), users: at(101), at: at(5_000), ..purge_nothing() }
}

pub(crate) async fn a_purge_takes_users_of_throw_away_keys_and_nobody_whom_an_operator_knew(
    store: &dyn Store,
) {
    begin(store, 1, &stranger(1)).await;
    // A role that was given, and one that was taken away again; a name, an address, a permission; kept out.
    begin(store, 2, &person(2)).await;
    let named = User { username: Some("Bob".into()), ..stranger(3) };
    let mailed = User { email: Some("bob@app.example".into()), ..stranger(4) };
    let permitted = User { permissions: vec!["read".into()], ..stranger(5) };
    let had_a_role = User { revision: 3, ..stranger(6) };
    let kept_out = User { disabled: true, ..stranger(7) };
    for (n, user) in [(3, named), (4, mailed), (5, permitted), (6, had_a_role), (7, kept_out)] {
        store.add_user(&user, &audit(AuditKind::UserInvited, user.id, 100)).await.unwrap();
        assert_eq!(user.id, user_id(n));
    }
    // Invited, and not seen yet.
    let invited = User { logins: 0, ..stranger(8) };
    store.add_user(&invited, &audit(AuditKind::UserInvited, invited.id, 100)).await.unwrap();
    // Whose session goes on; who was here later.
    let mut going_on = login(9, &stranger(9), None);
    going_on.session.expires_at = at(9_000);
    store.begin_session(&going_on).await.unwrap();
    let mut later = login(10, &stranger(10), None);
    (later.session.created_at, later.user.last_login) = (at(101), at(101));
    store.begin_session(&later).await.unwrap();

    let users = PurgeBefore { sessions: at(0), ..forgotten() };
    assert_eq!(store.purge(&users).await.unwrap(), 0, "their sessions can still be looked at");
    store.purge(&forgotten()).await.unwrap();
    assert_eq!(store.user(user_id(1)).await.unwrap(), None);
    for n in 2..=10 {
        assert!(store.user(user_id(n)).await.unwrap().is_some(), "{n}");
    }
    let filter = AuditFilter { kind: Some(AuditKind::UserDeleted), ..AuditFilter::default() };
    let told = store.audit(&filter, None, 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|record| (record.draft.user, record.draft.at)).collect();
    assert_eq!(told, [(Some(user_id(1)), at(5_000))]);
}

pub(crate) async fn a_purge_takes_any_number_of_users(store: &dyn Store) {
    let added = (0..2_100_u64).map(|n| async move {
        let user = User { id: UserId::new(at(n), [7; 10]), wallet_id: format!("wallet {n}"), ..stranger(1) };
        store.add_user(&user, &audit(AuditKind::UserInvited, user.id, 100)).await.unwrap();
    });
    join_all(added).await;
    assert_eq!(store.purge(&forgotten()).await.unwrap(), 2_100);
    assert_eq!(store.users(&UserFilter::default(), None, 9).await.unwrap(), []);
}

pub(crate) async fn somebody_who_was_forgotten_logs_in_as_a_new_user(store: &dyn Store) {
    begin(store, 1, &stranger(1)).await;
    store.purge(&forgotten()).await.unwrap();
    // A login that was prepared before is a conflict, and is prepared again.
    let prepared = store.begin_session(&login(2, &stranger(1), Some(1))).await;
    assert!(matches!(prepared, Err(StoreError::Conflict)), "{prepared:?}");
    let again = User { id: user_id(2), ..stranger(1) };
    begin(store, 2, &again).await;
    assert_eq!(store.user_of_wallet("portal", "wallet 1").await.unwrap().unwrap().id, user_id(2));
}
