//! The key that signs, and those before it, whose tokens are still about.

use std::sync::Arc;

use thiserror::Error;

use super::{Algorithm, InvalidKey, PublicKey, SigningKey};

/// How many keys a ring holds, the signing one among them.
pub const MAX_KEYS: usize = 16;

/// Why there is no new signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RotateError {
    /// Too many keys were retired in too short a time: wait until some are forgotten.
    #[error("the ring holds {MAX_KEYS} keys already")]
    RingFull,
    /// There was no randomness or memory for one.
    #[error("no new signing key: {0}")]
    NoKey(#[from] InvalidKey),
}

/// The signing key, and the public halves of older ones, under which tokens still verify.
///
/// A value: what changes it makes another. All times are seconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub(super) signer: Arc<SigningKey>,
    pub(super) created_at: u64,
    /// The latest first.
    pub(super) retired: Vec<Retired>,
}

/// A key that signs no more. Its secret is gone, so that a stolen file cannot sign with it.
#[derive(Clone, Debug)]
pub(super) struct Retired {
    pub(super) key: PublicKey,
    pub(super) created_at: u64,
    pub(super) retired_at: u64,
}

impl KeyRing {
    /// A ring of one new key.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if there is no randomness or memory for one.
    pub fn new(algorithm: Algorithm, now_secs: u64) -> Result<Self, InvalidKey> {
        let signer = Arc::new(SigningKey::generate(algorithm)?);
        Ok(Self { signer, created_at: now_secs, retired: Vec::new() })
    }

    /// A ring that signs with a new key and keeps the public half of the one before.
    ///
    /// # Errors
    ///
    /// [`RotateError`].
    pub fn rotate(&self, algorithm: Algorithm, now_secs: u64) -> Result<Self, RotateError> {
        if self.retired.len() + 1 >= MAX_KEYS {
            return Err(RotateError::RingFull);
        }
        let latest = Retired {
            key: self.signer.public().clone(),
            created_at: self.created_at,
            // A clock that was set back does not retire a key before it was made.
            retired_at: now_secs.max(self.created_at),
        };
        let new = Self::new(algorithm, now_secs)?;
        Ok(Self { retired: [vec![latest], self.retired.clone()].concat(), ..new })
    }

    /// The key of this name, whether it signs or is retired.
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        let keys = self.retired.iter().map(|retired| &retired.key);
        std::iter::once(self.signer.public()).chain(keys).find(|key| key.kid() == kid)
    }

    /// Every key, the signing one first: since when it signs, and until when it did.
    pub fn keys(&self) -> impl Iterator<Item = (&PublicKey, u64, Option<u64>)> {
        let retired = self.retired.iter().map(|one| (&one.key, one.created_at, Some(one.retired_at)));
        std::iter::once((self.signer.public(), self.created_at, None)).chain(retired)
    }

    /// The key that signs.
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// Since when that key signs.
    pub fn signing_since(&self) -> u64 {
        self.created_at
    }

    /// The signing key, and those retired whose last token may be valid yet if tokens live for `token_life_secs`.
    pub fn published(&self, now_secs: u64, token_life_secs: u64) -> Vec<&PublicKey> {
        let retired = self.retired.iter().filter(|retired| retired.is_within(now_secs, token_life_secs));
        std::iter::once(self.signer.public()).chain(retired.map(|retired| &retired.key)).collect()
    }

    /// The ring without the keys that were retired more than `keep_secs` ago.
    #[must_use]
    pub fn forget(&self, now_secs: u64, keep_secs: u64) -> Self {
        let mut ring = self.clone();
        ring.retired.retain(|retired| retired.is_within(now_secs, keep_secs));
        ring
    }
}

impl Retired {
    /// Whether the key was retired at most so long ago.
    fn is_within(&self, now_secs: u64, secs: u64) -> bool {
        now_secs <= self.retired_at.saturating_add(secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const LIFE: u64 = 900;

    fn kids(keys: &[&PublicKey]) -> Vec<String> {
        keys.iter().map(|key| key.kid().to_owned()).collect()
    }

    /// The ring, and the names of its keys from the latest to the first.
    fn rotated(times: &[u64]) -> (KeyRing, Vec<String>) {
        let mut ring = KeyRing::new(Algorithm::Es256, NOW).unwrap();
        let mut kids = vec![ring.signer().public().kid().to_owned()];
        for at in times {
            ring = ring.rotate(Algorithm::EdDsa, *at).unwrap();
            kids.insert(0, ring.signer().public().kid().to_owned());
        }
        (ring, kids)
    }

    #[test]
    fn a_rotated_ring_signs_with_a_new_key_and_finds_the_old_ones() {
        let (ring, names) = rotated(&[NOW + 10, NOW + 20]);
        assert_eq!(ring.signer().public().algorithm(), Algorithm::EdDsa);
        assert_eq!(ring.signing_since(), NOW + 20);
        for kid in &names {
            assert_eq!(ring.find(kid).unwrap().kid(), kid);
        }
        assert_eq!(ring.find("other"), None);
        assert_eq!(ring.find(""), None);
    }

    #[test]
    fn a_retired_key_is_published_until_its_last_token_has_expired() {
        let (ring, names) = rotated(&[NOW + 10, NOW + 20]);
        let published = |now| kids(&ring.published(now, LIFE));
        assert_eq!(published(NOW + 20), names);
        assert_eq!(published(NOW + 10 + LIFE), names);
        assert_eq!(published(NOW + 11 + LIFE), names[..2]);
        assert_eq!(published(NOW + 21 + LIFE), names[..1]);
        assert_eq!(published(u64::MAX), names[..1]);
        assert_eq!(kids(&ring.published(u64::MAX, u64::MAX)), names);
    }

    #[test]
    fn a_forgotten_key_verifies_no_more_and_the_signing_key_is_never_forgotten() {
        let (ring, names) = rotated(&[NOW + 10, NOW + 20]);
        assert!(ring.forget(NOW + 10 + LIFE, LIFE).find(&names[2]).is_some());
        let later = ring.forget(NOW + 11 + LIFE, LIFE);
        assert!(later.find(&names[2]).is_none());
        assert!(later.find(&names[1]).is_some());
        assert!(ring.forget(u64::MAX, 0).find(&names[0]).is_some());
    }

    #[test]
    fn a_full_ring_takes_no_key_until_one_is_forgotten() {
        let times: Vec<u64> = (1..MAX_KEYS as u64).map(|n| NOW + n).collect();
        let (ring, names) = rotated(&times);
        assert_eq!(names.len(), MAX_KEYS);
        assert_eq!(ring.rotate(Algorithm::Es256, NOW + 20).unwrap_err(), RotateError::RingFull);
        let ring = ring.forget(NOW + 2 + LIFE, LIFE);
        assert!(ring.rotate(Algorithm::Es256, NOW + 2 + LIFE).is_ok());
    }

    #[test]
    fn a_clock_that_was_set_back_retires_no_key_before_it_was_made() {
        let (ring, names) = rotated(&[NOW - 1000]);
        assert_eq!(kids(&ring.published(NOW + LIFE, LIFE)), names);
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let (ring, _) = rotated(&[NOW]);
        assert!(format!("{ring:?}").contains("signer: SigningKey([redacted])"), "{ring:?}");
    }
}
