//! What depends on tokens and lives in other modules: sessions, and tokens of wallet providers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Result, TokenName};
use crate::access_token::Claims;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::store::User;

/// Sessions, for revocation and introspection of the tokens that they depend on.
#[async_trait]
pub trait RestsOnTokens: fmt::Debug + Send + Sync {
    /// The user of this access token's session. `None`: the session or the token is no longer valid.
    async fn user_behind(&self, access_token: &str) -> Result<Option<Arc<User>>>;

    /// Whether the user of a Portal wallet may not log in.
    async fn keeps_out(&self, wallet_id: &str) -> Result<bool>;

    /// Ends the session of an access token, even if the token has expired. `false`: it had ended before.
    async fn end_session(&self, claims: &Claims, actor: &Actor) -> Result<bool>;

    /// Ends the sessions that depend on the wallet's token with this name.
    async fn end_resting_on(&self, name: &TokenName, actor: &Actor) -> Result<()>;
}

/// A token of another form that is to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocable {
    /// The name under which it is revoked.
    pub name: TokenName,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The request for a token of another form: for a wallet, or as the successor of a token.
#[derive(Clone, Copy, Debug)]
pub struct NewOtherToken<'a> {
    /// The wallet's address.
    pub address: Option<&'a str>,
    /// The token that it replaces.
    pub token: Option<&'a str>,
    /// Its lifetime. `None`: the configured one.
    pub lifetime: Option<Duration>,
    /// Additional data of the app.
    pub context: Option<&'a Value>,
}

/// Tokens of another form, which a wallet provider issues and verifies.
pub trait OtherTokens: fmt::Debug + Send + Sync {
    /// Issues a token.
    ///
    /// # Errors
    /// [`TokensError`](super::TokensError): why not.
    fn issue(&self, new: &NewOtherToken<'_>) -> Result<String>;

    /// Reads a token that is to be revoked. `None`: it does not have this form.
    ///
    /// # Errors
    /// [`TokensError::Refused`](super::TokensError::Refused): it is not valid.
    fn read(&self, token: &str) -> Option<Result<Revocable>>;
}
