//! Makes access tokens, and parses them strictly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::{AccessError, Algorithm, Claims, PublicKey, SignError, SigningKey};
use crate::portal_token::compact::Compact;
use crate::portal_token::json::{Object, Value};

/// `typ` of an access token (RFC 9068 §2.1), which distinguishes it from every other JWT.
pub const TYPE: &str = "at+jwt";

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: Algorithm,
    kid: &'a str,
}

/// Makes an access token with these claims.
///
/// # Errors
///
/// [`SignError`] if the cryptography fails.
pub fn sign(key: &SigningKey, claims: &Claims) -> Result<String, SignError> {
    let public = key.public();
    let header = Header { typ: TYPE, alg: public.algorithm(), kid: public.kid() };
    let mut token = String::new();
    encode(&header, &mut token)?;
    token.push('.');
    encode(claims, &mut token)?;
    let signature = key.sign(&token)?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

fn encode(part: &impl Serialize, token: &mut String) -> Result<(), SignError> {
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(part).map_err(|_| SignError)?, token);
    Ok(())
}

/// A token with a valid form and an unverified signature.
pub struct UnverifiedToken<'a> {
    parts: Compact<'a>,
    algorithm: Algorithm,
    kid: String,
}

impl<'a> UnverifiedToken<'a> {
    /// Checks the form of a token and its header.
    ///
    /// # Errors
    ///
    /// [`AccessError::MalformedToken`], and [`AccessError::UnsupportedAlgorithm`] if the form is valid and `alg` is
    /// unknown.
    pub fn parse(text: &'a str) -> Result<Self, AccessError> {
        let parts = Compact::parse(text).map_err(|_| AccessError::MalformedToken)?;
        let (header, _) = parts.objects().map_err(|_| AccessError::MalformedToken)?;
        let (typ, kid) = (text_of(&header, "typ")?, text_of(&header, "kid")?.to_owned());
        if !is_access_token(typ) {
            return Err(AccessError::MalformedToken);
        }
        let alg = text_of(&header, "alg")?;
        let algorithm = Algorithm::of_word(alg).ok_or(AccessError::UnsupportedAlgorithm)?;
        Ok(Self { parts, algorithm, kid })
    }

    /// The id of the key that the token names.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// SHA-256 of header and claims as they came. It identifies the token even if the signature was altered.
    pub fn signing_digest(&self) -> [u8; 32] {
        self.parts.digest()
    }

    /// Checks that the holder of `key` signed the token, and reads the claims.
    ///
    /// # Errors
    ///
    /// [`AccessError::UnknownKey`] if the token names another key, [`AccessError::UnsupportedAlgorithm`] if the key
    /// is for another algorithm, [`AccessError::InvalidSignature`] and [`AccessError::MalformedClaims`].
    pub fn verify(&self, key: &PublicKey) -> Result<Claims, AccessError> {
        if self.kid != key.kid() {
            Err(AccessError::UnknownKey)
        } else if self.algorithm != key.algorithm() {
            // The key decides its algorithm, never the token (RFC 8725 §3.1).
            Err(AccessError::UnsupportedAlgorithm)
        } else if !key.signed(&self.parts) {
            Err(AccessError::InvalidSignature)
        } else {
            serde_json::from_slice(&self.parts.claims).map_err(|_| AccessError::MalformedClaims)
        }
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken([redacted])")
    }
}

fn text_of<'o>(header: &'o Object<'_>, name: &str) -> Result<&'o str, AccessError> {
    match header.get(name) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(AccessError::MalformedToken),
    }
}

/// Media types are compared without regard to case, and may leave out `application/` (RFC 7515 §4.1.9).
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
}
