use futures_util::future::join_all;
use portico::store::{
    AuditDraft, AuditFilter, AuditKind, PurgeBefore, SessionChoice, Store, StoreError, User, UserFilter,
    UserId,
};

use crate::fixtures::*;
use crate::people::*;

pub(crate) async fn a_change_takes_the_place_of_the_revision_before_it(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    begin(store, 2, &person(1)).await;
    let changed = User {
        username: Some("ann".into()),
        email: Some("ann@example.org".into()),
        roles: vec!["admin".into(), "member".into()],
        permissions: vec!["pay".into()],
        revision: 2,
        ..person(1)
    };
    let audit = audit(AuditKind::UserChanged, user_id(1), 200);
    let uncounted = User { last_login: at(0), logins: 0, ..changed.clone() };
    assert_eq!(store.change_user(&uncounted, None, &audit).await.unwrap(), Some(vec![]));
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&User { logins: 2, ..changed }));
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 2, "nobody said that they end");
    assert_eq!(audited(store).await.last(), Some(&audit));
}

pub(crate) async fn a_change_of_another_revision_does_nothing(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let audit = audit(AuditKind::UserChanged, user_id(1), 200);
    for stale in [
        User { revision: 1, disabled: true, ..person(1) },
        User { revision: 3, disabled: true, ..person(1) },
        User { revision: 2, disabled: true, ..person(2) },
    ] {
        let ends = why("user_disabled", 200);
        assert_eq!(store.change_user(&stale, Some(&ends), &audit).await.unwrap(), None);
    }
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&person(1)));
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 1);
    assert_eq!(audited(store).await.len(), 1, "only the login");
}

pub(crate) async fn of_a_hundred_changes_at_once_one_goes_through(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    let answers = join_all((0..100).map(|n| async move {
        let changed = User { username: Some(n.to_string()), revision: 2, ..person(1) };
        let audit = audit(AuditKind::UserChanged, user_id(1), 200);
        store.change_user(&changed, None, &audit).await.unwrap()
    }))
    .await;
    let winners: Vec<_> = (0..100).filter(|n| answers[*n].is_some()).collect();
    let [winner] = winners.as_slice() else { panic!("{} of them changed it", winners.len()) };
    assert_eq!(store.user(user_id(1)).await.unwrap().unwrap().username, Some(winner.to_string()));
    assert_eq!(audited(store).await.len(), 2);
}

pub(crate) async fn a_user_who_is_kept_out_loses_every_session_with_the_change(store: &dyn Store) {
    for (n, user) in [(1, 1), (2, 1), (3, 2)] {
        begin(store, n, &person(user)).await;
    }
    let disabled = User { disabled: true, revision: 2, ..person(1) };
    let audit = audit(AuditKind::UserChanged, user_id(1), 200);
    let gone = store.change_user(&disabled, Some(&why("user_disabled", 200)), &audit).await.unwrap().unwrap();
    assert_eq!(ids(&gone), [stream(1), stream(2)]);
    assert_eq!(page(store, stream(2)).await.events.last(), Some(&gone[1].event));
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 1);
    assert!(store.user(user_id(1)).await.unwrap().unwrap().disabled);
    let [one, two] = [1, 2].map(|n| ended(stream(n), "user_disabled", &audit));
    assert_eq!(audited(store).await[3..], [audit, one, two]);
}

pub(crate) async fn two_users_never_have_one_wallet(store: &dyn Store) {
    begin(store, 1, &person(1)).await;
    begin(store, 2, &person(2)).await;
    let thief = User { wallet_id: person(1).wallet_id, revision: 2, ..person(2) };
    let audit = audit(AuditKind::UserChanged, user_id(2), 200);
    assert_eq!(store.change_user(&thief, None, &audit).await, Err(StoreError::Conflict));
    assert_eq!(store.user(user_id(2)).await.unwrap().as_deref(), Some(&person(2)));
    let other = User { wallet_id: person(1).wallet_id, provider: "other".into(), ..person(3) };
    begin(store, 3, &other).await;
    assert_eq!(store.user_of_wallet("other", "wallet 1").await.unwrap(), Some(other));
    assert_eq!(store.user_of_wallet("portal", "wallet 1").await.unwrap(), Some(person(1)));
}

