//! API tokens with names: who may call over TCP, and with which rights. Operators make and revoke them at run time.
//!
//! All tokens are in memory, so a request needs no read of the store. A change goes to the store, then to memory, and
//! then Portico acknowledges it. So a revoked token stays revoked after a restart. Memory is correct as long as only
//! this process changes the tokens. With several processes, each would have to learn of the changes of the others.

mod held;
mod rules;
#[cfg(test)]
mod tests;
mod written;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::actor::Actor;
use crate::clock::{SharedClock, Timestamp};
use crate::lifecycle::Lifecycle;
use crate::rights::{Right, Rights};
use crate::store::{ApiTokenId, ApiTokens, AuditKind, StoreError};

pub use crate::store::StoredApiToken;
pub use held::HeldToken;
pub use rules::{LONGEST_LIFETIME, MAX_NAME, MAX_TOKENS, check_name};

/// How often Portico writes to the store when tokens were last used.
const USE_WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// Why a change of the tokens was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NamedTokenError {
    /// The name or the lifetime is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// Another token has this name.
    #[error("an API token {0:?} exists already: revoke it first, or use another name")]
    NameTaken(String),
    /// No token has this name.
    #[error("there is no API token of this name")]
    NoSuchToken,
    /// The maker does not have this right.
    #[error("a caller can give a token only its own rights, and does not have the right {0}")]
    MissingRight(Right),
    /// The maker's own token was revoked or has expired.
    #[error("the caller's own API token has expired or was revoked")]
    MakerIsOver,
    /// There are too many tokens.
    #[error("there are {MAX_TOKENS} API tokens: revoke one first")]
    LimitReached,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a text does not admit its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// No token has this text. It may be a revoked token.
    Unknown,
    /// The token has expired.
    Expired,
}

/// A token to make.
#[derive(Debug)]
pub struct NewApiToken {
    /// Its name.
    pub name: String,
    /// Its rights.
    pub may: Rights,
    /// How long it is valid. `None`: until it is revoked.
    pub lifetime: Option<Duration>,
}

/// Who makes or revokes a token.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Their name in the audit.
    pub actor: Actor,
    /// Their rights.
    pub rights: Rights,
    /// Their own token, if they call with one.
    pub token: Option<Arc<HeldToken>>,
}

impl Maker {
    /// Checked when a change has its turn: if the change before it revoked the maker's own token, it is rejected.
    fn is_still_one(&self) -> Result<(), NamedTokenError> {
        let is_over = self.token.as_ref().is_some_and(|token| token.is_over());
        if is_over { Err(NamedTokenError::MakerIsOver) } else { Ok(()) }
    }
}

/// All tokens.
#[derive(Debug)]
pub struct NamedTokens {
    store: Arc<dyn ApiTokens>,
    clock: SharedClock,
    lifecycle: Lifecycle,
    held: RwLock<HashMap<ApiTokenId, Arc<HeldToken>>>,
    /// One change at a time, so that memory and store agree.
    changing: tokio::sync::Mutex<()>,
}

