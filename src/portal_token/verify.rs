//! The policy, and all checks in order.

use super::{Claims, TokenError, TokenId, UnverifiedToken, VerifyingKey};

/// How strictly times are checked, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How far `nbf` and `iat` may lie in the future, because clocks of phones run ahead.
    pub leeway_secs: u64,
    /// The longest lifetime of a token; `None` for no limit.
    pub max_lifetime_secs: Option<u64>,
}

impl Default for Policy {
    /// One minute of leeway, and a lifetime of 30 days.
    fn default() -> Self {
        Self { leeway_secs: 60, max_lifetime_secs: Some(30 * 24 * 60 * 60) }
    }
}

/// Verifies that `key` issued `token` and that it is valid at `now`, in seconds since the Unix epoch. `revoked` says
/// whether a token was revoked. It is called last, and only for tokens that are otherwise valid.
///
/// The caller must compare the audience (`target_key`) itself.
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
