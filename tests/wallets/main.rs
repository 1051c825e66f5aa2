//! Wallet providers with whom they ask: in order, down, lying, slow.

mod jwks;
#[path = "../support/mod.rs"]
mod support;
