//! API tokens with names, as an operator made them.

use std::fmt;

use async_trait::async_trait;

use super::{AuditDraft, Result};
use crate::clock::Timestamp;
use crate::rights::Rights;

/// The public part of a token, by which it is found.
pub type ApiTokenId = [u8; 8];

/// A token, without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredApiToken {
    /// Its public part.
    pub id: ApiTokenId,
    /// Its name, which no other token has.
    pub name: String,
    /// The SHA-256 of its secret part.
    pub secret_hash: [u8; 32],
    /// What its holder may do.
    pub rights: Rights,
    /// Who made it, as the audit names them.
    pub made_by: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// From this moment on it is rejected. `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; at most about a minute old.
    pub used_at: Option<Timestamp>,
}

/// Without the hash: logs are no place for it.
impl fmt::Debug for StoredApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rights, expires_at, used_at, .. } = self;
        let mut shown = f.debug_struct("StoredApiToken");
        shown.field("name", name).field("rights", rights);
        shown.field("expires_at", expires_at).field("used_at", used_at).finish_non_exhaustive()
    }
}

/// API tokens. A revoked one is deleted.
#[async_trait]
pub trait ApiTokens: fmt::Debug + Send + Sync {
    /// Adds a token and its audit record. `false`: there are `max` tokens already, and nothing was done.
    /// [`StoreError::Conflict`](super::StoreError): another token has this name or id, and nothing was done.
    async fn add_api_token(&self, token: &StoredApiToken, max: usize, audit: &AuditDraft) -> Result<bool>;

    /// Deletes the token of this name and adds the audit record. `None`: there is no such token, and nothing was done.
    async fn revoke_api_token(&self, name: &str, audit: &AuditDraft) -> Result<Option<ApiTokenId>>;

    /// All tokens, in the order of their names.
    async fn api_tokens(&self) -> Result<Vec<StoredApiToken>>;

    /// Keeps when tokens were last used. It adds no token that was revoked in the meantime.
    async fn api_tokens_used(&self, used: &[(ApiTokenId, Timestamp)]) -> Result<()>;
}
