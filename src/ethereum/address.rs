//! Ethereum addresses, and the checksum in their capitals (EIP-55).

use std::fmt;
use std::str::FromStr;

use secp256k1::PublicKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::keccak;

/// The address of an account. `Display` prints it as in EIP-55; `{:x}` prints it in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// The form is wrong.
    #[error("it must be 0x and 40 hex digits")]
    Malformed,
    /// The capitals do not match the checksum of EIP-55.
    #[error(
        "its capitals do not match (EIP-55): it was mistyped; an address without a checksum must be in lower case"
    )]
    Checksum,
}

impl Address {
    /// The address of this key's account.
    pub(super) fn of(key: &PublicKey) -> Self {
        let hash = keccak(&key.serialize_uncompressed()[1..]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Self(address)
    }

    /// The address of `0x` and 40 hex digits, in any mix of cases.
    ///
    /// # Errors
    /// [`NotAnAddress::Malformed`].
    pub fn in_any_case(text: &str) -> Result<Self, NotAnAddress> {
        let digits = text.strip_prefix("0x").ok_or(NotAnAddress::Malformed)?;
        let mut address = [0; 20];
        hex::decode_to_slice(digits, &mut address).map_err(|_| NotAnAddress::Malformed)?;
        Ok(Self(address))
    }

    /// Its 20 bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Strict, for input from people: mixed case must match EIP-55.
impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let address = Self::in_any_case(text)?;
        let is_plain = !text[2..].bytes().any(|c| c.is_ascii_uppercase());
        if is_plain || text == address.to_string() { Ok(address) } else { Err(NotAnAddress::Checksum) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = hex::encode(self.0).into_bytes();
        let hash = hex::encode(keccak(&text));
        for (digit, hashed) in text.iter_mut().zip(hash.bytes()) {
            if hashed >= b'8' {
                digit.make_ascii_uppercase();
            }
        }
        write!(f, "0x{}", String::from_utf8_lossy(&text))
    }
}

impl fmt::LowerHex for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As strict as [`FromStr`].
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From EIP-55 itself.
    const SPELT: [&str; 4] = [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn an_address_is_spelt_as_the_standard_spells_it() {
        for text in SPELT {
            let address: Address = text.to_lowercase().parse().unwrap();
            assert_eq!((address.to_string(), format!("{address:x}")), (text.into(), text.to_lowercase()));
            assert_eq!(text.parse(), Ok(address));
        }
    }

    #[test]
    fn a_mistyped_address_is_noticed() {
        let mistyped = SPELT[0].replace("5aA", "5AA");
        assert_eq!(mistyped.parse::<Address>(), Err(NotAnAddress::Checksum));
        assert!(Address::in_any_case(&mistyped).is_ok());
        let bare = &SPELT[0][2..];
        for bad in ["", "0x", bare, &SPELT[0][..41], &format!("{}0", SPELT[0]), &format!("0X{bare}"), "0é"] {
            assert_eq!(bad.parse::<Address>(), Err(NotAnAddress::Malformed), "{bad}");
        }
    }
}
