//! How the daemon stops: it drains first, then aborts. If a worker dies, the daemon stops with a failure.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long started tasks may take to finish when the daemon stops.
pub const GRACE: Duration = Duration::from_secs(10);

/// Tracks the daemon's tasks and tells them when to stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    tasks: TaskTracker,
    stopping: CancellationToken,
    aborting: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Lifecycle {
    /// Runs a task that ends by itself; a stop waits for it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let aborting = self.aborting.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = aborting.cancelled() => {}
            }
        });
    }

    /// Runs a change to its end, even if its caller stops waiting: store and memory must stay the same.
    /// `None`: the daemon is stopping, and the change was not begun, or it took so long that it was aborted.
    ///
    /// The caller's own task runs the change. Only if the caller stops waiting does a new task take it over.
    pub async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        if self.is_stopping() {
            return None;
        }
        // A stop waits for the change, in any task.
        let _tracked = self.tasks.token();
        let change = Box::pin(change.in_current_span());
        tokio::select! {
            biased;
            value = Change { running: Some(change), lifecycle: self.clone() } => Some(value),
            () = self.aborting.cancelled() => None,
        }
    }

    /// Runs a worker that lives as long as the daemon. If it ends earlier, by a panic or otherwise, the
    /// daemon stops with a failure.
    pub fn run(&self, name: &'static str, worker: impl Future<Output = ()> + Send + 'static) {
        let guard = Guard { name, lifecycle: self.clone() };
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let _guard = guard;
            tokio::select! {
                () = worker => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    /// Begins to stop. Workers end; started tasks continue for up to [`GRACE`].
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Resolves when the daemon begins to stop.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the daemon has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until all tasks have ended; aborts the rest when `impatient` resolves or the grace time
    /// is over. Returns whether the stop was clean.
    pub async fn drained(&self, impatient: impl Future<Output = ()>) -> bool {
        self.tasks.close();
        let clean = tokio::select! {
            biased;
            // Tasks that have ended count as ended, even if `impatient` has resolved.
            () = self.tasks.wait() => true,
            () = impatient => false,
            () = tokio::time::sleep(GRACE) => false,
        };
        if !clean {
            tracing::warn!(tasks = self.tasks.len(), "aborting unfinished tasks");
            self.aborting.cancel();
            self.tasks.wait().await;
        }
        clean && !self.failed.load(Ordering::Relaxed)
    }
}

/// A change that continues in a task of its own if it is dropped before its end.
struct Change<F: Future<Output: Send> + Send + 'static> {
    running: Option<Pin<Box<F>>>,
    lifecycle: Lifecycle,
}

impl<F: Future<Output: Send> + Send + 'static> Future for Change<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out while it runs, so that nothing of a change that panics is run again.
        let Some(mut running) = self.running.take() else { return Poll::Pending };
        let polled = running.as_mut().poll(context);
        if polled.is_pending() {
            self.running = Some(running);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Change<F> {
    fn drop(&mut self) {
        // Without a runtime the whole process is ending, and nothing can go on.
        if let Some(running) = self.running.take()
            && Handle::try_current().is_ok()
        {
            self.lifecycle.spawn(async move { drop(running.await) });
        }
    }
}

/// Stops the daemon when a worker ends that should not.
struct Guard {
    name: &'static str,
    lifecycle: Lifecycle,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.lifecycle.is_stopping() {
            tracing::error!(worker = self.name, "a worker has died: the daemon stops");
            self.lifecycle.failed.store(true, Ordering::Relaxed);
            self.lifecycle.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_worker_that_dies_stops_the_daemon_with_a_failure() {
        let lifecycle = Lifecycle::default();
        lifecycle.run("doomed", async { panic!("as planned") });
        lifecycle.stopping().await;
        assert!(!lifecycle.drained(std::future::pending()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_is_waited_for() {
        let lifecycle = Lifecycle::default();
        let (done, mut is_done) = tokio::sync::oneshot::channel();
        lifecycle.spawn(async move {
            tokio::time::sleep(GRACE / 2).await;
            let _ = done.send(());
        });
        lifecycle.stop();
        assert!(lifecycle.drained(std::future::pending()).await);
        assert!(is_done.try_recv().is_ok());
    }

    #[tokio::test]
    async fn what_has_ended_is_not_aborted_by_somebody_who_is_impatient() {
        for _ in 0..64 {
            let lifecycle = Lifecycle::default();
            lifecycle.stop();
            assert!(lifecycle.drained(std::future::ready(())).await);
        }
    }

    #[tokio::test]
    async fn a_change_runs_to_its_end_when_its_caller_stops_waiting_and_a_stop_waits_for_it() {
        let lifecycle = Lifecycle::default();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (done, mut is_done) = tokio::sync::oneshot::channel();
        let change = lifecycle.to_the_end(async move {
            let _ = gone.await;
            let _ = done.send(());
        });
        assert!(change.now_or_never().is_none(), "it waits");
        assert!(is_done.try_recv().is_err());
        lifecycle.stop();
        let _ = go.send(());
        assert!(lifecycle.drained(std::future::pending()).await);
        assert!(is_done.try_recv().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_a_change_that_runs_in_a_task_which_it_does_not_know() {
        let lifecycle = Lifecycle::default();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let elsewhere = lifecycle.clone();
        let change = tokio::spawn(async move { elsewhere.to_the_end(gone).await });
        tokio::task::yield_now().await;
        lifecycle.stop();
        let stop = lifecycle.drained(std::future::pending());
        tokio::pin!(stop);
        assert!(tokio::time::timeout(GRACE / 2, &mut stop).await.is_err(), "the change has not ended");
        go.send(()).unwrap();
        assert!(stop.await);
        assert_eq!(change.await.unwrap(), Some(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_does_not_end_is_aborted_after_the_grace_time_whoever_runs_it() {
        let lifecycle = Lifecycle::default();
        let aborted = lifecycle.to_the_end(std::future::pending::<()>());
        let running = async {
            lifecycle.stop();
            lifecycle.drained(std::future::pending()).await
        };
        let (aborted, clean) = tokio::join!(aborted, running);
        assert_eq!((aborted, clean), (None, false));
    }

    #[tokio::test]
    async fn a_change_that_its_caller_waits_for_needs_no_task_and_returns_its_value() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.to_the_end(async { 7 }).await, Some(7));
        assert!(lifecycle.tasks.is_empty());
        lifecycle.stop();
        assert_eq!(lifecycle.to_the_end(async { 7 }).await, None, "a daemon that stops begins nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_aborted_after_the_grace_time() {
        let lifecycle = Lifecycle::default();
        lifecycle.spawn(std::future::pending());
        lifecycle.stop();
        assert!(!lifecycle.drained(std::future::pending()).await);
    }
}
