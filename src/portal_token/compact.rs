//! Parses the compact form of a JWS strictly (RFC 7515 §7.1), for login tokens and access tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::TokenError;
use super::es256k::Digest;
use super::json::Object;

/// The longest token that is read, in bytes. Wallets' tokens have about 290.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Header parameters that no token may have here: extensions that change how the token is read (RFC 7515 §4.1.11, RFC
/// 7797), those of encrypted or nested tokens (RFC 7516 §4.1, RFC 7519 §5.2), and keys in the token itself (RFC 8725
/// §3.10).
const REFUSED_PARAMETERS: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

/// The three parts of a token, decoded.
pub(crate) struct Compact<'a> {
    /// The signing input: header and claims as they came.
    pub(crate) signing_input: &'a str,
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Splits and decodes a token, without reading the content of its parts.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::MalformedToken);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::MalformedToken)?;
        let (header, claims) = signing_input.split_once('.').ok_or(TokenError::MalformedToken)?;
        Ok(Self {
            signing_input,
            header: decode(header)?,
            claims: decode(claims)?,
            signature: decode(signature)?,
        })
    }

    /// SHA-256 of the signing input.
    pub(crate) fn digest(&self) -> Digest {
        Sha256::digest(self.signing_input).into()
    }

    /// Header and claims as objects. A refused header parameter is an error.
    pub(crate) fn objects(&self) -> Result<(Object<'_>, Object<'_>), TokenError> {
        let header = Object::parse(&self.header).map_err(|_| TokenError::MalformedToken)?;
        let claims = Object::parse(&self.claims).map_err(|_| TokenError::MalformedToken)?;
        if REFUSED_PARAMETERS.iter().any(|name| header.contains(name)) {
            return Err(TokenError::MalformedToken);
        }
        Ok((header, claims))
    }
}

/// Base64url without padding and with the unused bits zero (RFC 7515 §2, RFC 4648 §3.5): one
/// spelling for each sequence of bytes.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    if part.is_empty() {
        return Err(TokenError::MalformedToken);
    }
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::MalformedToken)
}
