use futures_util::future::join_all;
use portico::store::{
    Approval, AuditKind, Begun, Ended, NewSession, SessionChoice, Store, StoreError, User, UserFilter,
};

use crate::fixtures::*;
use crate::people::*;

pub(crate) async fn a_first_login_adds_the_user_begins_a_session_and_is_in_the_audit(store: &dyn Store) {
    let user = User { email: Some("a@example.org".into()), permissions: vec!["pay".into()], ..person(1) };
    let uncounted = User { last_login: at(0), logins: 77, ..user.clone() };
    let login = login(1, &uncounted, None);
    let begun = store.begin_session(&login).await.unwrap();

    assert_eq!(store.user(user.id).await.unwrap().as_deref(), Some(&user));
    assert_eq!(store.user_of_wallet("portal", "wallet 1").await.unwrap(), Some(user));
    assert_eq!(store.user_of_wallet("other", "wallet 1").await.unwrap(), None);
    assert_eq!(store.session(stream(1)).await.unwrap().as_deref(), Some(&login.session));
    let page = page(store, stream(1)).await;
    assert_eq!((page.events, page.ended), (vec![begun.event], false));
    assert_eq!(begun.superseded, []);
    assert_eq!(audited(store).await, [login.audit]);
}

pub(crate) async fn a_later_login_counts_and_leaves_what_the_operator_decides(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let proof = User { auth_method: "passkey".into(), auth_identifier: "key 9".into(), ..person(1) };
    let user = User { revision: 2, roles: vec!["admin".into()], ..proof.clone() };
    let mut login = login(2, &user, Some(1));
    login.session.created_at = at(150);
    store.begin_session(&login).await.unwrap();
    let expected = User { revision: 2, last_login: at(150), logins: 2, ..proof };
    assert_eq!(store.user(user.id).await.unwrap().as_deref(), Some(&expected));
}

pub(crate) async fn of_a_hundred_first_logins_of_a_wallet_at_once_one_goes_through(store: &dyn Store) {
    let answers = join_all((0..100).map(|n| async move {
        let user = User { wallet_id: "the same".into(), ..person(n) };
        store.begin_session(&login(n, &user, None)).await
    }))
    .await;
    let conflicts = answers.iter().filter(|answer| **answer == Err(StoreError::Conflict));
    assert_eq!(conflicts.count(), 99);
    assert_eq!(store.users(&UserFilter::default(), None, 999).await.unwrap().len(), 1);
    assert_eq!(store.active_sessions(at(100)).await.unwrap(), 1);
    assert_eq!(audited(store).await.len(), 1);
}

/// Disabled, changed or deleted between the look at the user and the login: it must not slip through.
pub(crate) async fn a_login_of_a_user_who_is_not_as_it_was_made_from_leaves_no_trace(store: &dyn Store) {
    for n in 1..=3 {
        begin(store, n, &person(n)).await;
    }
    let changed = User { revision: 2, roles: vec![], ..person(1) };
    let disabled = User { revision: 2, disabled: true, ..person(2) };
    for user in [&changed, &disabled] {
        let audit = audit(AuditKind::UserChanged, user.id, 200);
        store.change_user(user, None, &audit).await.unwrap().unwrap();
    }
    let gone = audit(AuditKind::UserDeleted, user_id(3), 200);
    store.delete_user(user_id(3), None, &why("user_deleted", 200), &gone).await.unwrap().unwrap();
    let audit_before = audited(store).await;

    for late in [
        login(9, &person(1), Some(1)),
        login(9, &person(1), None),
        login(9, &disabled, Some(2)),
        login(9, &person(3), Some(1)),
    ] {
        let greedy = NewSession { max_sessions: 1, ..late };
        assert_eq!(store.begin_session(&greedy).await, Err(StoreError::Conflict));
        assert_eq!(store.session(stream(9)).await.unwrap(), None);
        assert_eq!(store.events_after(stream(9), 0, 9).await.unwrap(), None);
    }
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&changed));
    assert_eq!(store.user(user_id(2)).await.unwrap().as_deref(), Some(&disabled));
    assert_eq!(store.user(user_id(3)).await.unwrap(), None);
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 2, "none was superseded");
    assert_eq!(audited(store).await, audit_before);
}

