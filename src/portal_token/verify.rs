//! The policy, and all the checks in order.

use super::{Claims, TokenError, TokenId, UnverifiedToken, VerifyingKey};

/// How strict to be about times, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How far `nbf` and `iat` may lie ahead: phones' clocks do.
    pub leeway_secs: u64,
    /// How long a token may be valid in all; `None` for any time.
    pub max_lifetime_secs: Option<u64>,
}

impl Default for Policy {
    /// One minute of leeway, 30 days of life.
    fn default() -> Self {
        Self { leeway_secs: 60, max_lifetime_secs: Some(30 * 24 * 60 * 60) }
    }
}

/// Verifies that `key` issued `token` and that it is valid at `now`, in seconds since the Unix
/// epoch. `revoked` says whether a token was revoked; it is asked last and only about good ones.
///
/// Whom the token is for is for the caller to compare.
///
/// # Errors
///
/// The first [`TokenError`] that applies.
pub fn verify(
    key: &VerifyingKey,
    token: &str,
    now: u64,
    policy: &Policy,
    revoked: impl FnOnce(&TokenId) -> bool,
) -> Result<Claims, TokenError> {
    let token = UnverifiedToken::parse(token)?;
    token.verify_signature(key)?;
    let claims = token.claims()?;
    claims.check_times(now, policy)?;
    if revoked(&token.id()) { Err(TokenError::TokenRevoked) } else { Ok(claims) }
}
