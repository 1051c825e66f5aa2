//! Parses an issuer's token strictly, and verifies it step by step.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::{IssuerKey, JwtError};
use crate::config::JwtAlgorithm;
use crate::portal_token::compact::Compact;
use crate::portal_token::json::{Object, Value};
use crate::portal_token::{TokenError, numeric_date};

/// The types that a wallet's token may have (RFC 7519 §5.1, RFC 9068 §2.1). Other types have other purposes, such as
/// logout tokens, and often have the same issuer, audience and subject.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token with a valid form and an unverified signature.
pub struct UnverifiedJwt<'a> {
    parts: Compact<'a>,
    algorithm: JwtAlgorithm,
    kid: String,
}

/// A token with a verified signature. Whether it is valid here and now is not checked yet.
pub(super) struct SignedJwt {
    /// The claims.
    pub(super) claims: serde_json::Value,
    /// `exp`, in seconds since the Unix epoch.
    pub(super) expires_at: u64,
    /// `nbf`.
    pub(super) not_before: Option<u64>,
    /// `iat`.
    pub(super) issued_at: Option<u64>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Checks the form of a token and its header.
    ///
    /// # Errors
    /// [`JwtError::MalformedToken`], and [`JwtError::UnsupportedAlgorithm`] if the form is valid and `alg` is
    /// unknown.
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        let parts = Compact::parse(text).map_err(|_| JwtError::MalformedToken)?;
        let (header, _) = parts.objects().map_err(|_| JwtError::MalformedToken)?;
        let kid = text_of(&header, "kid").filter(|kid| !kid.is_empty()).ok_or(JwtError::MalformedToken)?;
        let kid = kid.to_owned();
        if header.contains("typ") && !text_of(&header, "typ").is_some_and(is_for_wallets) {
            return Err(JwtError::MalformedToken);
        }
        let alg = text_of(&header, "alg").ok_or(JwtError::MalformedToken)?;
        let algorithm = serde_json::from_value(alg.into()).map_err(|_| JwtError::UnsupportedAlgorithm)?;
        Ok(Self { parts, algorithm, kid })
    }

    /// The id of the key that the token names.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// SHA-256 of the issuer and the signed text. It identifies the token even if its signature was altered.
    pub(super) fn name(&self, issuer: &str) -> [u8; 32] {
        let digest = Sha256::new().chain_update(issuer).chain_update([0]);
        digest.chain_update(self.parts.signing_input).finalize().into()
    }

    /// Checks that the holder of `key` signed the token, and reads the claims.
    ///
    /// # Errors
    /// [`JwtError::UnsupportedAlgorithm`] if the key is for another algorithm, [`JwtError::InvalidSignature`] and
    /// [`JwtError::MalformedClaims`].
    pub(super) fn verify(&self, key: &IssuerKey) -> Result<SignedJwt, JwtError> {
        // The key decides its algorithm, never the token (RFC 8725 §3.1).
        if self.algorithm != key.algorithm() {
            return Err(JwtError::UnsupportedAlgorithm);
        }
        if !key.signed(&self.parts) {
            return Err(JwtError::InvalidSignature);
        }
        self.read().ok_or(JwtError::MalformedClaims)
    }

    fn read(&self) -> Option<SignedJwt> {
        let object = Object::parse(&self.parts.claims).ok()?;
        let date = |name| numeric_date(&object, name);
        let dates = || -> Result<_, TokenError> { Ok((date("exp")?, date("nbf")?, date("iat")?)) };
        let (expires_at, not_before, issued_at) = dates().ok()?;
        let claims = serde_json::from_slice(&self.parts.claims).ok()?;
        Some(SignedJwt { claims, expires_at: expires_at?, not_before, issued_at })
    }
}

impl fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedJwt([redacted])")
    }
}

fn text_of<'o>(header: &'o Object<'_>, name: &str) -> Option<&'o str> {
    match header.get(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// Media types are compared without regard to case, and may leave out `application/` (RFC 7515 §4.1.9).
fn is_for_wallets(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}
