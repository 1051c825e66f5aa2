//! Subkeys: keys that a main key has derived to act in its place.
//!
//! Everyone can repeat the derivation from the metadata: `child = main + t·G`, with `t` a tagged hash
//! (BIP-340) of the metadata and `main` the point with even y. So anyone with a proof can check it, and only
//! the holder of the main secret knows the child's secret.

use std::fmt;

use nostr_sdk::{PublicKey, SecretKey};
use secp256k1::{Parity, SECP256K1, Scalar};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::wire;

/// The only version of the metadata.
const VERSION: u8 = 1;

/// Why a subkey is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubkeyError {
    /// The proof names another main key than expected.
    #[error("the proof names another main key")]
    ForeignMainKey,
    /// The metadata has an unknown version.
    #[error("the proof has an unknown version")]
    UnsupportedVersion,
    /// The subkey is not valid yet.
    #[error("the subkey is not valid yet")]
    NotYetValid,
    /// The subkey has expired.
    #[error("the subkey has expired")]
    Expired,
    /// The subkey has no permission to log in.
    #[error("the subkey may not log in")]
    NoAuthPermission,
    /// The subkey does not follow from the main key and the metadata.
    #[error("the subkey was not derived from the main key")]
    NotDerived,
    /// A key is not a point of the curve, or the derivation has no result.
    #[error("not a secp256k1 key")]
    InvalidKey,
}

/// A permission of a subkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Answer challenges.
    Auth = 1,
    /// Pay.
    Payment = 2,
}

/// The name of a subkey: at most 1024 bytes.
///
/// Its length enters the derivation as 16 bits; the bound prevents two names from looking alike there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubkeyName(String);

/// The name of a subkey has more than 1024 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the name of the subkey is too long")]
pub struct InvalidName;

/// The metadata of a derived subkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubkeyMetadata {
    /// A name for people.
    pub name: SubkeyName,
    /// Makes the subkey unique.
    #[serde(with = "wire::nonce")]
    pub nonce: [u8; 32],
    /// The first second at which it is valid, since the Unix epoch.
    #[serde(with = "wire::seconds")]
    pub valid_from: u64,
    /// The first second at which it is expired, since the Unix epoch.
    #[serde(with = "wire::seconds")]
    pub expires_at: u64,
    /// Its permissions, in any order. An unknown permission makes the whole proof malformed, because Portico
    /// could not check the derivation.
    pub permissions: Vec<Permission>,
    /// The version of this structure.
    pub version: u8,
}

impl SubkeyMetadata {
    /// The bytes that the derivation hashes: version, length of the name (u16), name, nonce, the two times
    /// (u64) and the permissions combined by or (u8); integers little-endian.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let name = self.name.0.as_bytes();
        let permissions = self.permissions.iter().fold(0, |mask, permission| mask | *permission as u8);
        let mut bytes = Vec::with_capacity(name.len() + 52);
        bytes.push(self.version);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name);
        bytes.extend(self.nonce);
        bytes.extend(self.valid_from.to_le_bytes());
        bytes.extend(self.expires_at.to_le_bytes());
        bytes.push(permissions);
        bytes
    }

    fn tweak(&self) -> Result<Scalar, SubkeyError> {
        let tag = Sha256::digest("Portal/Subkey");
        let hash = Sha256::new().chain_update(tag).chain_update(tag).chain_update(self.canonical_bytes());
        Scalar::from_be_bytes(hash.finalize().into()).map_err(|_| SubkeyError::InvalidKey)
    }
}

/// Derives the secret of a subkey.
///
/// # Errors
///
/// [`SubkeyError::InvalidKey`], with negligible probability.
pub fn derive_secret(main: &SecretKey, metadata: &SubkeyMetadata) -> Result<SecretKey, SubkeyError> {
    let lifted = match main.x_only_public_key(SECP256K1).1 {
        Parity::Even => **main,
        Parity::Odd => main.negate(),
    };
    lifted.add_tweak(&metadata.tweak()?).map(SecretKey::from).map_err(|_| SubkeyError::InvalidKey)
}

/// Derives a subkey.
///
/// # Errors
///
/// [`SubkeyError::InvalidKey`] if `main` is not a point of the curve.
pub fn derive_public(main: &PublicKey, metadata: &SubkeyMetadata) -> Result<PublicKey, SubkeyError> {
    let main = main.xonly().map_err(|_| SubkeyError::InvalidKey)?.public_key(Parity::Even);
    let child = main.add_exp_tweak(SECP256K1, &metadata.tweak()?).map_err(|_| SubkeyError::InvalidKey)?;
    Ok(child.x_only_public_key().0.into())
}

/// The proof that a key acts for a main key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubkeyProof {
    /// The main key.
    #[serde(deserialize_with = "wire::hex_key")]
    pub main_key: PublicKey,
    /// The metadata of the derivation.
    pub metadata: SubkeyMetadata,
}

