//! Portico logs people in with the wallet on their phone.

pub mod clock;
pub mod config;
pub mod store;
