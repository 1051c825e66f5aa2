//! The compact form of a JWS (RFC 7515 §7.1), taken apart strictly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::claims::UncheckedClaims;
use super::es256k::Digest;
use super::json::{Object, Value};
use super::{Claims, Signature, TokenError, VerifyingKey};

/// The longest token that is looked at, in bytes. Those of wallets have about 290.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Header parameters that a login token must not carry: extensions that change how the token is
/// read (RFC 7515 §4.1.11, RFC 7797), those of encrypted or nested tokens (RFC 7516 §4.1, RFC 7519
/// §5.2), and keys that the token brings along to be verified with (RFC 8725 §3.10).
const REFUSED_PARAMETERS: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"];

/// Names a token by what it says and not by how that is spelled: SHA-256 of the signing input.
///
/// The bytes of a signature are malleable; whoever alters them has the same token still, and
/// revoking one revokes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 32]);

impl TokenId {
    /// The id with these bytes, as read from a list of revocations.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A token of good form whose signature nobody has checked yet.
///
/// Holds no text: the signing input is hashed once, when it is parsed.
#[derive(Clone)]
pub struct UnverifiedToken {
    digest: Digest,
    signature: Result<Signature, TokenError>,
    claims: Result<UncheckedClaims, TokenError>,
}

impl UnverifiedToken {
    /// Checks the form of a token and its header.
    ///
    /// What is wrong with the signature or with the value of a claim comes out in
    /// [`verify_signature`](Self::verify_signature) and [`claims`](Self::claims), so that errors
    /// come in the order in which they are promised.
    ///
    /// # Errors
    ///
    /// [`TokenError::MalformedToken`] for the form, [`TokenError::UnsupportedAlgorithm`] for the
    /// header.
    pub fn parse(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::MalformedToken);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::MalformedToken)?;
        let (header, claims) = signing_input.split_once('.').ok_or(TokenError::MalformedToken)?;
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header = Object::parse(&header).map_err(|_| TokenError::MalformedToken)?;
        let claims = Object::parse(&claims).map_err(|_| TokenError::MalformedToken)?;
        check_header(&header)?;
        Ok(Self {
            digest: Sha256::digest(signing_input).into(),
            signature: Signature::parse(&signature),
            claims: UncheckedClaims::read(&claims),
        })
    }

    /// What a revocation of this token names.
    pub fn id(&self) -> TokenId {
        TokenId(self.digest)
    }

    /// Whether the signature can be one: 64 bytes, r and s in range.
    pub fn has_usable_signature(&self) -> bool {
        self.signature.is_ok()
    }

    /// Checks that the holder of `key` signed this token.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`].
    pub fn verify_signature(&self, key: &VerifyingKey) -> Result<(), TokenError> {
        self.signature?.verify(key, self.digest)
    }

    /// Every key whose holder may have signed this token: those it verifies under, at most two.
    ///
    /// Anybody can make a token that some keys verify; a candidate means something only where it is
    /// a key that was known before.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`] if there is none.
    pub fn signer_candidates(&self) -> Result<Vec<VerifyingKey>, TokenError> {
        let candidates = self.signature?.signer_candidates(self.digest);
        if candidates.is_empty() { Err(TokenError::InvalidSignature) } else { Ok(candidates) }
    }

    /// What the token says, whoever signed it.
    ///
    /// # Errors
    ///
    /// [`TokenError::MalformedClaims`]; [`TokenError::WrongAudience`] if there is an `aud`.
    pub fn claims(&self) -> Result<Claims, TokenError> {
        self.claims?.check()
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn signature(&self) -> Result<Signature, TokenError> {
        self.signature
    }
}

impl fmt::Debug for UnverifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken([redacted])")
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

fn check_header(header: &Object<'_>) -> Result<(), TokenError> {
    if REFUSED_PARAMETERS.iter().any(|name| header.contains(name)) {
        return Err(TokenError::MalformedToken);
    }
    let algorithm_is_ours = matches!(header.get("alg"), Some(Value::Text(alg)) if alg == "ES256K");
    // A media type is compared without regard to case (RFC 7515 §4.1.9).
    let type_is_ours = match header.get("typ") {
        None => true,
        Some(Value::Text(typ)) => typ.eq_ignore_ascii_case("JWT"),
        Some(_) => false,
    };
    if algorithm_is_ours && type_is_ours { Ok(()) } else { Err(TokenError::UnsupportedAlgorithm) }
}
