//! The handler of the relays' signals.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::SetOnce;

use super::signal::{Handler, Signal};

/// The handler, once it is set. The relays start before it, because it needs them to publish.
#[derive(Clone, Default)]
pub(super) struct Handling(Arc<SetOnce<Arc<dyn Handler>>>);

impl Handling {
    /// Sets the handler of all signals. Only the first call has an effect.
    pub(super) fn set(&self, handler: Arc<dyn Handler>) {
        let _ = self.0.set(handler);
    }

    /// Resolves when the handler is set.
    pub(super) async fn known(&self) {
        self.0.wait().await;
    }

    /// Handles one signal to its end. A panic is a bug with this signal, and must not stop others.
    pub(super) async fn handle(self, signal: Signal) {
        let handler = self.0.wait().await;
        let handled = async { handler.handle(signal).await };
        if AssertUnwindSafe(handled).catch_unwind().await.is_err() {
            tracing::error!("the handler of a message from a relay panicked; the message is lost");
        }
    }
}

impl fmt::Debug for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handling").finish_non_exhaustive()
    }
}
