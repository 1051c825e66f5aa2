//! Signatures of a text that cannot be mistaken for a transaction (EIP-191, version `E`).

use std::fmt;

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SECP256K1, SecretKey};
use zeroize::Zeroizing;

use super::{Address, keccak};

/// The bytes that a wallet hashes for a text; the length counts bytes.
fn digest(text: &[u8]) -> Message {
    let mut prefixed = format!("\x19Ethereum Signed Message:\n{}", text.len()).into_bytes();
    prefixed.extend_from_slice(text);
    Message::from_digest(keccak(&prefixed))
}

/// The signer of this text, if the signature is valid: `0x` and the 130 hex digits of r, s and v. v is 27 or 28, or 0
/// or 1 from some hardware wallets. A signature with s in the upper half (EIP-2) is invalid, so each signer has one
/// signature for a text.
pub fn recover(text: &[u8], signature: &str) -> Option<Address> {
    let mut bytes = [0; 65];
    hex::decode_to_slice(signature.strip_prefix("0x")?, &mut bytes).ok()?;
    let (compact, [v]) = bytes.split_first_chunk::<64>()? else { return None };
    let id = match v {
        0 | 27 => 0,
        1 | 28 => 1,
        _ => return None,
    };
    let signature = RecoverableSignature::from_compact(compact, RecoveryId::from_i32(id).ok()?).ok()?;
    let mut lower = signature.to_standard();
    lower.normalize_s();
    if lower != signature.to_standard() {
        return None;
    }
    let key = SECP256K1.recover_ecdsa(&digest(text), &signature).ok()?;
    Some(Address::of(&key))
}

/// The key of an account.
#[derive(Clone)]
pub struct SigningKey(SecretKey);

/// The text is not a key. The error does not repeat the text, because it may be a mistyped key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must contain 64 hex digits, with or without 0x")]
pub struct NotAKey;

impl SigningKey {
    /// The key of 64 hex digits, with or without `0x`.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut *bytes).map_err(|_| NotAKey)?;
        SecretKey::from_slice(&*bytes).map(Self).map_err(|_| NotAKey)
    }

    /// The address of its account.
    pub fn address(&self) -> Address {
        Address::of(&self.0.public_key(SECP256K1))
    }

    /// Signs a text, in the form that [`recover`] takes. Deterministic (RFC 6979).
    pub fn sign(&self, text: &[u8]) -> String {
        let (id, compact) = SECP256K1.sign_ecdsa_recoverable(&digest(text), &self.0).serialize_compact();
        format!("0x{}{:02x}", hex::encode(compact), 27 + id.to_i32())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::parse(&"11".repeat(32)).unwrap()
    }

    #[test]
    fn a_signature_names_its_signer_for_this_text_alone() {
        let signature = key().sign(b"text");
        assert_eq!(recover(b"text", &signature), Some(key().address()));
        assert_ne!(recover(b"texu", &signature), Some(key().address()));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", key()), "SigningKey([redacted])");
        for bad in ["", "0x", "zz", &"11".repeat(33), &"00".repeat(32), &"ff".repeat(32)] {
            assert_eq!(SigningKey::parse(bad).unwrap_err(), NotAKey, "{bad}");
        }
        assert_eq!(SigningKey::parse(&format!("0x{}", "11".repeat(32))).unwrap().address(), key().address());
    }
}
