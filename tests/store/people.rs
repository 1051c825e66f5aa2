//! People to store: users, their logins and sessions, and what the audit says of them.

use portico::store::{
    AuditDraft, AuditFilter, AuditKind, AuditRecord, Begun, Ended, EventDraft, NewSession, Revision, Session,
    Store, StreamId, User, UserId,
};

use crate::fixtures::*;

pub(crate) fn user_id(n: u8) -> UserId {
    UserId::new(at(n.into()), [n; 10])
}

/// The user with wallet `n`, as the first login leaves them.
pub(crate) fn person(n: u8) -> User {
    User {
        id: user_id(n),
        provider: "portal".into(),
        wallet_id: format!("wallet {n}"),
        auth_method: "nostr".into(),
        auth_identifier: format!("npub {n}"),
        username: None,
        email: None,
        roles: vec!["member".into()],
        permissions: vec![],
        disabled: false,
        revision: 1,
        created_at: at(100),
        last_login: at(100),
        logins: 1,
    }
}

/// What begins session `n`, which runs from second 100 to 1000. Users may have three at the same time.
pub(crate) fn login(n: u8, user: &User, known_as: Option<Revision>) -> NewSession {
    let session = Session {
        id: stream(n),
        user: user.id,
        credential: [n; 32],
        created_at: at(100),
        expires_at: at(1_000),
        ended: None,
    };
    NewSession {
        user: user.clone(),
        known_as,
        begins: event("session_created", 100),
        max_sessions: 3,
        superseded: why("superseded", 100),
        audit: AuditDraft { session: Some(session.id), ..audit(AuditKind::Login, user.id, 100) },
        session,
    }
}

/// Begins session `n` of a user, who need not be known yet.
pub(crate) async fn begin(store: &dyn Store, n: u8, user: &User) -> Begun {
    let known = store.user(user.id).await.unwrap().map(|known| known.revision);
    store.begin_session(&login(n, user, known)).await.unwrap()
}

/// Which sessions were ended, in their order.
pub(crate) fn ids(ended: &[Ended]) -> Vec<StreamId> {
    ended.iter().map(|ended| ended.session).collect()
}

/// A reason to end sessions, and its event.
pub(crate) fn why(reason: &str, secs: u64) -> (String, EventDraft) {
    (reason.into(), event("session_revoked", secs))
}

pub(crate) fn audit(kind: AuditKind, user: UserId, secs: u64) -> AuditDraft {
    AuditDraft {
        at: at(secs),
        kind,
        user: Some(user),
        session: None,
        provider: None,
        wallet_id: None,
        reason: None,
        detail: None,
        actor: "uid 1000".into(),
    }
}

/// The whole audit, the earliest first.
pub(crate) async fn audited(store: &dyn Store) -> Vec<AuditDraft> {
    let mut records = records(store, &AuditFilter::default()).await;
    records.reverse();
    records.into_iter().map(|record| record.draft).collect()
}

/// What the audit says of that, the latest first.
pub(crate) async fn records(store: &dyn Store, filter: &AuditFilter) -> Vec<AuditRecord> {
    store.audit(filter, None, 10_000).await.unwrap()
}

/// Which sessions of a user there are, the latest first, and why those that were ended were.
pub(crate) async fn sessions(store: &dyn Store, user: UserId) -> Vec<(StreamId, Option<String>)> {
    let sessions = store.sessions_of(user, None, 10_000).await.unwrap();
    sessions.into_iter().map(|session| (session.id, session.ended.map(|(_, why)| why))).collect()
}

/// The audit record of a session that ended for this reason, with the actor and time of `audit`.
pub(crate) fn ended(session: StreamId, reason: &str, audit: &AuditDraft) -> AuditDraft {
    AuditDraft {
        kind: AuditKind::SessionsRevoked,
        session: Some(session),
        reason: Some(reason.into()),
        detail: None,
        ..audit.clone()
    }
}