impl NamedTokens {
    /// Reads all tokens from the store. From then on writes to the store when they were last used.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(
        store: Arc<dyn ApiTokens>,
        clock: SharedClock,
        lifecycle: Lifecycle,
    ) -> Result<Arc<Self>, StoreError> {
        let stored = store.api_tokens().await?;
        let held = stored.iter().map(|token| (token.id, HeldToken::new(token, &clock))).collect();
        let tokens = Arc::new(Self {
            store,
            clock,
            lifecycle: lifecycle.clone(),
            held: RwLock::new(held),
            changing: tokio::sync::Mutex::default(),
        });
        lifecycle.run("use of API tokens", Arc::clone(&tokens).write_use_on_schedule());
        let at_the_end = Arc::clone(&tokens);
        lifecycle.spawn(async move {
            at_the_end.lifecycle.stopping().await;
            at_the_end.write_use().await;
        });
        Ok(tokens)
    }

    /// Makes a token. Its text exists only in this answer.
    ///
    /// # Errors
    /// [`NamedTokenError`].
    pub async fn make(
        self: &Arc<Self>,
        new: NewApiToken,
        by: Maker,
    ) -> Result<(StoredApiToken, SecretString), NamedTokenError> {
        let this = Arc::clone(self);
        let change = async move { this.make_now(new, by).await };
        self.lifecycle.to_the_end(change).await.unwrap_or(Err(NamedTokenError::Stopping))
    }

    async fn make_now(
        &self,
        new: NewApiToken,
        by: Maker,
    ) -> Result<(StoredApiToken, SecretString), NamedTokenError> {
        rules::check_name(&new.name)?;
        if let Some(right) = by.rights.missing(new.may) {
            return Err(NamedTokenError::MissingRight(right));
        }
        let now = self.clock.now();
        let expires_at =
            rules::expiry(new.lifetime, by.token.as_ref().and_then(|token| token.expires_at()), now)?;
        let fresh = written::fresh();
        let mut record = by.actor.did(AuditKind::ApiTokenMade, now);
        let id = hex::encode(fresh.id);
        let detail = json!({ "id": id, "name": new.name, "may": new.may.words(), "expires_at": expires_at });
        record.detail = Some(detail.to_string());
        let token = StoredApiToken {
            id: fresh.id,
            name: new.name,
            secret_hash: fresh.secret_hash,
            rights: new.may,
            made_by: record.actor.clone(),
            made_at: now,
            expires_at,
            used_at: None,
        };
        let _one = self.changing.lock().await;
        by.is_still_one()?;
        if self.is_name_taken(&token.name) {
            return Err(NamedTokenError::NameTaken(token.name));
        }
        match self.store.add_api_token(&token, MAX_TOKENS, &record).await {
            Ok(true) => {}
            Ok(false) => return Err(NamedTokenError::LimitReached),
            Err(StoreError::Conflict) => return Err(NamedTokenError::NameTaken(token.name)),
            Err(error) => return Err(error.into()),
        }
        let held = HeldToken::new(&token, &self.clock);
        self.held.write().unwrap_or_else(PoisonError::into_inner).insert(token.id, held);
        // Log it as well, because nobody can read the audit while sessions are off.
        tracing::info!(name = token.name, may = %token.rights, by = token.made_by, "API token made");
        Ok((token, fresh.text))
    }

    /// Revokes the token of this name. Portico then rejects its holder, and ends what the holder has open.
    ///
    /// # Errors
    /// [`NamedTokenError`].
    pub async fn revoke(self: &Arc<Self>, name: String, by: Maker) -> Result<(), NamedTokenError> {
        let this = Arc::clone(self);
        let change = async move { this.revoke_now(&name, &by).await };
        self.lifecycle.to_the_end(change).await.unwrap_or(Err(NamedTokenError::Stopping))
    }

    async fn revoke_now(&self, name: &str, by: &Maker) -> Result<(), NamedTokenError> {
        let mut record = by.actor.did(AuditKind::ApiTokenRevoked, self.clock.now());
        let _one = self.changing.lock().await;
        by.is_still_one()?;
        record.detail = Some(json!({ "id": self.id_of(name), "name": name }).to_string());
        let revoked = self.store.revoke_api_token(name, &record).await?;
        let id = revoked.ok_or(NamedTokenError::NoSuchToken)?;
        let gone = self.held.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(gone) = gone {
            gone.revoke();
        }
        tracing::info!(name, by = record.actor, "API token revoked");
        Ok(())
    }

    /// The public part of the token with this name.
    fn id_of(&self, name: &str) -> Option<String> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.values().find(|held| held.name() == name).map(|held| hex::encode(held.id()))
    }

    /// Whether a token has this name, or one that differs only in capital letters: people would take one for the other.
    fn is_name_taken(&self, name: &str) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.values().any(|held| held.name().eq_ignore_ascii_case(name))
    }

    /// All tokens by name, with when each was last used.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<StoredApiToken>, StoreError> {
        let mut listed = self.store.api_tokens().await?;
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        for token in &mut listed {
            token.used_at = held.get(&token.id).and_then(|held| held.used_at()).or(token.used_at);
        }
        Ok(listed)
    }

    /// How many tokens there are, including expired ones.
    pub fn count(&self) -> usize {
        self.held.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The present time, which decides whether a token has expired.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the token with this text, and notes that it was used.
    ///
    /// The public part finds the token. Then the hashes of the secret part are compared in constant time. Neither a
    /// secret nor a hash is ever the key of a look-up.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub fn admit(&self, text: &str) -> Result<Arc<HeldToken>, NotAdmitted> {
        let (id, secret) = written::parts(text).ok_or(NotAdmitted::Unknown)?;
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let held = held.filter(|held| held.has_secret(secret)).ok_or(NotAdmitted::Unknown)?;
        if held.is_over() {
            return Err(NotAdmitted::Expired);
        }
        held.note_use();
        Ok(held)
    }

    async fn write_use_on_schedule(self: Arc<Self>) {
        let mut due = tokio::time::interval(USE_WRITTEN_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due.reset();
        loop {
            due.tick().await;
            self.write_use().await;
        }
    }

    /// Writes when tokens were last used. Skips tokens that were not used since the last write.
    async fn write_use(&self) {
        let held: Vec<_> =
            self.held.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        let used: Vec<_> =
            held.iter().filter_map(|held| held.unwritten_use().map(|at| (held.id(), at))).collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.api_tokens_used(&used).await {
            tracing::warn!(%error, "cannot write when API tokens were last used");
            return;
        }
        let written: HashMap<_, _> = used.into_iter().collect();
        for held in held {
            if let Some(at) = written.get(&held.id()) {
                held.use_is_written(*at);
            }
        }
    }
}
