//! The claims of an access token (RFC 9068 §2.2), and when they are valid.

use serde::{Deserialize, Serialize};

use super::AccessError;

/// The claims of an access token. Times are whole seconds since the Unix epoch.
///
/// A claim that is `None` is left out. Claims that are not listed here are ignored (RFC 7519 §4).
#[derive(Default, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued the token.
    pub iss: String,
    /// The internal id of the user, or the key or name of a service.
    pub sub: String,
    /// The audience; always one.
    pub aud: String,
    /// When it was issued.
    pub iat: u64,
    /// The first second at which it is valid.
    pub nbf: u64,
    /// The first second at which it is no longer valid.
    pub exp: u64,
    /// The unique id of this token.
    pub jti: String,
    /// The session of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The user's id in the wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<String>,
    /// The wallet's provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How the user proved to own the wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// The identifier of the user at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_identifier: Option<String>,
    /// Always present in a session's token, even if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Always present in a session's token, even if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<String>>,
    /// The key of a Portal wallet, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_key: Option<String>,
    /// Scopes with spaces between them (RFC 8693 §4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The service that asked for the token (RFC 8693 §4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// The issuer and audience that a token must have.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Compared exactly with `iss`.
    pub issuer: &'a str,
    /// Compared exactly with `aud`.
    pub audience: &'a str,
}

impl Claims {
    /// Checks that the token is for this audience and valid at `now_secs`, in seconds since the Unix epoch.
    ///
    /// The leeway, in seconds, is for clocks that run ahead (`nbf` and `iat`) and never for `exp`.
    ///
    /// # Errors
    ///
    /// [`AccessError::WrongIssuer`], [`AccessError::WrongAudience`], [`AccessError::TokenExpired`],
    /// [`AccessError::TokenNotYetValid`] and [`AccessError::IssuedInFuture`], in that order.
    pub fn check(&self, expected: &Expected<'_>, now_secs: u64, leeway_secs: u64) -> Result<(), AccessError> {
        let latest = now_secs.saturating_add(leeway_secs);
        if self.iss != expected.issuer {
            Err(AccessError::WrongIssuer)
        } else if self.aud != expected.audience {
            Err(AccessError::WrongAudience)
        } else if now_secs >= self.exp {
            Err(AccessError::TokenExpired)
        } else if self.nbf > latest {
            Err(AccessError::TokenNotYetValid)
        } else if self.iat > latest {
            Err(AccessError::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}
