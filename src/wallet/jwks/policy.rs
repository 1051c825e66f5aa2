//! Which tokens are valid here, and to whom they belong.

use serde_json::Value;

use super::token::SignedJwt;
use super::unverified::is_unverified;
use super::{IssuerKey, JwtError, Mapping, UnverifiedJwt, para};
use crate::clock::Timestamp;
use crate::config::{Jwks, Para};
use crate::wallet::{FurtherWallet, WalletIdentity};

/// The rules for a token, and how its claims are read.
#[derive(Clone, Debug)]
pub struct Policy {
    provider: &'static str,
    /// `iss`. `None`: tokens of this issuer have no `iss`.
    issuer: Option<String>,
    audience: String,
    leeway_secs: u64,
    required: Vec<String>,
    reading: Reading,
}

/// How claims are read.
#[derive(Clone, Debug)]
enum Reading {
    Mapped(Mapping),
    Para,
}

/// Reads the identity from the claims.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) wallet_id: String,
    pub(super) auth_method: String,
    pub(super) auth_identifier: String,
    pub(super) wallets: Vec<FurtherWallet>,
}

impl Owner {
    /// This owner, unless the issuer says of one of its names that it has not verified it.
    pub(super) fn verified(self, claims: &Value) -> Result<Self, JwtError> {
        let names = [&self.wallet_id, &self.auth_method, &self.auth_identifier];
        if names.into_iter().any(|name| is_unverified(name, claims)) {
            return Err(JwtError::UnverifiedIdentifier);
        }
        Ok(self)
    }
}

impl Policy {
    /// The policy of `[wallets.jwks]`.
    pub fn of_issuer(rules: &Jwks) -> Self {
        Self {
            provider: "jwks",
            issuer: Some(rules.issuer.clone()),
            audience: rules.audience.clone(),
            leeway_secs: rules.leeway.as_secs(),
            required: rules.required.clone(),
            reading: Reading::Mapped(Mapping::of(rules)),
        }
    }

    /// The policy of `[wallets.para]`. Para's tokens have no `iss`; its keys identify the issuer.
    pub fn of_para(rules: &Para) -> Self {
        Self {
            provider: "para",
            issuer: None,
            audience: rules.audience.clone(),
            leeway_secs: rules.leeway.as_secs(),
            required: Vec::new(),
            reading: Reading::Para,
        }
    }

    /// The name of the provider.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// The owner of the token, if `key` signed it and it is valid at `now`.
    ///
    /// # Errors
    /// [`JwtError`].
    pub fn identity(
        &self,
        token: &UnverifiedJwt<'_>,
        key: &IssuerKey,
        now: Timestamp,
    ) -> Result<WalletIdentity, JwtError> {
        let signed = token.verify(key)?;
        self.check_parties(&signed.claims)?;
        self.check_times(&signed, now.secs())?;
        let owner = match &self.reading {
            Reading::Mapped(mapping) => mapping.owner(&signed.claims)?,
            Reading::Para => para::owner(&signed.claims)?,
        };
        let owner = owner.verified(&signed.claims)?;
        Ok(WalletIdentity {
            provider: self.provider.into(),
            wallet_id: owner.wallet_id,
            auth_method: owner.auth_method,
            auth_identifier: owner.auth_identifier,
            credential: token.name(self.issuer.as_deref().unwrap_or(self.provider)),
            expires_at: Timestamp::from_secs(signed.expires_at),
            issued_at: signed.issued_at.map(Timestamp::from_secs),
            target_key: None,
            wallets: owner.wallets,
            claims: signed.claims,
        })
    }

    fn check_parties(&self, claims: &Value) -> Result<(), JwtError> {
        if self.required.iter().any(|name| claims.get(name).is_none()) {
            return Err(JwtError::MalformedClaims);
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(JwtError::WrongIssuer);
        }
        // One text, or a list of them (RFC 7519 §4.1.3).
        let names_us = |name: &Value| name.as_str() == Some(&self.audience);
        match claims.get("aud") {
            Some(Value::Array(names)) if names.iter().any(names_us) => Ok(()),
            Some(name) if names_us(name) => Ok(()),
            _ => Err(JwtError::WrongAudience),
        }
    }

    /// The leeway applies to clocks that run ahead (`nbf` and `iat`) and never to `exp`.
    fn check_times(&self, token: &SignedJwt, now: u64) -> Result<(), JwtError> {
        let ahead = |time: Option<u64>| time.is_some_and(|time| time > now.saturating_add(self.leeway_secs));
        if now >= token.expires_at {
            Err(JwtError::TokenExpired)
        } else if ahead(token.not_before) {
            Err(JwtError::TokenNotYetValid)
        } else if ahead(token.issued_at) {
            Err(JwtError::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}
