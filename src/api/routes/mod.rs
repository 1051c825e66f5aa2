//! The handlers, by topic. Each reads the request, calls the service, and wraps the answer.

pub(super) mod api_tokens;
pub(super) mod audit;
pub(super) mod auth;
pub(super) mod events;
pub(super) mod forward;
pub(super) mod jwt;
pub(super) mod keys;
pub(super) mod logins;
pub(super) mod lookup;
pub(super) mod meta;
pub(super) mod oauth;
mod offered;
mod page;
pub(super) mod questions;
pub(super) mod recurring;
pub(super) mod relays;
mod sign_in;
pub(super) mod sign_in_page;
pub(super) mod thirdweb;
pub(super) mod users;
pub(super) mod webhooks;
