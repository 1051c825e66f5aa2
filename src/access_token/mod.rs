//! Access tokens: JWTs as RFC 7519 and RFC 9068 want them, and the keys that sign them.
//!
//! Pure but for one thing: keys and ECDSA signatures draw on the randomness of ring, which takes none as
//! an argument. Nothing here reads a clock or does IO.
//!
//! ring makes and checks signatures, [`crate::portal_token`] those with ES256K. The form of a token is ours to judge, and
//! as strictly as that of a login token; its times are judged with `now` as an argument.
//!
//! A token passes through types that name how far it can be trusted: [`UnverifiedToken::parse`] checks its
//! form and header, [`UnverifiedToken::verify`] who made it, [`Claims::check`] whether it holds here and now.

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
