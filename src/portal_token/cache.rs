//! Remembers which signatures were valid.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::{TokenError, UnverifiedToken, VerifyingKey};

/// A signature to check: SHA-256 of issuer, signing input and normalised signature.
type Question = [u8; 32];

/// A bounded memory of valid signatures, shared by all threads.
///
/// Only the result of the cryptography is remembered. Times, revocation and audience are checked each time. Failures
/// are not kept, so garbage displaces nothing. Both forms of a signature, with low and high s, share one entry.
pub struct SignatureCache {
    verified: Cache<Question, ()>,
    signers: Cache<Question, Arc<[VerifyingKey]>>,
}

impl SignatureCache {
    /// A cache of about `capacity` verified signatures, and as many with their signers recovered.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { verified: Cache::new(capacity), signers: Cache::new(capacity) }
    }

    /// [`UnverifiedToken::verify_signature`], from memory if possible.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`].
    pub fn verify(&self, token: &UnverifiedToken, key: &VerifyingKey) -> Result<(), TokenError> {
        let question = question(token, Some(key))?;
        if self.verified.get(&question).is_some() {
            return Ok(());
        }
        token.verify_signature(key)?;
        self.verified.insert(question, ());
        Ok(())
    }

    /// How many signatures were found in memory so far, and how many were not.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.verified.hits() + self.signers.hits(), self.verified.misses() + self.signers.misses())
    }

    /// [`UnverifiedToken::signer_candidates`], from memory if possible.
    ///
    /// # Errors
    ///
    /// [`TokenError::InvalidSignature`] if there is no such key.
    pub fn signer_candidates(&self, token: &UnverifiedToken) -> Result<Arc<[VerifyingKey]>, TokenError> {
        let question = question(token, None)?;
        if let Some(signers) = self.signers.get(&question) {
            return Ok(signers);
        }
        let signers: Arc<[VerifyingKey]> = token.signer_candidates()?.into();
        self.signers.insert(question, Arc::clone(&signers));
        Ok(signers)
    }
}

impl fmt::Debug for SignatureCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureCache")
            .field("verified", &self.verified.len())
            .field("signers", &self.signers.len())
            .finish()
    }
}

/// Every part has a fixed length, so two different questions never have the same bytes.
fn question(token: &UnverifiedToken, issuer: Option<&VerifyingKey>) -> Result<Question, TokenError> {
    let mut hash = Sha256::new();
    if let Some(issuer) = issuer {
        hash.update(issuer.to_xonly_bytes());
    }
    hash.update(token.digest());
    hash.update(token.signature()?.to_bytes());
    Ok(hash.finalize().into())
}
