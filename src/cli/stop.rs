//! The signals that stop the daemon or the demo.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind};
use tokio::time::Instant;

use super::Failure;
use super::serve::listen_for;

/// Signals within this time count as one: `timeout` of the coreutils signals its child and then the child's process
/// group, and a wrapper passes on a signal that the terminal sent to both. A later second signal means that somebody
/// does not want to wait: it aborts.
const TOGETHER: Duration = Duration::from_millis(500);

/// SIGTERM, SIGINT, and SIGHUP if a closed terminal must end the program.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    told: Told,
}

impl StopSignals {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: listen_for(SignalKind::terminate())?,
            interrupt: listen_for(SignalKind::interrupt())?,
            hangup: None,
            told: Told::default(),
        })
    }

    #[cfg(feature = "demo")]
    pub(super) fn or_hangup(self) -> Result<Self, Failure> {
        Ok(Self { hangup: Some(listen_for(SignalKind::hangup())?), ..self })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        loop {
            let name = self.any().await;
            if self.told.anew(Instant::now()) {
                return name;
            }
        }
    }

    async fn any(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }
}

/// The time of the last signal that counted.
#[derive(Debug, Default)]
struct Told(Option<Instant>);

impl Told {
    /// Whether a signal that comes now counts as another one.
    fn anew(&mut self, now: Instant) -> bool {
        let anew = self.0.is_none_or(|last| now.duration_since(last) >= TOGETHER);
        if anew {
            self.0 = Some(now);
        }
        anew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one_and_a_later_one_is_another() {
        let first = Instant::now();
        let at = |ms| first + Duration::from_millis(ms);
        let mut told = Told::default();
        let heeded = [0, 0, 3, 499, 500, 501, 999, 1000].map(|ms| told.anew(at(ms)));
        assert_eq!(heeded, [true, false, false, false, true, false, false, true]);
    }
}
