//! Background tasks that cannot die silently.

use std::future::Future;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The background tasks of the relay side: stopped together, and awaited together. If one panics, all stop;
/// this ends the stream of signals, and the daemon treats that as a failure.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `task` until it ends or `until` (a child of [`Tasks::child`]) is cancelled.
    pub(super) fn spawn<F>(&self, until: CancellationToken, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let alarm = Alarm(Some(self.stop.clone().drop_guard()));
        self.tracker.spawn(async move {
            let _ = until.run_until_cancelled(task).await;
            alarm.disarm();
        });
    }

    /// A token that is cancelled when everything stops, or by its own caller.
    pub(super) fn child(&self) -> CancellationToken {
        self.stop.child_token()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Tells all tasks to stop.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Resolves when all tasks have ended, after [`Tasks::stop`].
    pub(super) async fn ended(&self) {
        self.tracker.wait().await;
    }
}

/// Stops everything unless disarmed. A task that panics does not disarm it. (Nor does a task that is dropped
/// with its runtime; then everything stops anyway.)
struct Alarm(Option<DropGuard>);

impl Alarm {
    fn disarm(mut self) {
        if let Some(guard) = self.0.take() {
            guard.disarm();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.0.is_some() && std::thread::panicking() {
            tracing::error!("a task of the relay side panicked; stopping");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_stops_all_the_others() {
        let tasks = Tasks::default();
        tasks.spawn(tasks.child(), std::future::pending());
        tasks.spawn(tasks.child(), async { panic!("on purpose") });
        tasks.child().cancelled().await;
        tasks.stop();
        tasks.ended().await;
    }

    #[tokio::test]
    async fn a_task_that_ends_leaves_the_others_alone() {
        let tasks = Tasks::default();
        let until = tasks.child();
        tasks.spawn(until.clone(), std::future::pending());
        until.cancel();
        tasks.tracker.close();
        tasks.ended().await;
        assert!(!tasks.is_stopped());
    }
}
