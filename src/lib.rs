//! Portico logs people in with the wallet on their phone.

pub mod clock;
pub mod relay;
pub mod store;
