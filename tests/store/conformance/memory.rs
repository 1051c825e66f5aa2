//! A store may answer from memory, but never with what was changed before it was asked. So each of these reads, changes,
//! and reads again.

use portico::store::{
    Approval, AuditKind, Challenge, PurgeBefore, SessionChoice, Store, StoreError, StreamId, User,
};

use crate::fixtures::*;
use crate::people::*;

pub(crate) async fn a_user_who_was_read_is_read_as_every_change_leaves_them(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    assert_eq!(logins_and_name(store).await, Some((1, None)));
    begin(store, 2, &person(1)).await;
    assert_eq!(logins_and_name(store).await, Some((2, None)));

    let named = User { username: Some("ada".into()), revision: 2, ..person(1) };
    let changed = audit(AuditKind::UserChanged, user_id(1), 200);
    store.change_user(&named, None, &changed).await.unwrap().unwrap();
    assert_eq!(logins_and_name(store).await, Some((2, Some("ada".into()))));

    let deleted = audit(AuditKind::UserDeleted, user_id(1), 300);
    store.delete_user(user_id(1), None, &why("user_deleted", 300), &deleted).await.unwrap().unwrap();
    assert_eq!(logins_and_name(store).await, None);
}

pub(crate) async fn a_session_that_was_read_is_read_as_every_change_leaves_it(store: &dyn Store) {
    for n in 1..=3 {
        begin(store, n, &person(1)).await;
        assert_eq!(reason(store, n).await, Some(None));
    }
    assert!(store.carry_on_session(stream(2), &[9; 32], at(5_000)).await.unwrap());
    assert_eq!(store.session(stream(2)).await.unwrap().unwrap().expires_at, at(5_000));

    begin(store, 4, &person(1)).await;
    assert_eq!(reason(store, 1).await, Some(Some("superseded".into())), "a user has three at most");
    let ended = audit(AuditKind::SessionsRevoked, user_id(1), 200);
    let which = SessionChoice::RestingOn([9; 32]);
    store.end_sessions(which, &why("token_revoked", 200), &ended).await.unwrap();
    assert_eq!(reason(store, 2).await, Some(Some("token_revoked".into())));

    let disabled = User { disabled: true, revision: 2, ..person(1) };
    let changed = audit(AuditKind::UserChanged, user_id(1), 250);
    store.change_user(&disabled, Some(&why("user_disabled", 250)), &changed).await.unwrap().unwrap();
    assert_eq!(reason(store, 3).await, Some(Some("user_disabled".into())));
}

pub(crate) async fn a_session_that_was_read_goes_with_its_user_or_a_purge(store: &dyn Store) {
    for n in 1..=3 {
        begin(store, n, &person(n)).await;
    }
    let ended = audit(AuditKind::SessionsRevoked, user_id(1), 200);
    for n in 1..=2 {
        store.end_sessions(SessionChoice::One(stream(n)), &why("logout", 200), &ended).await.unwrap();
        assert_eq!(reason(store, n).await, Some(Some("logout".into())));
    }
    assert_eq!(reason(store, 3).await, Some(None));

    let deleted = audit(AuditKind::UserDeleted, user_id(1), 300);
    store.delete_user(user_id(1), None, &why("user_deleted", 300), &deleted).await.unwrap().unwrap();
    assert_eq!(reason(store, 1).await, None, "though it had ended before");
    store.purge(&PurgeBefore { sessions: at(1_001), ..purge_nothing() }).await.unwrap();
    assert_eq!((reason(store, 2).await, reason(store, 3).await), (None, None));
}

pub(crate) async fn a_user_who_was_read_goes_with_a_purge(store: &dyn Store) {
    let stranger = User { roles: vec![], ..person(1) };
    begin(store, 1, &stranger).await;
    assert!(store.user(user_id(1)).await.unwrap().is_some());
    let everybody = PurgeBefore { sessions: at(1_001), users: at(1_001), ..purge_nothing() };
    store.purge(&everybody).await.unwrap();
    assert_eq!(store.user(user_id(1)).await.unwrap(), None);
}

pub(crate) async fn a_session_comes_with_its_user_and_both_are_as_every_change_leaves_them(
    store: &dyn Store,
) {
    assert_eq!(store.session_with_user(stream(1)).await.unwrap(), None);
    let named = User { username: Some("ada".into()), permissions: vec!["pay".into()], ..person(1) };
    begin(store, 1, &named).await;
    begin(store, 2, &person(2)).await;
    let (session, user) = store.session_with_user(stream(1)).await.unwrap().unwrap();
    assert_eq!((&*session, &*user), (&login(1, &named, None).session, &named));

    let disabled = User { disabled: true, revision: 2, ..named };
    let changed = audit(AuditKind::UserChanged, user_id(1), 200);
    store.change_user(&disabled, Some(&why("user_disabled", 200)), &changed).await.unwrap().unwrap();
    let (session, user) = store.session_with_user(stream(1)).await.unwrap().unwrap();
    assert_eq!((session.ended.is_some(), &*user), (true, &disabled));

    let deleted = audit(AuditKind::UserDeleted, user_id(1), 300);
    store.delete_user(user_id(1), None, &why("user_deleted", 300), &deleted).await.unwrap().unwrap();
    assert_eq!(store.session_with_user(stream(1)).await.unwrap(), None);
    let (session, user) = store.session_with_user(stream(2)).await.unwrap().unwrap();
    assert_eq!((session.id, user.id), (stream(2), user_id(2)));
}

pub(crate) async fn a_key_that_was_nobodys_is_its_users_from_their_login_on(store: &dyn Store) {
    assert_eq!(store.user_of_signer(&user(7)).await.unwrap(), None);
    for (name, n) in [("c", 1), ("d", 2)] {
        let asked = Challenge { user: user(n), ..challenge(name, stream(n)) };
        store.open_challenge(&asked).await.unwrap();
        let mut approved = approval(7);
        approved.wallet.user = user(n);
        store.close_challenge(name, &event("approved", 200), Some(&approved)).await.unwrap().unwrap();
        assert_eq!(store.user_of_signer(&user(7)).await.unwrap(), Some(user(n)));
    }
}

pub(crate) async fn an_approval_that_is_undone_teaches_nothing_whatever_was_asked_before(store: &dyn Store) {
    assert_eq!(store.user_of_signer(&user(7)).await.unwrap(), None);
    store.open_challenge(&challenge("c", stream(1))).await.unwrap();
    let conflicting = login(2, &person(1), Some(1));
    let approved = Approval { session: Some(conflicting), ..approval(7) };
    let undone = store.close_challenge("c", &event("approved", 200), Some(&approved)).await;
    assert_eq!(undone, Err(StoreError::Conflict), "nobody with this wallet is known");
    assert_eq!(store.user_of_signer(&user(7)).await.unwrap(), None);
}

/// How often user 1 logged in, and what they are called.
async fn logins_and_name(store: &dyn Store) -> Option<(u64, Option<String>)> {
    let known = store.user(user_id(1)).await.unwrap()?;
    Some((known.logins, known.username.clone()))
}

/// Why a session was ended, if it was. `None`: there is no such session.
async fn reason(store: &dyn Store, n: u8) -> Option<Option<String>> {
    let id: StreamId = stream(n);
    let session = store.session(id).await.unwrap()?;
    Some(session.ended.as_ref().map(|(_, why)| why.clone()))
}
