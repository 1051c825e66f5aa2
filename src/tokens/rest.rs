//! What rests on tokens, or is made beside them, and that this room does not know: sessions, and tokens of others.

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

/// Sessions, as far as they rest on tokens.
#[async_trait]
pub trait RestsOnTokens: fmt::Debug + Send + Sync {
    /// The user whose session this access token is of. `None`: the session or the token holds no more.
    async fn user_behind(&self, access_token: &str) -> Result<Option<Arc<User>>>;

    /// Whether the user of a Portal wallet is kept out.
    async fn keeps_out(&self, wallet_id: &str) -> Result<bool>;

    /// Ends the session of an access token, even when that has run out. `false`: it had ended before.
    async fn end_session(&self, claims: &Claims, actor: &Actor) -> Result<bool>;

    /// Ends the sessions that rest on a wallet's token of this name.
    async fn end_resting_on(&self, name: &TokenName, actor: &Actor) -> Result<()>;
}

/// A token of another form that is to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocable {
    /// What revokes it.
    pub name: TokenName,
    /// Up to when it holds by itself.
    pub expires_at: Timestamp,
}

/// A token of another form that is to be issued: for a wallet, or for the one of a token that it is to follow.
#[derive(Clone, Copy, Debug)]
pub struct NewOtherToken<'a> {
    /// The wallet's address.
    pub address: Option<&'a str>,
    /// The token that it follows.
    pub token: Option<&'a str>,
    /// How long it holds. `None`: as configured.
    pub lifetime: Option<Duration>,
    /// Whatever the app wants to find in it.
    pub context: Option<&'a Value>,
}

/// Tokens of another form, which a wallet provider issues and knows.
pub trait OtherTokens: fmt::Debug + Send + Sync {
    /// Issues one.
    ///
    /// # Errors
    /// [`TokensError`](super::TokensError): why not.
    fn issue(&self, new: &NewOtherToken<'_>) -> Result<String>;

    /// What a token says that is to be revoked. `None`: it is of no such form.
    ///
    /// # Errors
    /// [`TokensError::Refused`](super::TokensError::Refused): it does not hold.
    fn read(&self, token: &str) -> Option<Result<Revocable>>;
}
