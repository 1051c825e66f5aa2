//! Events on their way to the webhook's receiver: kept until it has taken them.

use async_trait::async_trait;

use super::{Result, StreamId};
use crate::clock::Timestamp;

/// An event that the receiver has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The stream of the event.
    pub stream: StreamId,
    /// The place of the event in its stream.
    pub index: u64,
    /// When the time that it may take began: with the event, or when an operator asked for it again.
    pub since: Timestamp,
    /// How often it was tried since then.
    pub attempts: u32,
    /// What it waits for.
    pub state: DeliveryState,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What a delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// The earliest that waits in its stream: tried at this time.
    Head(Timestamp),
    /// An earlier event of its stream goes first.
    Behind,
    /// Given up at this time. Holds up nobody.
    Failed(Timestamp),
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver has taken the event.
    Delivered,
    /// It is to be tried again.
    Again {
        /// When.
        next_at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It is not tried any more.
    GivenUp {
        /// Why it failed.
        error: String,
    },
}

/// Part of what is undelivered, and how much there is of it in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// By stream and index.
    pub deliveries: Vec<Delivery>,
    /// How many wait.
    pub waiting: u64,
    /// How many were given up.
    pub failed: u64,
}

/// Deliveries that are owed. Where a store keeps them, each event adds its own in the transaction that
/// appends it. Those of a stream go in order: only the earliest that waits, the head, is ever due.
#[async_trait]
pub trait Deliveries: std::fmt::Debug + Send + Sync {
    /// The heads of at most `limit` streams, the ones that are due first first.
    async fn heads(&self, limit: usize) -> Result<Vec<Delivery>>;

    /// Records what came of an attempt `at` this time; unless that was `Again`, the next of the stream
    /// becomes its head. `false`: nothing was done, because the delivery was dropped, or begun anew, since
    /// it was read.
    async fn record_attempt(&self, delivery: &Delivery, at: Timestamp, attempt: &Attempt) -> Result<bool>;

    /// What is undelivered, of one stream or of all; at most `limit` of it one by one.
    async fn undelivered(&self, stream: Option<StreamId>, limit: usize) -> Result<Undelivered>;

    /// Begins deliveries anew, of one stream or of all, those given up included. Returns how many.
    async fn retry_deliveries(&self, stream: Option<StreamId>, at: Timestamp) -> Result<u64>;

    /// Forgets deliveries, of one stream or of all; the events stay. Returns how many.
    async fn drop_deliveries(&self, stream: Option<StreamId>) -> Result<u64>;
}