pub(crate) async fn a_login_whose_session_is_there_already_is_undone_whole(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let greedy = NewSession { max_sessions: 1, ..login(1, &person(1), Some(1)) };
    assert_eq!(store.begin_session(&greedy).await, Err(StoreError::Conflict));
    assert_eq!(store.begin_session(&login(1, &person(2), None)).await, Err(StoreError::Conflict));
    assert_eq!(store.user(user_id(1)).await.unwrap().unwrap().logins, 1);
    assert_eq!(store.user(user_id(2)).await.unwrap(), None);
    assert_eq!(sessions(store, user_id(1)).await, [(stream(1), None)]);
    assert_eq!(audited(store).await.len(), 1);
}

pub(crate) async fn sessions_beyond_the_most_are_ended_oldest_first(store: &dyn Store) {
    let mut expired = login(1, &person(1), None);
    expired.session.expires_at = at(300);
    store.begin_session(&expired).await.unwrap();
    for n in 2..=4 {
        assert_eq!(begin(store, n, &person(1)).await.superseded.len(), usize::from(n == 4));
    }
    assert_eq!(
        sessions(store, user_id(1)).await[3].1.as_deref(),
        Some("superseded"),
        "it had not expired yet"
    );
    begin(store, 200, &person(2)).await;

    let mut expired = login(5, &person(1), Some(1));
    expired.session.expires_at = at(300);
    expired.max_sessions = 9;
    store.begin_session(&expired).await.unwrap();
    let logged_out = why("logout", 250);
    let revoked = audit(AuditKind::SessionsRevoked, user_id(1), 250);
    store.end_sessions(SessionChoice::One(stream(3)), &logged_out, &revoked).await.unwrap();

    let mut last = login(6, &person(1), Some(1));
    (last.session.created_at, last.max_sessions, last.superseded) = (at(300), 2, why("superseded", 300));
    let superseded = store.begin_session(&last).await.unwrap().superseded;
    assert_eq!(ids(&superseded), [stream(2)], "neither the one that has expired counts nor the ended one");

    last = login(7, &person(1), Some(1));
    (last.session.created_at, last.max_sessions, last.superseded) = (at(301), 1, why("superseded", 301));
    let superseded = store.begin_session(&last).await.unwrap().superseded;
    assert_eq!(ids(&superseded), [stream(4), stream(6)]);
    for Ended { session, event } in superseded {
        let page = page(store, session).await;
        assert_eq!((page.events.last(), page.ended), (Some(&event), true));
        let ended = store.session(session).await.unwrap().unwrap().ended.clone();
        assert_eq!(ended, Some((at(301), "superseded".into())));
    }
    let mut none = login(8, &person(1), Some(1));
    (none.session.created_at, none.max_sessions) = (at(302), 0);
    assert_eq!(ids(&store.begin_session(&none).await.unwrap().superseded), [stream(7)]);
    assert_eq!(sessions(store, user_id(1)).await[0], (stream(8), None), "the new one always stays");
    assert_eq!(sessions(store, user_id(2)).await, [(stream(200), None)]);
}

pub(crate) async fn an_approval_and_its_session_are_stored_together_or_not_at_all(store: &dyn Store) {
    store.open_challenge(&challenge("c", stream(100))).await.unwrap();
    let outcome = event("approved", 100);
    let late = Approval { session: Some(login(1, &person(1), Some(1))), ..approval(1) };
    let refused = store.close_challenge("c", &outcome, Some(&late)).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    assert_eq!(recovered(store).await.challenges.len(), 1);
    assert!(page(store, stream(100)).await.events.is_empty());
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), None);

    let good = Approval { session: Some(login(1, &person(1), None)), ..approval(1) };
    let (told, begun) = store.close_challenge("c", &outcome, Some(&good)).await.unwrap().unwrap();
    assert_eq!(page(store, stream(100)).await.events, [told]);
    let Begun { event, superseded } = begun.unwrap();
    assert_eq!((page(store, stream(1)).await.events, superseded), (vec![event], vec![]));
    assert_eq!(store.user_of_signer(&user(1)).await.unwrap(), Some(user(1)));

    let again = Approval { session: Some(login(2, &person(1), Some(1))), ..approval(1) };
    assert_eq!(store.close_challenge("c", &outcome, Some(&again)).await.unwrap(), None);
    assert_eq!(sessions(store, user_id(1)).await, [(stream(1), None)]);
}
