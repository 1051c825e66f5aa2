//! What several test suites need.

#![allow(dead_code, reason = "no suite needs all of it")]

pub(crate) mod beginning;
pub(crate) mod ca;
pub(crate) mod daemon;
pub(crate) mod domain;
pub(crate) mod issuer;
pub(crate) mod para_api;
pub(crate) mod phone;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod relay;
pub(crate) mod rest;
pub(crate) mod signed;
pub(crate) mod socket;

use std::future::Future;
use std::time::Duration;

/// Longer than anything here should take, on a machine busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What comes of `future`, which must not take for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for: {what}"),
    }
}

/// The system's time, in seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    nostr_sdk::Timestamp::now().as_secs()
}
