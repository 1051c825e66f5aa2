//! The faults: at random moments, one at a time or several together.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::Rng;
use rand::rngs::StdRng;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::Result;
use crate::daemon::Daemon;
use crate::receiver::{Mood, Receiver};
use crate::relays::Relays;

/// Everything that can go wrong.
const KINDS: [&str; 5] = ["relays restart", "kill -9", "SIGTERM", "receiver out", "store locked"];

/// Those who suffer, and what they have suffered.
pub(crate) struct Faults {
    pub(crate) daemon: Daemon,
    pub(crate) receiver: Receiver,
    relays: Relays,
    rng: StdRng,
    calm: Duration,
    happened: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(crate) fn new(
        daemon: Daemon,
        relays: Relays,
        receiver: Receiver,
        rng: StdRng,
        calm: Duration,
    ) -> Self {
        Self { daemon, receiver, relays, rng, calm, happened: BTreeMap::new() }
    }

    /// Waits for the next fault and lets it happen and pass, unless it is too late for one.
    pub(crate) async fn next_until(&mut self, end: Instant) -> Result<()> {
        let at = Instant::now() + self.calm.mul_f64(self.rng.gen_range(0.1..1.9));
        sleep_until(at.min(end)).await;
        if at >= end {
            return Ok(());
        }
        let kind = KINDS[self.rng.gen_range(0..KINDS.len())];
        let lasts = Duration::from_millis(self.rng.gen_range(100..4000));
        *self.happened.entry(kind).or_default() += 1;
        match kind {
            "relays restart" => {
                self.relays.stop(self.rng.gen_range(1..4));
                sleep(lasts).await;
                self.relays.start_again().await;
            }
            "kill -9" => self.daemon.restart(Signal::SIGKILL).await?,
            "SIGTERM" => self.daemon.restart(Signal::SIGTERM).await?,
            "receiver out" => {
                let moods = [Mood::Fails, Mood::Hangs];
                self.receiver.now(moods[self.rng.gen_range(0..moods.len())]);
                sleep(lasts).await;
                self.receiver.now(Mood::Takes);
            }
            _ => {
                // Longer than the daemon waits for a lock, at times.
                let locked = Connection::open(self.daemon.data("portico.db"))?;
                locked.busy_timeout(Duration::from_secs(5))?;
                locked.execute_batch("BEGIN EXCLUSIVE")?;
                sleep(lasts * 2).await;
                locked.execute_batch("ROLLBACK")?;
            }
        }
        Ok(())
    }

    /// Ends all faults.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        self.receiver.now(Mood::Takes);
        self.relays.start_again().await;
        Ok(())
    }

    pub(crate) fn figures(&self) -> Value {
        json!(self.happened)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults", self.happened.values().sum::<u64>())
    }
}
