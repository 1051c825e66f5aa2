//! Wallets of other makers, with a real daemon.

mod jwks;
mod para;
