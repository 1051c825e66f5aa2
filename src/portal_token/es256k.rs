//! ES256K: ECDSA over secp256k1 with SHA-256 (RFC 8812 §3.2).

use std::fmt;

use secp256k1::ecdsa::{self, RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

use super::{SigningKey, TokenError, VerifyingKey};

/// SHA-256 of the signing input.
pub(super) type Digest = [u8; 32];

/// An ECDSA signature r‖s with s in the lower half of its range.
///
/// (r, s) and (r, n − s) are valid for exactly the same message and key, and anybody can turn one into the other.
/// Normalising makes them one value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(ecdsa::Signature);

impl Signature {
    /// Reads r‖s, 32 big-endian bytes each (RFC 7518 §3.4). High s is accepted: RFC 8812 does not
    /// forbid it.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`] unless there are 64 bytes with 0 < r, s < n.
    pub fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        let (r, s) = bytes.split_at_checked(32).ok_or(TokenError::InvalidSignature)?;
        // libsecp256k1 parses zeros and fails only when it verifies.
        if r == [0; 32] || s == [0; 32] {
            return Err(TokenError::InvalidSignature);
        }
        let mut signature =
            ecdsa::Signature::from_compact(bytes).map_err(|_| TokenError::InvalidSignature)?;
        signature.normalize_s();
        Ok(Self(signature))
    }

    /// The normalised r‖s.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0.serialize_compact()
    }

    pub(super) fn sign(key: &SigningKey, digest: Digest) -> Self {
        Self::by_secret(key.secret(), digest)
    }

    /// Signs with an ordinary key, which may have odd y.
    pub(crate) fn by_secret(secret: &SecretKey, digest: Digest) -> Self {
        Self(SECP256K1.sign_ecdsa(&Message::from_digest(digest), secret))
    }

    /// Checks that the holder of `key` signed the text with this SHA-256.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`].
    pub fn verify(&self, key: &VerifyingKey, digest: [u8; 32]) -> Result<(), TokenError> {
        self.verify_under(key.point(), digest)
    }

    /// [`verify`](Self::verify) with an ordinary key, which may have odd y.
    pub(crate) fn verify_under(&self, point: &PublicKey, digest: Digest) -> Result<(), TokenError> {
        SECP256K1
            .verify_ecdsa(&Message::from_digest(digest), &self.0, point)
            .map_err(|_| TokenError::InvalidSignature)
    }

    /// Every key that verifies this signature: none, one or two.
    ///
    /// (Up to four for the one r in 2¹²⁷ for which r + n is an x coordinate too.)
    pub(super) fn signer_candidates(&self, digest: Digest) -> Vec<VerifyingKey> {
        let message = Message::from_digest(digest);
        let bytes = self.to_bytes();
        let mut candidates = Vec::with_capacity(2);
        for id in 0..4 {
            let point = RecoveryId::from_i32(id)
                .and_then(|id| RecoverableSignature::from_compact(&bytes, id))
                .and_then(|signature| SECP256K1.recover_ecdsa(&message, &signature));
            let key = point.ok().and_then(VerifyingKey::from_even_point);
            if let Some(key) = key.filter(|key| !candidates.contains(key)) {
                candidates.push(key);
            }
        }
        candidates
    }
}

/// A signature must not be printed: with it, anybody can rebuild the token.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_secret(&SecretKey::from_slice(&[byte; 32]).unwrap())
    }

    #[test]
    fn only_64_bytes_in_range_are_a_signature() {
        let good = Signature::sign(&key(1), [9; 32]).to_bytes();
        assert!(Signature::parse(&good).is_ok());
        let order = secp256k1::constants::CURVE_ORDER;
        for half in [[0; 32], order, [0xff; 32]] {
            assert_eq!(Signature::parse(&[&half, &good[32..]].concat()), Err(TokenError::InvalidSignature));
            assert_eq!(Signature::parse(&[&good[..32], &half].concat()), Err(TokenError::InvalidSignature));
        }
        for bytes in [&good[..63], &[&good[..], &[0]].concat(), &[]] {
            assert_eq!(Signature::parse(bytes), Err(TokenError::InvalidSignature));
        }
    }

    #[test]
    fn the_signer_is_among_the_candidates_and_all_of_them_verify() {
        for byte in 1..=32 {
            let (key, digest) = (key(byte), [byte; 32]);
            let signature = Signature::sign(&key, digest);
            let candidates = signature.signer_candidates(digest);
            assert!(candidates.contains(&key.verifying_key()));
            assert!(candidates.len() <= 2);
            for candidate in candidates {
                assert_eq!(signature.verify(&candidate, digest), Ok(()));
            }
        }
    }

    #[test]
    fn a_signature_by_an_unlifted_odd_key_does_not_make_its_even_twin_a_candidate() {
        let secret = key(3).secret().negate();
        let digest = [5; 32];
        let signature = Signature(SECP256K1.sign_ecdsa(&Message::from_digest(digest), &secret));
        let lifted = key(3).verifying_key();
        assert!(!signature.signer_candidates(digest).contains(&lifted));
        assert_eq!(signature.verify(&lifted, digest), Err(TokenError::InvalidSignature));
    }
}
