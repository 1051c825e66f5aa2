//! Users and sessions: the steps that belong into one transaction, and [`Accounts`], which calls them.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;

use super::failure::Outcome;
use super::transaction::Transaction;
use super::{PostgresStore, audit, sessions, streams, users};
use crate::clock::Timestamp;
use crate::store::{
    Accounts, AuditDraft, AuditFilter, AuditRecord, Begun, Ended, EventDraft, NewSession, Result, Revision,
    Session, SessionChoice, StoreError, StreamId, User, UserFilter, UserId,
};

async fn begin_session(db: &Transaction<'_>, login: &NewSession) -> Outcome<Begun> {
    users::log_in(db, &login.user, login.known_as, login.session.created_at).await?;
    begin_session_of_known(db, login).await
}

/// Starts a session, after room was made for it. Its user was added or updated before, and is locked by that.
pub(super) async fn begin_session_of_known(db: &Transaction<'_>, login: &NewSession) -> Outcome<Begun> {
    let NewSession { user, session, .. } = login;
    let others = login.max_sessions.saturating_sub(1);
    let superseded = sessions::make_room(db, user.id, session.created_at, others, &login.superseded).await?;
    streams::begin(db, session.id, session.created_at).await?;
    sessions::insert(db, session).await?;
    let event = streams::append(db, session.id, &login.begins, false).await?.ok_or(StoreError::Conflict)?;
    record_with_ends(db, &login.audit, &superseded, &login.superseded.0).await?;
    Ok(Begun { event, superseded })
}

/// Adds an audit record, and one for each session that ended with it.
async fn record_with_ends(
    db: &Transaction<'_>,
    audit: &AuditDraft,
    ended: &[Ended],
    reason: &str,
) -> Outcome<()> {
    let mut records = vec![audit.clone()];
    records.extend(ended.iter().map(|ended| audit.of_end(ended, reason)));
    audit::record(db, &records).await
}

async fn change_user(
    db: &Transaction<'_>,
    user: &User,
    ends: Option<&(String, EventDraft)>,
    audit: &AuditDraft,
) -> Outcome<Option<Vec<Ended>>> {
    if !users::change(db, user).await? {
        return Ok(None);
    }
    let (ended, reason) = match ends {
        Some(why) => (sessions::end(db, SessionChoice::AllOf(user.id), why).await?, why.0.as_str()),
        None => (Vec::new(), ""),
    };
    record_with_ends(db, audit, &ended, reason).await?;
    Ok(Some(ended))
}

async fn delete_user(
    db: &Transaction<'_>,
    id: UserId,
    revision: Option<Revision>,
    ends: &(String, EventDraft),
    audit: &AuditDraft,
) -> Outcome<Option<Vec<Ended>>> {
    if !users::lock(db, id, revision).await? {
        return Ok(None);
    }
    let ended = sessions::end(db, SessionChoice::AllOf(id), ends).await?;
    sessions::delete_of(db, id).await?;
    users::delete(db, id).await?;
    record_with_ends(db, audit, &ended, &ends.0).await?;
    Ok(Some(ended))
}

async fn end_sessions(
    db: &Transaction<'_>,
    which: SessionChoice,
    why: &(String, EventDraft),
    audit: &AuditDraft,
) -> Outcome<Vec<Ended>> {
    if let SessionChoice::AllOf(user) = which {
        // A login of the same user waits, and begins its session after this.
        users::lock(db, user, None).await?;
    }
    let ended = sessions::end(db, which, why).await?;
    let records: Vec<_> = ended.iter().map(|ended| audit.of_end(ended, &why.0)).collect();
    audit::record(db, &records).await?;
    Ok(ended)
}

async fn add_user(db: &Transaction<'_>, user: &User, audit: &AuditDraft) -> Outcome<()> {
    users::insert(db, user).await?;
    audit::record(db, std::slice::from_ref(audit)).await
}

#[async_trait]
impl Accounts for PostgresStore {
    async fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        Ok(users::find(&self.readers, id).await?.map(Arc::new))
    }

    async fn user_of_wallet(&self, provider: &str, wallet_id: &str) -> Result<Option<User>> {
        Ok(users::of_wallet(&self.readers, provider, wallet_id).await?)
    }

    async fn users(&self, filter: &UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        Ok(users::list(&self.readers, filter, after, limit).await?)
    }

    async fn add_user(&self, user: &User, audit: &AuditDraft) -> Result<()> {
        let asked = (user.clone(), audit.clone());
        self.writer.write(asked, |db, (user, audit)| add_user(db, user, audit).boxed()).await
    }

    async fn change_user(
        &self,
        user: &User,
        ends: Option<&(String, EventDraft)>,
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>> {
        let asked = (user.clone(), ends.cloned(), audit.clone());
        self.writer
            .write(asked, |db, (user, ends, audit)| change_user(db, user, ends.as_ref(), audit).boxed())
            .await
    }

    async fn delete_user(
        &self,
        id: UserId,
        revision: Option<Revision>,
        ends: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Option<Vec<Ended>>> {
        let asked = (ends.clone(), audit.clone());
        self.writer
            .write(asked, move |db, (ends, audit)| delete_user(db, id, revision, ends, audit).boxed())
            .await
    }

    async fn begin_session(&self, login: &NewSession) -> Result<Begun> {
        self.writer.write(login.clone(), |db, login| begin_session(db, login).boxed()).await
    }

    async fn session(&self, id: StreamId) -> Result<Option<Arc<Session>>> {
        Ok(sessions::find(&self.readers, id).await?.map(Arc::new))
    }

    async fn session_with_user(&self, id: StreamId) -> Result<Option<(Arc<Session>, Arc<User>)>> {
        let found = sessions::find_with_user(&self.readers, id).await?;
        Ok(found.map(|(session, user)| (Arc::new(session), Arc::new(user))))
    }

    async fn session_of_credential(&self, credential: &[u8; 32]) -> Result<Option<Session>> {
        Ok(sessions::of_credential(&self.readers, credential).await?)
    }

    async fn sessions_of(
        &self,
        user: UserId,
        before: Option<StreamId>,
        limit: usize,
    ) -> Result<Vec<Session>> {
        Ok(sessions::of_user(&self.readers, user, before, limit).await?)
    }

    async fn carry_on_session(
        &self,
        id: StreamId,
        credential: &[u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool> {
        self.writer
            .write(*credential, move |db, credential| {
                sessions::carry_on(db, id, credential, expires_at).boxed()
            })
            .await
    }

    async fn end_sessions(
        &self,
        which: SessionChoice,
        why: &(String, EventDraft),
        audit: &AuditDraft,
    ) -> Result<Vec<Ended>> {
        let asked = (why.clone(), audit.clone());
        self.writer.write(asked, move |db, (why, audit)| end_sessions(db, which, why, audit).boxed()).await
    }

    async fn active_sessions(&self, now: Timestamp) -> Result<u64> {
        Ok(sessions::count_active(&self.readers, now).await?)
    }

    async fn record_audit(&self, records: &[AuditDraft]) -> Result<()> {
        self.writer.write(records.to_vec(), |db, records| audit::record(db, records).boxed()).await
    }

    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>> {
        Ok(audit::list(&self.readers, filter, before, limit).await?)
    }
}
