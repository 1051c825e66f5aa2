//! Login tokens: compact JWS signed with ES256K, and how they are verified.
//!
//! Pure: nothing here reads a clock, does IO or knows the rest of the daemon.
//!
//! A token passes through types that show how far it can be trusted. [`UnverifiedToken::parse`] checks its form and
//! header, [`UnverifiedToken::verify_signature`] its signer, [`UnverifiedToken::claims`] reads its claims, and
//! [`Claims::check_times`] checks whether it is valid now. [`verify`] is all of them in order. Every rejection is one
//! variant of [`TokenError`].

mod cache;
mod claims;
pub(crate) mod compact;
mod error;
mod es256k;
mod issue;
pub(crate) mod json;
mod jws;
mod keys;
mod standard;
#[cfg(test)]
mod tests;
mod verify;
mod wrapped;

pub use cache::SignatureCache;
pub use claims::Claims;
pub(crate) use claims::numeric_date;
pub use compact::MAX_TOKEN_BYTES;
pub use error::TokenError;
pub use es256k::Signature;
pub use issue::issue;
pub use jws::{TokenId, UnverifiedToken};
pub use keys::{InvalidKey, SigningKey, VerifyingKey, is_curve_point};
pub use standard::standard_jwt;
pub use verify::{Policy, verify};
pub use wrapped::wrapped;
