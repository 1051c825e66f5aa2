//! Tokens of every kind: what a token is, whether it is valid, and how it is revoked.
//!
//! [`Tokens`] decides in one place what kind a token is. Tokens in Portal's form are in `portal.rs`. Access tokens
//! and tokens from service to service come from the [`Mint`]; its keys, which are usually in a file (`key_file.rs`),
//! rotate on a schedule (`rotation.rs`). Revocations of every kind are in `revocations.rs`. Sessions, and tokens of wallet providers, are
//! reached by the traits in `rest.rs`: this module imports neither. What was issued, and for whom, is in `issued.rs`.

mod error;
mod issued;
mod key_file;
mod mint;
mod portal;
mod rest;
mod revocations;
mod rotation;
mod sealed_keys;

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::PublicKey;
use serde_json::{Value, json};

pub use crate::portal_token::{TokenError, standard_jwt, wrapped as wrapped_token};
pub use error::{Result, TokensError};
pub use issued::Issued;
pub use key_file::KeyFile;
pub use mint::{Mint, NewServiceToken, SessionSubject, SigningKeyState};
pub use portal::{PortalTokens, Revoked, TokenType, VerifiedToken, Vouched};
pub use rest::{NewOtherToken, OtherTokens, RestsOnTokens, Revocable};
pub use revocations::{RevokedTokens, TokenName};
pub use rotation::Rotation;
pub use sealed_keys::SealedKeys;

use crate::access_token::{AccessError, Claims};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::quoted::one_line;
use crate::store::User;

/// Tokens, for callers.
#[derive(Debug)]
pub struct Tokens {
    portal: Arc<PortalTokens>,
    mint: Arc<Mint>,
    /// `None`: sessions are off.
    others: Option<Arc<dyn OtherTokens>>,
    /// `None`: no provider has tokens of another form.
    sessions: Option<Arc<dyn RestsOnTokens>>,
    service: PublicKey,
    issued: Arc<Issued>,
}

/// The kind of a token, by its form and signer.
enum Kind {
    /// The access token of a session.
    Session(Arc<Claims>),
    /// A JWT from service to service.
    Service(Arc<Claims>),
    /// A token of another form.
    Other(Result<Revocable>),
    /// Any other token can only be in Portal's form.
    Portal,
}

/// A token that is valid.
#[derive(Clone, Debug)]
pub enum Inspected {
    /// The access token of an open session, and its current user.
    Session(Arc<Claims>, Arc<User>),
    /// A JWT from service to service.
    Service(Arc<Claims>),
    /// A token in Portal's form.
    Portal(VerifiedToken),
}

/// A request to issue a token.
#[derive(Clone, Debug)]
pub enum NewToken<'a> {
    /// A token in Portal's form.
    Portal {
        /// The user of the token.
        target: PublicKey,
        /// Its lifetime.
        lifetime: Duration,
    },
    /// A JWT from service to service.
    Service(NewServiceToken),
    /// A token of another form.
    Other(NewOtherToken<'a>),
}

impl NewToken<'_> {
    /// What the audit says about it.
    fn detail(&self) -> Value {
        match self {
            Self::Portal { target, lifetime } => {
                json!({ "format": "portal", "target_key": target.to_hex(), "hours": hours(*lifetime) })
            }
            Self::Service(new) => json!({
                "format": "jwt",
                "target_key": new.target_key,
                "hours": hours(new.lifetime),
                "audience": new.audience,
                "scope": new.scope,
            }),
            Self::Other(new) => json!({
                "format": "thirdweb",
                "address": new.address.map(|address| one_line(address, LONGEST_ADDRESS)),
                "follows_a_token": new.token.is_some(),
            }),
        }
    }
}

/// Longer than any address of a wallet.
const LONGEST_ADDRESS: usize = 64;

fn hours(lifetime: Duration) -> u64 {
    lifetime.as_secs() / 3600
}

impl Tokens {
    /// The tokens of the service with this key. `others` and `sessions` are `None` if they are off.
    pub fn new(
        service: PublicKey,
        portal: Arc<PortalTokens>,
        mint: Arc<Mint>,
        others: Option<Arc<dyn OtherTokens>>,
        sessions: Option<Arc<dyn RestsOnTokens>>,
        issued: Arc<Issued>,
    ) -> Self {
        Self { portal, mint, others, sessions, service, issued }
    }

