//! The sections of `portico.toml`: each file has the shape of a section as it is written, its defaults, the bounds of
//! its numbers, and its checks.

pub(super) mod access;
pub(super) mod auth;
pub(super) mod forward;
pub(super) mod history;
pub(super) mod local;
pub(super) mod log;
pub(super) mod lookup;
pub(super) mod profile;
pub(super) mod relays;
pub(super) mod service;
pub(super) mod sessions;
pub(super) mod store;
pub(super) mod tls;
pub(super) mod tokens;
pub(super) mod ui;
pub(super) mod wallets;
pub(super) mod web;
pub(super) mod webhook;
mod written;