pub(crate) async fn of_a_deleted_user_only_the_streams_and_the_audit_stay(store: &dyn Store) {
    for (n, user) in [(1, 1), (2, 1), (3, 2)] {
        begin(store, n, &person(user)).await;
    }
    let logout = audit(AuditKind::SessionsRevoked, user_id(1), 150);
    store.end_sessions(SessionChoice::One(stream(1)), &why("logout", 150), &logout).await.unwrap();
    let delete = async |id: UserId, revision| {
        let deleted = audit(AuditKind::UserDeleted, id, 200);
        store.delete_user(id, revision, &why("user_deleted", 200), &deleted).await.unwrap()
    };
    assert_eq!(delete(user_id(1), Some(2)).await, None, "of another revision");
    assert_eq!(delete(user_id(9), None).await, None);
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 2);
    assert_eq!(audited(store).await.len(), 4);

    let ended = delete(user_id(1), Some(1)).await.unwrap();
    assert_eq!(ids(&ended), [stream(2)], "the other was ended before");
    assert_eq!(store.user(user_id(1)).await.unwrap(), None);
    assert_eq!(sessions(store, user_id(1)).await, []);
    assert_eq!(store.session_of_credential(&[2; 32]).await.unwrap(), None);
    assert_eq!(page(store, stream(2)).await.events.last(), Some(&ended[0].event));
    assert_eq!(audited(store).await.len(), 6, "the deletion, and the session that it ended");
    assert_eq!(store.active_sessions(at(200)).await.unwrap(), 1, "somebody else's");

    let anew = User { wallet_id: person(1).wallet_id, ..person(4) };
    begin(store, 4, &anew).await;
    assert_eq!(delete(user_id(4), None).await.unwrap().len(), 1);
}

pub(crate) async fn users_are_found_by_every_part_of_a_filter_in_pages(store: &dyn Store) {
    let other =
        |n| User { provider: "other".into(), roles: vec!["admin".into(), "member".into()], ..person(n) };
    let all = [person(1), other(2), person(3), other(4), User { wallet_id: "wallet 1".into(), ..other(5) }];
    for (n, user) in (1..).zip(&all) {
        begin(store, n, user).await;
    }
    let disabled = User { disabled: true, revision: 2, ..person(3) };
    let audit = audit(AuditKind::UserChanged, user_id(3), 200);
    store.change_user(&disabled, None, &audit).await.unwrap().unwrap();

    let everybody = UserFilter::default();
    let found = async |filter: &UserFilter, after, limit| {
        let users = store.users(filter, after, limit).await.unwrap();
        users.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        (UserFilter { provider: Some("other".into()), ..everybody.clone() }, [2, 4, 5].as_slice()),
        (UserFilter { wallet_id: Some("wallet 1".into()), ..everybody.clone() }, &[1, 5]),
        (UserFilter { role: Some("admin".into()), ..everybody.clone() }, &[2, 4, 5]),
        (UserFilter { role: Some("adm".into()), ..everybody.clone() }, &[]),
        (UserFilter { disabled: Some(true), ..everybody.clone() }, &[3]),
        (UserFilter { disabled: Some(false), ..everybody.clone() }, &[1, 2, 4, 5]),
        (
            UserFilter {
                provider: Some("other".into()),
                wallet_id: Some("wallet 1".into()),
                role: Some("member".into()),
                disabled: Some(false),
            },
            &[5],
        ),
    ] {
        let expected: Vec<_> = expected.iter().map(|n| user_id(*n)).collect();
        assert_eq!(found(&filter, None, 9).await, expected, "{filter:?}");
    }
    assert_eq!(found(&everybody, None, 2).await, [user_id(1), user_id(2)]);
    assert_eq!(found(&everybody, Some(user_id(2)), 2).await, [user_id(3), user_id(4)]);
    assert_eq!(found(&everybody, Some(user_id(5)), 2).await, []);
    assert_eq!(store.users(&everybody, Some(user_id(2)), 1).await.unwrap(), [disabled]);
}

