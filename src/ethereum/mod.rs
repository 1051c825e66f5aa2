//! The part of Ethereum that a login needs: addresses, and wallets' signatures of a text.
//!
//! Pure: nothing here reads a clock, does IO or knows the rest of the daemon.

mod address;
mod personal_sign;

pub use address::{Address, NotAnAddress};
pub use personal_sign::{NotAKey, SigningKey, recover};

use sha3::{Digest as _, Keccak256};

/// Keccak-256 as Ethereum uses it: with the padding from before SHA-3 was a standard.
fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}
