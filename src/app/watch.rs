//! Reports the daemon's state to its operator: in the log, and to the service manager.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::manager;
use crate::lifecycle::Lifecycle;
use crate::portal::Portal;
use crate::relay::{Origin, RelayHealth, RelayState, Relays};
use crate::shown;

/// Starts the reports.
pub(super) fn start(lifecycle: &Lifecycle, relays: &Relays, portal: &Arc<Portal>) {
    lifecycle.run("relay alarm", alarm(relays.clone()));
    lifecycle.run("status", show(relays.clone(), Arc::clone(portal)));
    lifecycle.run("watchdog", beat(relays.clone(), Arc::clone(portal)));
}

/// Logs when no relay can be reached, and when one can be reached again.
async fn alarm(relays: Relays) {
    const EVERY: Duration = Duration::from_secs(10);

    let mut alarmed = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let list = relays.list();
        let ready = list.iter().filter(|relay| relay.state == RelayState::Ready).count();
        if ready > 0 && alarmed {
            tracing::info!(ready, relays = list.len(), "logins are possible again");
        } else if ready == 0 && !alarmed {
            let error = |relay: &RelayHealth| relay.last_error.as_ref().map(ToString::to_string);
            let trouble: Vec<_> = list
                .iter()
                .map(|relay| {
                    format!(
                        "{}: {}",
                        shown::relay(&relay.url),
                        error(relay).unwrap_or_else(|| "no answer".into())
                    )
                })
                .collect();
            tracing::warn!(relays = list.len(), ?trouble, "no relay is reachable: nobody can log in now");
        }
        alarmed = ready == 0;
    }
}

/// Sends the status to the service manager when it has changed.
async fn show(relays: Relays, portal: Arc<Portal>) {
    const EVERY: Duration = Duration::from_secs(1);

    if !manager::listens() {
        return std::future::pending().await;
    }
    let mut shown = String::new();
    loop {
        let now = status(&relays, &portal);
        if now != shown {
            manager::status(&now);
            shown = now;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// One line for `systemctl status`.
pub(super) fn status(relays: &Relays, portal: &Portal) -> String {
    let list = relays.list();
    let own = || list.iter().filter(|relay| relay.origin != Origin::Preferred);
    let ready = own().filter(|relay| relay.state == RelayState::Ready).count();
    format!("{ready} of {} relays ready, {} requests open", own().count(), portal.open_requests())
}

/// Pings the service manager's watchdog (`WATCHDOG_USEC`), if it is on, twice in the time
/// that it allows.
///
/// Each ping is a task that a runtime thread has run, and that could read the open requests and the state of
/// every relay. So a runtime that hangs, or a lock that is never released, stops the pings. A store or
/// relays that fail do not: a restart would not fix them, and would interrupt what still works.
async fn beat(relays: Relays, portal: Arc<Portal>) {
    let Some(patience) = manager::watchdog() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(patience / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (relays, portal) = (relays.clone(), Arc::clone(&portal));
        let looked = tokio::spawn(async move { status(&relays, &portal) }).await;
        if looked.is_ok() {
            manager::alive();
        }
    }
}
