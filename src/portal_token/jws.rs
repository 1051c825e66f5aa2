//! A login token whose form is good, and the steps to believing it.

use std::fmt;

use super::claims::UncheckedClaims;
use super::compact::Compact;
use super::es256k::Digest;
use super::json::{Object, Value};
use super::{Claims, Signature, TokenError, VerifyingKey};

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
        let token = Compact::parse(token)?;
        let (header, claims) = token.objects()?;
        check_header(&header)?;
        Ok(Self {
            digest: token.digest(),
            signature: Signature::parse(&token.signature),
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
