//! A login token with a valid form, and the steps that verify it.

use std::fmt;

use super::claims::UncheckedClaims;
use super::compact::Compact;
use super::es256k::Digest;
use super::json::{Object, Value};
use super::{Claims, Signature, TokenError, VerifyingKey};

/// Identifies a token by its content, whatever its spelling: SHA-256 of the signing input.
///
/// The bytes of a signature are malleable: somebody who alters them still has the same token, and revoking one
/// revokes the other.
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

/// A token with a valid form and an unverified signature.
///
/// It holds no text: the signing input is hashed once, when it is parsed.
#[derive(Clone)]
pub struct UnverifiedToken {
    digest: Digest,
    signature: Result<Signature, TokenError>,
    claims: Result<UncheckedClaims, TokenError>,
}

impl UnverifiedToken {
    /// Checks the form of a token and its header.
    ///
    /// Errors of the signature or of a claim's value come from [`verify_signature`](Self::verify_signature) and
    /// [`claims`](Self::claims), so that errors come in the promised order.
    ///
    /// # Errors
    ///
    /// [`TokenError::MalformedToken`] for the form, [`TokenError::UnsupportedAlgorithm`] for the
    /// header.
    pub fn parse(token: &str) -> Result<Self, TokenError> {
        let token = Compact::parse(token)?;
        let (header, claims) = token.objects()?;
        check_header(&header)?;
        Ok(Self {
            digest: token.digest(),
            signature: Signature::parse(&token.signature),
            claims: UncheckedClaims::read(&claims),
        })
    }

    /// The id that a revocation of this token contains.
    pub fn id(&self) -> TokenId {
        TokenId(self.digest)
    }

    /// Whether the bytes have the form of a signature: 64 bytes, r and s in range.
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

    /// Every key that verifies this signature, at most two.
    ///
    /// Anybody can make a token that some keys verify. So a candidate means something only if the key was known
    /// before.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`] if there is no such key.
    pub fn signer_candidates(&self) -> Result<Vec<VerifyingKey>, TokenError> {
        let candidates = self.signature?.signer_candidates(self.digest);
        if candidates.is_empty() { Err(TokenError::InvalidSignature) } else { Ok(candidates) }
    }

    /// The claims of the token, without regard to its signer.
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

fn check_header(header: &Object<'_>) -> Result<(), TokenError> {
    let algorithm_is_ours = matches!(header.get("alg"), Some(Value::Text(alg)) if alg == "ES256K");
    // A media type is compared without regard to case (RFC 7515 §4.1.9).
    let type_is_ours = match header.get("typ") {
        None => true,
        Some(Value::Text(typ)) => typ.eq_ignore_ascii_case("JWT"),
        Some(_) => false,
    };
    if algorithm_is_ours && type_is_ours { Ok(()) } else { Err(TokenError::UnsupportedAlgorithm) }
}