impl SubkeyProof {
    /// Checks that `subkey` may answer challenges for `main` at `now`, in seconds since the Unix
    /// epoch.
    ///
    /// # Errors
    ///
    /// The first [`SubkeyError`] that applies.
    pub fn verify(&self, subkey: &PublicKey, main: &PublicKey, now: u64) -> Result<(), SubkeyError> {
        let metadata = &self.metadata;
        if self.main_key != *main {
            Err(SubkeyError::ForeignMainKey)
        } else if metadata.version != VERSION {
            Err(SubkeyError::UnsupportedVersion)
        } else if now < metadata.valid_from {
            Err(SubkeyError::NotYetValid)
        } else if now >= metadata.expires_at {
            Err(SubkeyError::Expired)
        } else if !metadata.permissions.contains(&Permission::Auth) {
            Err(SubkeyError::NoAuthPermission)
        } else if derive_public(main, metadata)? != *subkey {
            Err(SubkeyError::NotDerived)
        } else {
            Ok(())
        }
    }
}

impl TryFrom<String> for SubkeyName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        if name.len() > 1024 { Err(InvalidName) } else { Ok(Self(name)) }
    }
}

impl From<SubkeyName> for String {
    fn from(name: SubkeyName) -> Self {
        name.0
    }
}

impl fmt::Display for SubkeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostr_sdk::{Keys, ToBech32};

    fn metadata() -> SubkeyMetadata {
        SubkeyMetadata {
            name: SubkeyName("phone".to_owned()),
            nonce: [7; 32],
            valid_from: 100,
            expires_at: 200,
            permissions: vec![Permission::Auth],
            version: 1,
        }
    }

    #[test]
    fn each_condition_has_its_own_reason() {
        type Change = fn(&mut SubkeyProof);
        let main = Keys::new(SecretKey::from_slice(&[1; 32]).unwrap());
        let other = Keys::new(SecretKey::from_slice(&[2; 32]).unwrap()).public_key();
        let cases: [(Change, u64, Result<(), SubkeyError>); 10] = [
            (|_| {}, 100, Ok(())),
            (|_| {}, 199, Ok(())),
            (|_| {}, 99, Err(SubkeyError::NotYetValid)),
            (|_| {}, 200, Err(SubkeyError::Expired)),
            (|p| p.metadata.version = 2, 150, Err(SubkeyError::UnsupportedVersion)),
            (|p| p.metadata.permissions = vec![Permission::Payment], 150, Err(SubkeyError::NoAuthPermission)),
            (|p| p.metadata.expires_at = 201, 150, Err(SubkeyError::NotDerived)),
            (|p| p.metadata.nonce = [8; 32], 150, Err(SubkeyError::NotDerived)),
            (|p| p.metadata.name = SubkeyName("phony".to_owned()), 150, Err(SubkeyError::NotDerived)),
            (|p| p.metadata.permissions.push(Permission::Payment), 150, Err(SubkeyError::NotDerived)),
        ];
        let subkey = derive_public(&main.public_key(), &metadata()).unwrap();
        for (change, now, expected) in cases {
            let mut proof = SubkeyProof { main_key: main.public_key(), metadata: metadata() };
            change(&mut proof);
            assert_eq!(proof.verify(&subkey, &main.public_key(), now), expected);
            assert_eq!(proof.verify(&subkey, &other, now), Err(SubkeyError::ForeignMainKey));
            assert!(proof.verify(&main.public_key(), &main.public_key(), now).is_err());
        }
    }

    #[test]
    fn a_main_key_off_the_curve_is_an_error_and_not_a_panic() {
        let off = PublicKey::from_byte_array([0; 32]);
        let proof = SubkeyProof { main_key: off, metadata: metadata() };
        assert_eq!(proof.verify(&off, &off, 150), Err(SubkeyError::InvalidKey));
    }

    #[test]
    fn a_name_too_long_for_its_length_field_is_refused() {
        assert!(SubkeyName::try_from("x".repeat(1024)).is_ok());
        assert_eq!(SubkeyName::try_from("x".repeat(0x1_0000)), Err(InvalidName));
    }

    #[test]
    fn a_main_key_is_written_in_hex_and_in_no_other_way() {
        let proof = SubkeyProof {
            main_key: Keys::new(SecretKey::from_slice(&[1; 32]).unwrap()).public_key(),
            metadata: metadata(),
        };
        let json = serde_json::to_string(&proof).unwrap();
        assert_eq!(serde_json::from_str::<SubkeyProof>(&json).unwrap(), proof);
        let npub = json.replace(&proof.main_key.to_hex(), &proof.main_key.to_bech32().unwrap());
        assert!(serde_json::from_str::<SubkeyProof>(&npub).is_err());
    }

    #[test]
    fn an_unknown_permission_is_an_error() {
        assert!(serde_json::from_str::<Permission>(r#""auth""#).is_ok());
        assert!(serde_json::from_str::<Permission>(r#""admin""#).is_err());
    }
}
