//! Events on their way to the webhook's receiver: stored until the receiver accepts them.

use async_trait::async_trait;

use super::{AuditDraft, Result, StreamId};
use crate::clock::Timestamp;

/// An event that the receiver has not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The stream of the event.
    pub stream: StreamId,
    /// The index of the event in its stream.
    pub index: u64,
    /// When its time began: with the event, or when an operator retried it.
    pub since: Timestamp,
    /// The number of attempts since then.
    pub attempts: u32,
    /// What it waits for.
    pub state: DeliveryState,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What a delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is the first waiting one of its stream; the next attempt is at this time.
    Head(Timestamp),
    /// An earlier event of its stream is delivered first.
    Behind,
    /// Given up at this time. Later events do not wait for it.
    Failed(Timestamp),
}

/// The result of a delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver accepted the event.
    Delivered,
    /// It will be retried.
    Again {
        /// When.
        next_at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It will not be retried.
    GivenUp {
        /// Why it failed.
        error: String,
    },
}

/// Some undelivered events, and the total numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// By stream and index.
    pub deliveries: Vec<Delivery>,
    /// How many wait.
    pub waiting: u64,
    /// How many were given up.
    pub failed: u64,
}

/// The deliveries that are owed. If the store keeps deliveries, each event adds its own in the transaction
/// that appends it. The deliveries of a stream go in order: only the first waiting one, the head, is ever
/// due.
#[async_trait]
pub trait Deliveries: std::fmt::Debug + Send + Sync {
    /// The heads of at most `limit` streams, the ones that are due earliest first.
    async fn heads(&self, limit: usize) -> Result<Vec<Delivery>>;

    /// Records the result of an attempt at time `at`. Unless it was `Again`, the next delivery of the stream
    /// becomes its head. Returns `false`, and does nothing, if the delivery was dropped or retried since it
    /// was read.
    async fn record_attempt(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool>;

    /// The undelivered events of one stream or of all; at most `limit` of them are listed.
    async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered>;

    /// Retries the deliveries of one stream or of all, including those given up. Returns how many. If there are any,
    /// `audit` is recorded.
    async fn retry_deliveries(
        &self,
        stream: Option<StreamId>,
        at: Timestamp,
        audit: &AuditDraft,
    ) -> Result<u64>;

    /// Drops the deliveries of one stream or of all; the events stay. Returns how many. If there are any, `audit` is
    /// recorded.
    async fn drop_deliveries(&self, stream: Option<StreamId>, audit: &AuditDraft) -> Result<u64>;
}
