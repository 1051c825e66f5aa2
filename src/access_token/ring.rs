//! The key ring: the key that signs, the next one, and older ones with tokens that may still be valid.

use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::{Algorithm, InvalidKey, PublicKey, SigningKey};

/// How many keys a ring holds: the signing one, the next, and the retired.
pub const MAX_KEYS: usize = 16;

/// Why there is no new signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RotateError {
    /// Too many keys were retired in too short a time: wait until some are dropped.
    #[error("the key ring is full ({MAX_KEYS} keys)")]
    RingFull,
    /// No randomness or memory was available for a new key.
    #[error("no new signing key: {0}")]
    NoKey(#[from] InvalidKey),
}

/// The signing key, the next key, and the public halves of older keys, which still verify tokens.
///
/// The next key is published while the previous one signs, so that verifiers know it long before its first token.
///
/// A ring is a value: a change makes a new ring. All times are seconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub(super) signer: Held,
    /// When the signer began to sign.
    pub(super) next: Held,
    /// The latest first.
    pub(super) retired: Vec<Retired>,
}

/// A key that signs now or next.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) key: Arc<SigningKey>,
    pub(super) created_at: u64,
}

/// A key that no longer signs. Its secret is deleted, so that a stolen file cannot sign with it.
#[derive(Clone, Debug)]
pub(super) struct Retired {
    pub(super) key: PublicKey,
    pub(super) created_at: u64,
    pub(super) retired_at: u64,
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// The key signs.
    Signs,
    /// The key signs after the next rotation.
    Next,
    /// The key signed earlier, and still verifies.
    Retired,
}

/// A key of a ring.
#[derive(Clone, Copy, Debug)]
pub struct RingKey<'a> {
    /// Its public half.
    pub key: &'a PublicKey,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: u64,
    /// Until when it signed, if it is retired.
    pub retired_at: Option<u64>,
}

impl KeyRing {
    /// A ring of two new keys: the signing key and the next one.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if no randomness or memory is available.
    pub fn new(algorithm: Algorithm, now_secs: u64) -> Result<Self, InvalidKey> {
        let made = || Held::generate(algorithm, now_secs);
        Ok(Self { signer: made()?, next: made()?, retired: Vec::new() })
    }

    /// Rotates: the next key signs, a new key follows it, and the previous one keeps its public half. If the next key
    /// is of another algorithm, both keys are made new.
    ///
    /// # Errors
    ///
    /// [`RotateError`].
    pub fn rotate(&self, algorithm: Algorithm, now_secs: u64) -> Result<Self, RotateError> {
        if self.keys().count() >= MAX_KEYS {
            return Err(RotateError::RingFull);
        }
        let latest = Retired {
            key: self.signer.key.public().clone(),
            created_at: self.signer.created_at,
            // A clock that was set back retires no key before it was made, or before it signed.
            retired_at: now_secs.max(self.signer.created_at).max(self.signing_since()),
        };
        let fits = self.next.key.public().algorithm() == algorithm;
        let made = || Held::generate(algorithm, now_secs);
        Ok(Self {
            signer: if fits { self.next.clone() } else { made()? },
            next: made()?,
            retired: [vec![latest], self.retired.clone()].concat(),
        })
    }

    /// The key with this id, in any state.
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.keys().map(|one| one.key).find(|key| key.kid() == kid)
    }

    /// Every key: the signing key, the next, and the retired ones, the latest first.
    pub fn keys(&self) -> impl Iterator<Item = RingKey<'_>> {
        let held = [(&self.signer, KeyState::Signs), (&self.next, KeyState::Next)].map(|(held, state)| {
            RingKey { key: held.key.public(), state, created_at: held.created_at, retired_at: None }
        });
        let retired = self.retired.iter().map(|retired| RingKey {
            key: &retired.key,
            state: KeyState::Retired,
            created_at: retired.created_at,
            retired_at: Some(retired.retired_at),
        });
        held.into_iter().chain(retired)
    }

    /// The signing key.
    pub fn signer(&self) -> &SigningKey {
        &self.signer.key
    }

    /// Since when the signing key signs.
    pub fn signing_since(&self) -> u64 {
        self.next.created_at
    }

    /// The signing key, the next, and the retired keys with tokens that may still be valid, if tokens live for
    /// `token_life_secs`.
    pub fn published(&self, now_secs: u64, token_life_secs: u64) -> Vec<&PublicKey> {
        let is_known = |at| is_within(at, now_secs, token_life_secs);
        self.keys().filter(|one| one.retired_at.is_none_or(is_known)).map(|one| one.key).collect()
    }

    /// The ring without the keys that were retired more than `keep_secs` ago.
    #[must_use]
    pub fn forget(&self, now_secs: u64, keep_secs: u64) -> Self {
        let mut ring = self.clone();
        ring.retired.retain(|retired| is_within(retired.retired_at, now_secs, keep_secs));
        ring
    }
}

impl Held {
    pub(super) fn generate(algorithm: Algorithm, created_at: u64) -> Result<Self, InvalidKey> {
        Ok(Self { key: Arc::new(SigningKey::generate(algorithm)?), created_at })
    }
}

