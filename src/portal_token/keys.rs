//! The two halves of an issuer's key, both brought to the point with even y.
//!
//! Nostr identifies a key by its x coordinate alone, which two points share. BIP-340 takes the one with even y, and
//! Portal's tokens verify with that one.

use std::fmt;
use std::sync::LazyLock;

use quick_cache::sync::Cache;
use secp256k1::{Parity, PublicKey, SECP256K1, SecretKey, XOnlyPublicKey};
use thiserror::Error;

/// The 32 bytes are not the x coordinate of a point of secp256k1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a secp256k1 public key")]
pub struct InvalidKey;

/// A public key that verifies tokens: the point with even y of an x-only key (BIP-340).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(PublicKey);

/// Points for x coordinates that were looked up. Finding one needs a square root in the field, which costs a seventh
/// of a verification, and the same few keys come repeatedly: the service's own key is in every token.
static LIFTED: LazyLock<Cache<[u8; 32], VerifyingKey>> = LazyLock::new(|| Cache::new(1024));

/// Whether an x coordinate is that of a curve point, as for every usable key. Remembers keys that come repeatedly.
pub fn is_curve_point(x: &[u8; 32]) -> bool {
    VerifyingKey::from_xonly_bytes(x).is_ok()
}

impl VerifyingKey {
    /// The key with this big-endian x coordinate, as Nostr writes keys (NIP-01).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if no point of the curve has this x.
    pub fn from_xonly_bytes(x: &[u8; 32]) -> Result<Self, InvalidKey> {
        if let Some(known) = LIFTED.get(x) {
            return Ok(known);
        }
        let key = Self::from(XOnlyPublicKey::from_slice(x).map_err(|_| InvalidKey)?);
        LIFTED.insert(*x, key);
        Ok(key)
    }

    /// The big-endian x coordinate.
    pub fn to_xonly_bytes(&self) -> [u8; 32] {
        self.0.x_only_public_key().0.serialize()
    }

    /// The key of this point, unless its y is odd: the lifted key of the same x does not verify signatures of such a
    /// point.
    pub(super) fn from_even_point(point: PublicKey) -> Option<Self> {
        (point.x_only_public_key().1 == Parity::Even).then_some(Self(point))
    }

    pub(crate) fn point(&self) -> &PublicKey {
        &self.0
    }
}

impl From<XOnlyPublicKey> for VerifyingKey {
    fn from(x: XOnlyPublicKey) -> Self {
        Self(x.public_key(Parity::Even))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", hex::encode(self.to_xonly_bytes()))
    }
}

/// A secret key that issues tokens, negated if necessary so that its point has even y.
///
/// Erased from memory when dropped.
pub struct SigningKey {
    secret: SecretKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// The signing key of the Nostr identity with this secret.
    pub fn from_secret(secret: &SecretKey) -> Self {
        let (x, parity) = secret.x_only_public_key(SECP256K1);
        let secret = if parity == Parity::Odd { secret.negate() } else { *secret };
        Self { secret, public: VerifyingKey::from(x) }
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.public
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        // The same volatile write that `zeroize` does; secp256k1 keeps the bytes private.
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secrets whose points have even and odd y, the even one first.
    fn secrets_of_both_parities() -> [SecretKey; 2] {
        let even = (1u8..)
            .map(|n| SecretKey::from_slice(&[n; 32]).unwrap())
            .find(|secret| secret.x_only_public_key(SECP256K1).1 == Parity::Even);
        even.map(|secret| [secret, secret.negate()]).unwrap()
    }

    #[test]
    fn a_secret_and_its_negation_are_the_same_identity() {
        let [even, odd] = secrets_of_both_parities().map(|secret| SigningKey::from_secret(&secret));
        assert_eq!(even.verifying_key(), odd.verifying_key());
        assert_eq!(even.secret(), odd.secret());
    }

    #[test]
    fn a_point_with_odd_y_is_no_verifying_key() {
        let [even, odd] = secrets_of_both_parities().map(|secret| secret.public_key(SECP256K1));
        assert!(VerifyingKey::from_even_point(even).is_some());
        assert!(VerifyingKey::from_even_point(odd).is_none());
    }

    #[test]
    fn bytes_that_name_no_point_are_refused_every_time() {
        for bytes in [[0; 32], [0xff; 32]] {
            assert_eq!(VerifyingKey::from_xonly_bytes(&bytes), Err(InvalidKey));
            assert_eq!(VerifyingKey::from_xonly_bytes(&bytes), Err(InvalidKey));
        }
    }

    #[test]
    fn bytes_survive_the_round_trip() {
        let key = SigningKey::from_secret(&secrets_of_both_parities()[0]).verifying_key();
        for _ in 0..2 {
            assert_eq!(VerifyingKey::from_xonly_bytes(&key.to_xonly_bytes()), Ok(key));
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secret = SecretKey::from_slice(&[7; 32]).unwrap();
        assert_eq!(format!("{:?}", SigningKey::from_secret(&secret)), "SigningKey([redacted])");
    }
}
