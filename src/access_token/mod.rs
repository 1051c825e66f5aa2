//! Access tokens (JWTs as in RFC 7519 and RFC 9068), and the keys that sign them.
//!
//! This module is pure with one exception: keys and ECDSA signatures use ring's randomness, because ring does not
//! take randomness as an argument. Nothing here reads a clock or does IO.
//!
//! ring makes and verifies signatures, and [`crate::portal_token`] those with ES256K. This module checks the form of
//! a token, as strictly as that of a login token. It checks the times with `now` as an argument.
//!
//! A token passes through types that show how far it can be trusted: [`UnverifiedToken::parse`] checks its form and
//! header, [`UnverifiedToken::verify`] its signature, [`Claims::check`] whether it is valid here and now.

mod algorithm;
mod claims;
mod error;
mod public_key;
mod ring;
mod ring_file;
mod secret;
mod signing_key;
#[cfg(test)]
mod tests;
mod token;

pub use algorithm::Algorithm;
pub use claims::{Claims, Expected};
pub use error::{AccessError, InvalidKey, SignError};
pub use public_key::PublicKey;
pub use ring::{KeyRing, KeyState, MAX_KEYS, RingKey, RotateError};
pub use ring_file::{KeyFault, RingError};
pub use secret::AccessToken;
pub use signing_key::SigningKey;
pub use token::{TYPE, UnverifiedToken, sign};
