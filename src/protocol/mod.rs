//! The Portal messages, as they go over the wire.
//!
//! Pure: no IO, no clock; randomness is an argument.
//!
//! A wallet scans a [`HandshakeUrl`], and from then on both sides send each other events whose
//! content only one recipient can read. [`Sealer::seal`] makes such an event, [`Sealer::open`] turns
//! one back into a [`Message`]; what comes out of the latter was encrypted to us by its author,
//! and whatever was not is an [`OpenError`] and never looked into.

mod envelope;
pub mod kind;
mod message;
mod percent;
mod subkey;
#[cfg(test)]
mod tests;
mod url;
mod url_token;
mod wire;

pub use envelope::{Defect, OpenError, Opened, SealError, Sealer};
pub use message::{
    AuthChallenge, AuthResponse, AuthStatus, ClientInfo, Content, KeyHandshake, Message, SessionToken,
};
pub use subkey::{
    InvalidName, Permission, SubkeyError, SubkeyMetadata, SubkeyName, SubkeyProof, derive_public,
    derive_secret,
};
pub use url::{HandshakeUrl, UrlError};
pub use url_token::{common_spelling, decode_token, token_in_url};
