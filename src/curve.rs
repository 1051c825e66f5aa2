//! The curves of the keys that sign access tokens and other issuers' tokens (RFC 7518 §3.4, RFC 8037), with the
//! cryptography that TLS uses too. ES256K is in [`crate::portal_token`].

use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// A curve, with the one hash that JOSE uses with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    Ed25519,
}

impl Curve {
    /// Whether these bytes are a public key: a point of the curve, uncompressed (SEC 1 §2.3.3), or 32 bytes for
    /// Ed25519 (RFC 8032 §5.1.5). Whether those are a point shows when a signature is verified.
    pub(crate) fn is_key(self, bytes: &[u8]) -> bool {
        // ring verifies a point only together with a signature, or when a secret is agreed on.
        let agrees = |algorithm| {
            let ours = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
            let theirs = agreement::UnparsedPublicKey::new(algorithm, bytes);
            ours.is_ok_and(|ours| agreement::agree_ephemeral(ours, &theirs, |_| ()).is_ok())
        };
        match self {
            Self::P256 => agrees(&ECDH_P256),
            Self::P384 => agrees(&ECDH_P384),
            Self::Ed25519 => bytes.len() == 32,
        }
    }

    /// Whether the holder of this public key signed the message. ECDSA signatures are `r ‖ s` (RFC 7518 §3.4).
    pub(crate) fn verifies(self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Ed25519 => &signature::ED25519,
        };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }
}
