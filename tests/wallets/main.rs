//! Wallet providers with whom they ask: in order, down, lying, slow.

mod clock;
mod jwks;
mod nip98;
#[path = "../support/mod.rs"]
mod support;