    /// The keys of access tokens.
    pub fn mint(&self) -> &Mint {
        &self.mint
    }

    /// The tokens in Portal's form.
    pub fn portal(&self) -> &PortalTokens {
        &self.portal
    }

    fn kind_of(&self, token: &str) -> Kind {
        if let Ok(claims) = self.mint.read(token) {
            return if claims.sid.is_some() { Kind::Session(claims) } else { Kind::Service(claims) };
        }
        let other = self.others.as_ref().and_then(|others| others.read(token));
        other.map_or(Kind::Portal, Kind::Other)
    }

    /// Inspects a token. `None`: it is not valid, or its user may not log in.
    ///
    /// # Errors
    /// The answer is not available now.
    pub async fn inspect(&self, token: &str) -> Result<Option<Inspected>> {
        match self.kind_of(token) {
            Kind::Session(claims) => {
                let Some(sessions) = &self.sessions else { return Ok(None) };
                let user = sessions.user_behind(token).await?;
                Ok(user.map(|user| Inspected::Session(claims, user)))
            }
            Kind::Service(claims) => {
                let is_revoked = self.portal.revoked().contains(&self.mint.name_of(&claims));
                let holds = self.mint.check_times(&claims).is_ok() && !is_revoked;
                Ok(holds.then_some(Inspected::Service(claims)))
            }
            // Only its own provider says whether it holds.
            Kind::Other(_) => Ok(None),
            Kind::Portal => match self.portal.verify(self.service, token).await {
                Ok(verified) if self.is_kept_out(&verified).await? => Ok(None),
                Ok(verified) => Ok(Some(Inspected::Portal(verified))),
                Err(TokensError::Token(_)) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Whether a wallet's token belongs to a user who may not log in.
    async fn is_kept_out(&self, verified: &VerifiedToken) -> Result<bool> {
        match &self.sessions {
            Some(sessions) if verified.token_type == TokenType::Wallet => {
                sessions.keeps_out(&verified.target_key.to_hex()).await
            }
            _ => Ok(false),
        }
    }

    /// Issues a token.
    ///
    /// # Errors
    /// [`TokensError`]: why not.
    pub fn issue(&self, new: NewToken<'_>, actor: &Actor) -> Result<String> {
        let detail = new.detail();
        let token = self.sign(new)?;
        self.issued.note(actor, detail);
        Ok(token)
    }

    fn sign(&self, new: NewToken<'_>) -> Result<String> {
        match new {
            NewToken::Portal { target, lifetime } => self.portal.issue(target, lifetime),
            NewToken::Service(new) => self.mint.service_token(new),
            NewToken::Other(new) => match &self.others {
                Some(others) => others.issue(&new),
                None => Err(TokensError::others_are_off()),
            },
        }
    }

    /// Revokes a token, and ends the sessions that depend on it. `false`: it was revoked before.
    ///
    /// # Errors
    /// The token cannot be revoked, the bound is reached, or the store failed.
    pub async fn revoke(&self, token: &str, actor: &Actor) -> Result<bool> {
        match self.kind_of(token) {
            // Its session ends with it even when it has run out. Where sessions are off, it is worth nothing.
            Kind::Session(claims) => match &self.sessions {
                Some(sessions) => sessions.end_session(&claims, actor).await,
                None => Ok(false),
            },
            Kind::Service(claims) => {
                if let Err(error @ AccessError::TokenExpired) = self.mint.check_times(&claims) {
                    return Err(TokensError::Refused { code: error.code(), message: error.to_string() });
                }
                let until = Timestamp::from_secs(claims.exp);
                self.portal.revoked().add(self.mint.name_of(&claims), until, actor).await
            }
            Kind::Other(token) => {
                let Revocable { name, expires_at } = token?;
                let fresh = self.portal.revoked().add(name, expires_at, actor).await?;
                self.end_sessions(&[name], actor).await?;
                Ok(fresh)
            }
            Kind::Portal => {
                let Revoked { fresh, names } = self.portal.revoke(token, actor).await?;
                self.end_sessions(&names, actor).await?;
                Ok(fresh)
            }
        }
    }

    async fn end_sessions(&self, names: &[TokenName], actor: &Actor) -> Result<()> {
        let Some(sessions) = &self.sessions else { return Ok(()) };
        for name in names {
            sessions.end_resting_on(name, actor).await?;
        }
        Ok(())
    }
}
