//! The handlers, by theme. Each reads what was sent, asks the service, and wraps the answer.

pub(super) mod auth;
pub(super) mod events;
pub(super) mod jwt;
pub(super) mod lookup;
pub(super) mod meta;
pub(super) mod questions;
pub(super) mod relays;
pub(super) mod webhooks;
