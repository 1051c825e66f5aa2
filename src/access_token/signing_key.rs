//! The secret half of a key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use secp256k1::{SECP256K1, SecretKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Algorithm, InvalidKey, PublicKey, SignError};
use crate::portal_token::Signature;

/// A key that signs access tokens. It is erased from memory when dropped, except for ring's own copy, which ring does
/// not erase.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Es256 { pair: Box<EcdsaKeyPair>, pkcs8: Zeroizing<Vec<u8>> },
    EdDsa { pair: Box<Ed25519KeyPair>, pkcs8: Zeroizing<Vec<u8>> },
    Es256k(SecretKey),
}

impl SigningKey {
    /// A new key, from ring's own randomness: for P-256 and Ed25519 ring accepts no other.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if no randomness or memory is available.
    pub fn generate(algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let failed = |_| InvalidKey(algorithm);
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Es256 => {
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                Self::from_secret(algorithm, pkcs8.map_err(failed)?.as_ref())
            }
            Algorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random);
                Self::from_secret(algorithm, pkcs8.map_err(failed)?.as_ref())
            }
            Algorithm::Es256k => {
                let mut secret = Zeroizing::new([0; 32]);
                random.fill(&mut *secret).map_err(failed)?;
                Self::from_secret(algorithm, &*secret)
            }
        }
    }

    /// The key with this secret: PKCS#8 in DER for ES256 and EdDSA (RFC 5958), 32 big-endian bytes for ES256K.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if the bytes are something else.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, InvalidKey> {
        let invalid = InvalidKey(algorithm);
        let public = |point: &[u8]| PublicKey::from_bytes(algorithm, point);
        match algorithm {
            Algorithm::Es256 => {
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, secret, &random);
                let pair = Box::new(pair.map_err(|_| invalid)?);
                let public = public(pair.public_key().as_ref())?;
                Ok(Self { secret: Secret::Es256 { pair, pkcs8: secret.to_vec().into() }, public })
            }
            Algorithm::EdDsa => {
                let pair = Box::new(Ed25519KeyPair::from_pkcs8(secret).map_err(|_| invalid)?);
                let public = public(pair.public_key().as_ref())?;
                Ok(Self { secret: Secret::EdDsa { pair, pkcs8: secret.to_vec().into() }, public })
            }
            Algorithm::Es256k => {
                let secret = SecretKey::from_slice(secret).map_err(|_| invalid)?;
                let public = public(&secret.public_key(SECP256K1).serialize_uncompressed())?;
                Ok(Self { secret: Secret::Es256k(secret), public })
            }
        }
    }

    /// The secret, as [`from_secret`](Self::from_secret) takes it.
    pub fn secret(&self) -> &[u8] {
        match &self.secret {
            Secret::Es256 { pkcs8, .. } | Secret::EdDsa { pkcs8, .. } => pkcs8,
            Secret::Es256k(secret) => secret.as_ref(),
        }
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a text, in base64url.
    pub(super) fn sign(&self, text: &str) -> Result<String, SignError> {
        match &self.secret {
            Secret::Es256 { pair, .. } => {
                let signature = pair.sign(&SystemRandom::new(), text.as_bytes()).map_err(|_| SignError)?;
                Ok(URL_SAFE_NO_PAD.encode(signature))
            }
            Secret::EdDsa { pair, .. } => Ok(URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()))),
            Secret::Es256k(secret) => {
                let signature = Signature::by_secret(secret, Sha256::digest(text).into());
                Ok(URL_SAFE_NO_PAD.encode(signature.to_bytes()))
            }
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if let Self::Es256k(secret) = self {
            secret.non_secure_erase();
        }
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
    use crate::portal_token::compact::Compact;

    #[test]
    fn a_key_is_the_same_after_a_round_trip_and_no_two_are() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_secret(algorithm, key.secret()).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(again.secret(), key.secret());
            assert_eq!(key.public().algorithm(), algorithm);
            assert_ne!(SigningKey::generate(algorithm).unwrap().public(), key.public());
        }
    }

    /// Up to 0.1.0, keys were made by aws-lc.
    #[test]
    fn keys_that_an_earlier_release_made_sign_as_before() {
        let token = |input: &str, signature: &str| format!("{input}.{signature}");
        for (algorithm, pkcs8, x) in [
            (
                Algorithm::Es256,
                "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042011fe32c8e820e01e049acaae\
                 66ce08907a6a9788802edcf44989822db06b1a4ea1440342000413f4f8585247b1ea563967d8ed398acfd4bb615b747e\
                 c2578205f1061bd70368aa5339a79afecb5eb340354f79d79d31cf49664f71851f551389d8810d4ca644",
                "13f4f8585247b1ea563967d8ed398acfd4bb615b747ec2578205f1061bd70368",
            ),
            (
                Algorithm::EdDsa,
                "3051020101300506032b657004220420846383afb0a11bd638c57c68e2383df627637ce909f9a7d7dfd922b974d05b79\
                 812100e6e2a676f61bc94970d7788255154b1328531248c088b2fb517e713758ddb3f4",
                "e6e2a676f61bc94970d7788255154b1328531248c088b2fb517e713758ddb3f4",
            ),
        ] {
            let key = SigningKey::from_secret(algorithm, &hex::decode(pkcs8).unwrap()).unwrap();
            assert_eq!(key.public().jwk()["x"], URL_SAFE_NO_PAD.encode(hex::decode(x).unwrap()));
            let signed = token("e30.e30", &key.sign("e30.e30").unwrap());
            assert!(key.public().signed(&Compact::parse(&signed).unwrap()));
        }
    }

    #[test]
    fn a_secret_is_for_one_algorithm_only() {
        for of in Algorithm::ALL {
            let key = SigningKey::generate(of).unwrap();
            for other in Algorithm::ALL.into_iter().filter(|other| *other != of) {
                assert_eq!(SigningKey::from_secret(other, key.secret()).unwrap_err(), InvalidKey(other));
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_no_key() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let cut = &key.secret()[..key.secret().len() - 1];
            for secret in [&[][..], cut, &[0; 32], &[0xff; 32], b"secret"] {
                assert_eq!(SigningKey::from_secret(algorithm, secret).unwrap_err(), InvalidKey(algorithm));
            }
        }
    }

    #[test]
    fn secp256k1_keys_of_both_parities_are_published_as_they_are() {
        let secret = SecretKey::from_slice(&[7; 32]).unwrap();
        let [one, other] = [secret, secret.negate()]
            .map(|secret| SigningKey::from_secret(Algorithm::Es256k, &secret.secret_bytes()).unwrap());
        assert_eq!(one.public().jwk()["x"], other.public().jwk()["x"]);
        assert_ne!(one.public().jwk()["y"], other.public().jwk()["y"]);
        assert_ne!(one.public().kid(), other.public().kid());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
        }
    }
}
