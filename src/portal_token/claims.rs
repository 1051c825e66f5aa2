//! The claims of a token (RFC 7519 §4), and when they are valid.

use super::json::{Object, Value};
use super::{Policy, TokenError, VerifyingKey};

/// The latest NumericDate: 2⁵³ − 1, up to which all JSON readers agree on integers (RFC 8259 §6).
pub(super) const MAX_NUMERIC_DATE: u64 = (1 << 53) - 1;

/// The claims of a token. Times are seconds since the Unix epoch; fractions are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The audience: an x-only key that is a point of the curve.
    pub target_key: [u8; 32],
    /// `iat`: when the token was made.
    pub issued_at: Option<u64>,
    /// `nbf`: the first second at which it is valid.
    pub not_before: Option<u64>,
    /// `exp`: the first second at which it is no longer valid.
    pub expires_at: u64,
}

impl Claims {
    /// Checks that the token is valid at `now`, in seconds since the Unix epoch.
    ///
    /// The leeway applies to clocks that run ahead (`nbf` and `iat`) and never to `exp`. For a token without `iat`,
    /// the remaining time is compared with the maximum lifetime.
    ///
    /// # Errors
    ///
    /// [`TokenError::TokenExpired`], [`TokenError::TokenNotYetValid`],
    /// [`TokenError::IssuedInFuture`] and [`TokenError::LifetimeTooLong`], in that order.
    pub fn check_times(&self, now: u64, policy: &Policy) -> Result<(), TokenError> {
        let ahead = |time: Option<u64>| time.is_some_and(|t| t > now.saturating_add(policy.leeway_secs));
        let lifetime = self.expires_at.saturating_sub(self.issued_at.unwrap_or(now));
        if now >= self.expires_at {
            Err(TokenError::TokenExpired)
        } else if ahead(self.not_before) {
            Err(TokenError::TokenNotYetValid)
        } else if ahead(self.issued_at) {
            Err(TokenError::IssuedInFuture)
        } else if policy.max_lifetime_secs.is_some_and(|max| lifetime > max) {
            Err(TokenError::LifetimeTooLong)
        } else {
            Ok(())
        }
    }
}

/// Claims with the right types. Whether the target is a key is checked later, because that costs more than all the
/// rest of the parsing, and is useless before the signature is verified.
#[derive(Clone, Copy)]
pub(super) struct UncheckedClaims(Claims);

impl UncheckedClaims {
    pub(super) fn read(object: &Object<'_>) -> Result<Self, TokenError> {
        let claims = Claims {
            target_key: target_key(object)?,
            issued_at: numeric_date(object, "iat")?,
            not_before: numeric_date(object, "nbf")?,
            expires_at: numeric_date(object, "exp")?.ok_or(TokenError::MalformedClaims)?,
        };
        // Portal names the audience in `target_key`. An `aud` names one in some other scheme, in
        // which this verifier has no name, so the token is for somebody else (RFC 7519 §4.1.3).
        if object.contains("aud") { Err(TokenError::WrongAudience) } else { Ok(Self(claims)) }
    }

    pub(super) fn check(self) -> Result<Claims, TokenError> {
        VerifyingKey::from_xonly_bytes(&self.0.target_key).map_err(|_| TokenError::MalformedClaims)?;
        Ok(self.0)
    }
}

/// 64 lower-case hex digits: keys have one spelling (NIP-01), so texts can be compared.
fn target_key(object: &Object<'_>) -> Result<[u8; 32], TokenError> {
    let Some(Value::Text(text)) = object.get("target_key") else {
        return Err(TokenError::MalformedClaims);
    };
    let mut key = [0; 32];
    if text.bytes().any(|c| c.is_ascii_uppercase()) || hex::decode_to_slice(&**text, &mut key).is_err() {
        return Err(TokenError::MalformedClaims);
    }
    Ok(key)
}

/// A NumericDate (RFC 7519 §2) from 0 to [`MAX_NUMERIC_DATE`], without its fraction.
pub(crate) fn numeric_date(object: &Object<'_>, name: &str) -> Result<Option<u64>, TokenError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Number(date)) if (0.0..=MAX_NUMERIC_DATE as f64).contains(date) => Ok(Some(*date as u64)),
        Some(_) => Err(TokenError::MalformedClaims),
    }
}
