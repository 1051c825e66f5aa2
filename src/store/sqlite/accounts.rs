//! Users and sessions: the steps that belong into one transaction, and [`Accounts`], which calls them.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;

use super::transaction::Transaction;
use super::{SqliteStore, audit, sessions, streams, users};
use crate::clock::Timestamp;
use crate::store::{
    Accounts, AuditDraft, AuditFilter, AuditRecord, Begun, Ended, EventDraft, NewSession, Result, Revision,
    Session, SessionChoice, StoreError, StreamId, User, UserFilter, UserId,
};

/// Starts a session, after its user was added or updated and room was made for it.
pub(super) fn begin_session(db: &Transaction<'_>, login: &NewSession) -> Result<Begun> {
    let NewSession { user, session, .. } = login;
    users::log_in(db, user, login.known_as, session.created_at)?;
    let others = login.max_sessions.saturating_sub(1);
    let superseded = sessions::make_room(db, user.id, session.created_at, others, &login.superseded)?;
    streams::begin(db, session.id, session.created_at)?;
    sessions::insert(db, session)?;
    let event = streams::append(db, session.id, &login.begins, false)?.ok_or(StoreError::Conflict)?;
    audit::record(db, &login.audit)?;
    tell_ended(db, &superseded, &login.superseded.0, &login.audit)?;
    Ok(Begun { event, superseded })
}

/// Adds an audit record for each ended session, with the actor of `audit`.
fn tell_ended(db: &Connection, ended: &[Ended], reason: &str, audit: &AuditDraft) -> Result<()> {
    ended.iter().try_for_each(|ended| audit::record(db, &audit.of_end(ended, reason)))
}

fn change_user(
    db: &Transaction<'_>,
    user: &User,
    ends: Option<&(String, EventDraft)>,
    audit: &AuditDraft,
) -> Result<Option<Vec<Ended>>> {
    if !users::change(db, user)? {
        return Ok(None);
    }
    audit::record(db, audit)?;
    let Some(why) = ends else { return Ok(Some(Vec::new())) };
    let ended = sessions::end(db, SessionChoice::AllOf(user.id), why)?;
    tell_ended(db, &ended, &why.0, audit)?;
    Ok(Some(ended))
}

fn delete_user(
    db: &Transaction<'_>,
    id: UserId,
    revision: Option<Revision>,
    ends: &(String, EventDraft),
    audit: &AuditDraft,
) -> Result<Option<Vec<Ended>>> {
    if !users::exists(db, id, revision)? {
        return Ok(None);
    }
    let ended = sessions::end(db, SessionChoice::AllOf(id), ends)?;
    sessions::delete_of(db, id)?;
    users::delete(db, id)?;
    audit::record(db, audit)?;
    tell_ended(db, &ended, &ends.0, audit)?;
    Ok(Some(ended))
}

fn end_sessions(
    db: &Transaction<'_>,
    which: SessionChoice,
    why: &(String, EventDraft),
    audit: &AuditDraft,
) -> Result<Vec<Ended>> {
    let ended = sessions::end(db, which, why)?;
    tell_ended(db, &ended, &why.0, audit)?;
    Ok(ended)
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        self.memory.users.get(id, self.readers.read(move |db| users::find(db, id))).await
    }

    async fn user_of_wallet(&self, provider: &str, wallet_id: &str) -> Result<Option<User>> {
        let (provider, wallet_id) = (provider.to_owned(), wallet_id.to_owned());
        self.readers.read(move |db| users::of_wallet(db, &provider, &wallet_id)).await
    }

    async fn users(&self, filter: &UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        let filter = filter.clone();
        self.readers.read(move |db| users::list(db, &filter, after, limit)).await
    }

    async fn add_user(&self, user: &User, audit: &AuditDraft) -> Result<()> {
        let (user, audit) = (user.clone(), audit.clone());
        self.writer
            .write(move |db| {
                users::insert(db, &user)?;
                audit::record(db, &audit)
            })
            .await
    }

    async fn change_user(
        &self,
        user: &User,
        ends: Option<&(String, EventDraft)>,
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>> {
        let (user, ends, audit) = (user.clone(), ends.cloned(), audit.clone());
        self.writer.write(move |db| change_user(db, &user, ends.as_ref(), &audit)).await
    }

    async fn delete_user(
        &self,
        id: UserId,
        revision: Option<Revision>,
        ends: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>> {
        let (ends, audit) = (ends.clone(), audit.clone());
        self.writer.write(move |db| delete_user(db, id, revision, &ends, &audit)).await
    }

    async fn begin_session(&self, login: &NewSession) -> Result<Begun> {
        let login = login.clone();
        self.writer.write(move |db| begin_session(db, &login)).await
    }

    async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>> {
        self.memory.sessions.get(id, self.readers.read(move |db| sessions::find(db, id))).await
    }

    async fn session_of_credential(&self, credential: &[u8; 32]) -> Result<Option<Session>> {
        let credential = *credential;
        self.readers.read(move |db| sessions::of_credential(db, &credential)).await
    }

    async fn sessions_of(
        &self,
        user: UserId,
        before: Option<StreamId>,
        limit: usize,
    ) -> Result<Vec<Session>> {
        self.readers.read(move |db| sessions::of_user(db, user, before, limit)).await
    }

    async fn carry_on_session(
        &self,
        id: StreamId,
        credential: &[u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool> {
        let credential = *credential;
        self.writer.write(move |db| sessions::carry_on(db, id, &credential, expires_at)).await
    }

    async fn end_sessions(
        &self,
        which: SessionChoice,
        why: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Vec<Ended>> {
        let (why, audit) = (why.clone(), audit.clone());
        self.writer.write(move |db| end_sessions(db, which, &why, &audit)).await
    }

    async fn active_sessions(&self, now: Timestamp) -> Result<u64> {
        self.readers.read(move |db| sessions::count_active(db, now)).await
    }

    async fn record_audit(&self, records: &[AuditDraft]) -> Result<()> {
        let records = records.to_vec();
        self.writer.write(move |db| records.iter().try_for_each(|draft| audit::record(db, draft))).await
    }

    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>> {
        let filter = filter.clone();
        self.readers.read(move |db| audit::list(db, &filter, before, limit)).await
    }
}
