//! Makes tokens as version 5 of the thirdweb package does (`encodeJWT`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json::{self, Inexact};
use super::token::HEADER;
use crate::ethereum::{Address, SigningKey};

/// The claims of a token.
#[derive(Clone, Debug)]
pub struct ThirdwebClaims<'a> {
    /// `aud`.
    pub domain: &'a str,
    /// `sub`: the wallet.
    pub owner: Address,
    /// `iat` and `nbf`, in seconds since the Unix epoch.
    pub now: u64,
    /// Its lifetime, in seconds.
    pub lifetime_secs: u64,
    /// `jti`: unique.
    pub id: &'a str,
    /// `ctx`: additional data of the app.
    pub context: Option<&'a Value>,
}

/// Makes a token, with its claims in the order in which thirdweb sorts them.
///
/// # Errors
/// [`Inexact`]: the context cannot be written in a form that thirdweb would accept.
pub fn issue(key: &SigningKey, new: &ThirdwebClaims<'_>) -> Result<String, Inexact> {
    let mut payload = String::from("{\"aud\":");
    json::text(&mut payload, new.domain);
    if let Some(context) = new.context {
        payload.push_str(",\"ctx\":");
        json::write(&mut payload, context)?;
    }
    let (now, expires, issuer, owner) =
        (new.now, new.now.saturating_add(new.lifetime_secs), key.address(), new.owner);
    let _ = write!(payload, ",\"exp\":{expires},\"iat\":{now},\"iss\":\"{issuer}\",\"jti\":");
    json::text(&mut payload, new.id);
    let _ = write!(payload, ",\"nbf\":{now},\"sub\":\"{owner}\"}}");
    let signature = key.sign(payload.as_bytes());
    Ok(format!("{HEADER}.{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature)))
}