/// Whether the time is at most this long ago.
fn is_within(at: u64, now_secs: u64, secs: u64) -> bool {
    now_secs <= at.saturating_add(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const LIFE: u64 = 900;

    fn kids(keys: &[&PublicKey]) -> Vec<String> {
        keys.iter().map(|key| key.kid().to_owned()).collect()
    }

    /// The ring, and the names of its keys: the one that signs, the next, and the retired from the latest to the
    /// first.
    fn rotated(times: &[u64]) -> (KeyRing, Vec<String>) {
        let new = KeyRing::new(Algorithm::Es256, NOW).unwrap();
        let ring = times.iter().fold(new, |ring, at| ring.rotate(Algorithm::Es256, *at).unwrap());
        let names = ring.keys().map(|one| one.key.kid().to_owned()).collect();
        (ring, names)
    }

    #[test]
    fn the_key_that_signs_after_a_rotation_was_published_before_it() {
        let (mut ring, _) = rotated(&[]);
        for at in [NOW + 10, NOW + 20, NOW + 30] {
            let published = kids(&ring.published(at, LIFE));
            let next = ring.rotate(Algorithm::Es256, at).unwrap();
            assert_eq!(next.signer().public().kid(), published[1]);
            assert_ne!(next.signer().public().kid(), ring.signer().public().kid());
            ring = next;
        }
    }

    #[test]
    fn another_algorithm_makes_both_keys_anew() {
        let (ring, names) = rotated(&[]);
        let other = ring.rotate(Algorithm::EdDsa, NOW + 10).unwrap();
        let algorithms: Vec<_> = other.keys().map(|one| one.key.algorithm()).collect();
        assert_eq!(algorithms, [Algorithm::EdDsa, Algorithm::EdDsa, Algorithm::Es256]);
        assert!(other.find(&names[0]).is_some());
        assert_eq!(other.find(&names[1]), None, "it never signed");
        assert_eq!(other.signing_since(), NOW + 10);
    }

    #[test]
    fn each_key_tells_what_it_is_there_for() {
        let (ring, _) = rotated(&[NOW + 10, NOW + 20]);
        let told: Vec<_> = ring.keys().map(|one| (one.state, one.created_at, one.retired_at)).collect();
        assert_eq!(
            told,
            [
                (KeyState::Signs, NOW + 10, None),
                (KeyState::Next, NOW + 20, None),
                (KeyState::Retired, NOW, Some(NOW + 20)),
                (KeyState::Retired, NOW, Some(NOW + 10)),
            ]
        );
    }

    #[test]
    fn a_rotated_ring_signs_with_another_key_and_finds_them_all() {
        let (ring, names) = rotated(&[NOW + 10, NOW + 20]);
        assert_eq!(ring.signing_since(), NOW + 20);
        assert_eq!(names.len(), 4);
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
        assert_eq!(published(NOW + 11 + LIFE), names[..3]);
        assert_eq!(published(NOW + 21 + LIFE), names[..2]);
        assert_eq!(published(u64::MAX), names[..2]);
        assert_eq!(kids(&ring.published(u64::MAX, u64::MAX)), names);
    }

    #[test]
    fn a_forgotten_key_verifies_no_more_and_the_signing_key_is_never_forgotten() {
        let (ring, names) = rotated(&[NOW + 10, NOW + 20]);
        assert!(ring.forget(NOW + 10 + LIFE, LIFE).find(&names[3]).is_some());
        let later = ring.forget(NOW + 11 + LIFE, LIFE);
        assert!(later.find(&names[3]).is_none());
        assert!(later.find(&names[2]).is_some());
        let last = ring.forget(u64::MAX, 0);
        assert!(last.find(&names[0]).is_some() && last.find(&names[1]).is_some());
    }

    #[test]
    fn a_full_ring_takes_no_key_until_one_is_forgotten() {
        let times: Vec<u64> = (1..MAX_KEYS as u64 - 1).map(|n| NOW + n).collect();
        let (ring, names) = rotated(&times);
        assert_eq!(names.len(), MAX_KEYS);
        assert_eq!(ring.rotate(Algorithm::Es256, NOW + 20).unwrap_err(), RotateError::RingFull);
        let ring = ring.forget(NOW + 2 + LIFE, LIFE);
        assert!(ring.rotate(Algorithm::Es256, NOW + 2 + LIFE).is_ok());
    }

    #[test]
    fn a_clock_that_was_set_back_retires_no_key_before_it_was_made_or_signed() {
        let (ring, names) = rotated(&[NOW - 1000]);
        assert_eq!(kids(&ring.published(NOW + LIFE, LIFE)), names);
        let (ring, names) = rotated(&[NOW + 1000, NOW + 10]);
        assert_eq!(kids(&ring.published(NOW + 1000 + LIFE, LIFE)), names);
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let (ring, _) = rotated(&[NOW]);
        assert_eq!(format!("{ring:?}").matches("key: SigningKey([redacted])").count(), 2, "{ring:?}");
    }
}
