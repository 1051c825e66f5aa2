//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Runs mixed traffic with faults for a while, and checks that every accepted request ended exactly once and
/// that nothing grew without bound. Prints one line of JSON; exits with 1 if a check failed.
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Args {
    /// How long
    #[arg(long, value_name = "MINUTES", default_value_t = 30.0)]
    pub(crate) minutes: f64,
    /// Callers at the same time, each with one thing after another
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub(crate) callers: usize,
    /// The mean time between two faults, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 5.0)]
    pub(crate) calm_secs: f64,
    /// What chance has in store: the same seed, the same faults in the same order
    #[arg(long, value_name = "N", default_value_t = rand::random::<u32>().into())]
    pub(crate) seed: u64,
    /// The daemon [default: `portico` in the folder above this program's]
    #[arg(long, value_name = "PATH")]
    pub(crate) daemon: Option<PathBuf>,
}

impl Args {
    pub(crate) fn calm(&self) -> Duration {
        Duration::from_secs_f64(self.calm_secs)
    }
}
