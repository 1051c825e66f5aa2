//! Questions to one relay besides the subscription: a `REQ` that ends with its answer.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::mpsc;

use super::room::Held;

/// At most this many answers to one question are read.
const MAX_ANSWERS: usize = 4;

/// What the subscription id of every question begins with.
const PREFIX: &str = "ask-";

/// A subscription id for a new question.
pub(super) fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{PREFIX}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether this may be the subscription id of a question, perhaps of one that is over.
pub(super) fn is_id(subscription: &str) -> bool {
    subscription.starts_with(PREFIX)
}

/// The unanswered questions, by subscription id.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: DashMap<String, mpsc::Sender<Held>>,
}

impl Questions {
    /// Waits for answers under this subscription id. The receiver yields unverified `EVENT` frames, and ends
    /// with the question.
    pub(super) fn begin(&self, subscription: &str) -> mpsc::Receiver<Held> {
        let (sender, receiver) = mpsc::channel(MAX_ANSWERS);
        self.open.insert(subscription.to_owned(), sender);
        receiver
    }

    /// The relay sent an `EVENT` frame. Returns `false` if no question waits for it.
    pub(super) fn event(&self, subscription: &str, frame: Held) -> bool {
        let Some(sender) = self.open.get(subscription) else { return false };
        // Full: it sent more than was asked for.
        sender.try_send(frame).is_ok()
    }

    /// The connection has ended.
    pub(super) fn end_all(&self) {
        self.open.clear();
    }

    /// The question is answered (`EOSE`), refused (`CLOSED`) or dropped. Returns `false` if it was over
    /// already.
    pub(super) fn end(&self, subscription: &str) -> bool {
        self.open.remove(subscription).is_some()
    }
}