pub(crate) async fn the_audit_is_found_by_every_part_of_a_filter_in_pages(store: &dyn Store) {
    let drafts = [
        audit(AuditKind::Login, user_id(1), 100),
        AuditDraft {
            session: Some(stream(7)),
            provider: Some("portal".into()),
            wallet_id: Some("wallet 1".into()),
            reason: Some("session_mismatch".into()),
            detail: Some("{}".into()),
            ..audit(AuditKind::SessionMismatch, user_id(1), 101)
        },
        AuditDraft { user: None, ..audit(AuditKind::LoginRefused, user_id(1), 102) },
        audit(AuditKind::Login, user_id(2), 103),
    ];
    store.record_audit(&drafts).await.unwrap();
    store.record_audit(&[]).await.unwrap();
    assert_eq!(audited(store).await, drafts);

    let everything = AuditFilter::default();
    for (filter, expected) in [
        (AuditFilter { user: Some(user_id(1)), ..everything.clone() }, [2, 1].as_slice()),
        (AuditFilter { session: Some(stream(7)), ..everything.clone() }, &[2]),
        (AuditFilter { kind: Some(AuditKind::Login), ..everything.clone() }, &[4, 1]),
        (AuditFilter { since: Some(at(102)), ..everything.clone() }, &[4, 3]),
        (AuditFilter { until: Some(at(102)), ..everything.clone() }, &[2, 1]),
        (AuditFilter { since: Some(at(101)), until: Some(at(103)), ..everything.clone() }, &[3, 2]),
        (AuditFilter { user: Some(user_id(1)), kind: Some(AuditKind::Login), ..everything.clone() }, &[1]),
    ] {
        let numbers: Vec<_> = records(store, &filter).await.iter().map(|record| record.number).collect();
        assert_eq!(numbers, expected, "{filter:?}");
    }
    let page = store.audit(&everything, Some(4), 2).await.unwrap();
    let page: Vec<_> = page.into_iter().map(|record| (record.number, record.draft)).collect();
    assert_eq!(page, [(3, drafts[2].clone()), (2, drafts[1].clone())]);
}

pub(crate) async fn a_purge_takes_old_audit_records_and_no_number_is_given_twice(store: &dyn Store) {
    let old = vec![audit(AuditKind::Login, user_id(1), 99); 2_500];
    store.record_audit(&old).await.unwrap();
    store.record_audit(&[audit(AuditKind::Login, user_id(1), 100)]).await.unwrap();
    let before = |secs| PurgeBefore { audit: at(secs), ..purge_nothing() };
    assert_eq!(store.purge(&before(100)).await.unwrap(), 2_500);
    assert_eq!(audited(store).await.len(), 1);
    assert_eq!(store.purge(&before(101)).await.unwrap(), 1);
    store.record_audit(&old[..1]).await.unwrap();
    assert_eq!(records(store, &AuditFilter::default()).await[0].number, 2_502);
}

pub(crate) async fn a_user_is_added_once_and_the_first_login_finds_them(store: &dyn Store) {
    let invited = User { logins: 0, ..person(1) };
    let audit = audit(AuditKind::UserInvited, user_id(1), 50);
    store.add_user(&invited, &audit).await.unwrap();
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&invited));
    let twin = User { id: user_id(2), roles: vec![], ..invited.clone() };
    let begun_elsewhere = login(1, &User { id: user_id(3), ..person(1) }, None);
    for _ in 0..2 {
        assert_eq!(store.add_user(&twin, &audit).await.unwrap_err(), StoreError::Conflict);
        assert_eq!(store.begin_session(&begun_elsewhere).await.unwrap_err(), StoreError::Conflict);
    }
    assert_eq!(audited(store).await, [audit], "what was refused is not in it");
    store.begin_session(&login(1, &invited, Some(1))).await.unwrap();
    assert_eq!(store.user(user_id(1)).await.unwrap().as_deref(), Some(&person(1)));
}
