//! Notifies the service manager (sd_notify(3)), if there is one.

use std::time::Duration;

use sd_notify::NotifyState;

/// The sockets are open; sends this status.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the monotonic clock is unavailable"),
    }
}

/// The daemon has begun to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Sends the present status.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Whether there is a service manager.
pub(super) fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Sends a watchdog ping.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for a watchdog ping before it restarts the daemon. `None`: the watchdog is
/// off.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
}

/// The address stays in the environment: removing it would need `unsafe`, and there are no child processes.
fn tell(state: &[NotifyState<'_>]) {
    if !listens() {
        return;
    }
    // A manager that does not read blocks this call, and nothing else may wait for it.
    if let Err(error) = tokio::task::block_in_place(|| sd_notify::notify(state)) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
