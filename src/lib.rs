//! Portico logs people in with the wallet on their phone.

pub mod address;
pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod events;
pub mod lifecycle;
pub mod protocol;
pub mod relay;
pub mod store;
pub mod token;
