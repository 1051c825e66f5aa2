//! Portico logs people in with the wallet on their phone.

pub mod clock;
pub mod protocol;
pub mod store;
pub mod token;
