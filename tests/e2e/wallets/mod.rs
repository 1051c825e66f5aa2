//! Wallets of other makers, with a real daemon.

mod jwks;
mod nip98;
mod para;
mod para_session;
pub(crate) mod thirdweb;
