//! What the service manager is told (sd_notify(3)). Without one, nothing is.

use std::time::Duration;

use sd_notify::NotifyState;

/// The sockets are open; this is how it looks.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "there is no monotonic clock"),
    }
}

/// The daemon has begun to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// How it looks now.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Whether there is a service manager to tell.
pub(super) fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The daemon lives.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for a sign of life before it restarts the daemon. `None`: it waits for
/// none.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
}

/// The environment keeps the address: to remove it would take `unsafe`, and no child process inherits it.
fn tell(state: &[NotifyState<'_>]) {
    if !listens() {
        return;
    }
    // A manager that does not read makes this wait, which nothing else is to wait for.
    if let Err(error) = tokio::task::block_in_place(|| sd_notify::notify(state)) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
