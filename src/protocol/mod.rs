//! The messages of the Portal protocol.
//!
//! Pure: no IO, no clock; randomness is an argument.
//!
//! A wallet scans a [`HandshakeUrl`]. From then on both sides send each other events with content that only
//! one recipient can read. [`Sealer::seal`] makes such an event, and [`Sealer::open`] turns it back into a
//! [`Message`]. An opened message was encrypted to us by its author; anything else is an [`OpenError`], and
//! its content is never used.

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
