//! What the daemon takes: sampled over time, the end compared with the beginning.

use std::fmt;
use std::fs;

use serde_json::{Value, json};

use crate::Result;
use crate::daemon::Daemon;
use crate::usage::Usage;

/// How much memory may grow after the first third: caches fill, and revocations are kept.
const SLACK_MIB: f64 = 24.0;

/// … and open files.
const SLACK_FILES: f64 = 50.0;

/// The database keeps its records for at least an hour, so it grows during a soak. The bound is on its size for each
/// stream, and on its log.
const GROWTH_PER_STREAM: f64 = 1.5;
const MAX_LOG_MIB: f64 = 96.0;

const MIB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Clone, Copy)]
struct Sample {
    memory_mib: f64,
    files: f64,
    database_mib: f64,
    log_mib: f64,
    streams: f64,
}

/// All samples, in order.
#[derive(Debug, Default)]
pub(crate) struct Resources(Vec<Sample>);

impl Resources {
    /// Looks at the daemon, if there is one now.
    pub(crate) fn sample(&mut self, daemon: &Daemon) -> Result<()> {
        let size = |name: &str| fs::metadata(daemon.data(name)).map_or(0.0, |file| file.len() as f64 / MIB);
        let db = rusqlite::Connection::open_with_flags(
            daemon.data("portico.db"),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        )?;
        self.0.push(Sample {
            memory_mib: Usage::of(daemon.pid())?.resident_mb(),
            files: fs::read_dir(format!("/proc/{}/fd", daemon.pid()))?.count() as f64,
            database_mib: size("portico.db"),
            log_mib: size("portico.db-wal"),
            streams: db.query_row("SELECT count(*) FROM streams", [], |row| row.get::<_, u32>(0))?.into(),
        });
        Ok(())
    }

    /// What grew that must not.
    pub(crate) fn growth(&self) -> Vec<String> {
        let (first, last) = (self.third(0), self.third(2));
        let mut grown = Vec::new();
        let mut compare = |what: &str, of: fn(&Sample) -> f64, bound: &dyn Fn(f64) -> f64| {
            let highest = |samples: &[Sample]| samples.iter().map(of).fold(0.0, f64::max);
            let (before, after) = (highest(first), highest(last));
            if after > bound(before) {
                grown.push(format!("{what} grew from {before:.1} to {after:.1}"));
            }
        };
        compare("memory (MiB)", |one| one.memory_mib, &|before| before * 1.25 + SLACK_MIB);
        compare("open files", |one| one.files, &|before| before + SLACK_FILES);
        compare("the log of the database (MiB)", |one| one.log_mib, &|_| MAX_LOG_MIB);
        let each =
            |samples: &[Sample]| samples.last().map_or(0.0, |one| one.database_mib / one.streams.max(1.0));
        if each(last) > each(first) * GROWTH_PER_STREAM {
            grown.push(format!(
                "the database takes {:.4} MiB a stream, and took {:.4}",
                each(last),
                each(first)
            ));
        }
        grown
    }

    fn third(&self, n: usize) -> &[Sample] {
        let third = self.0.len() / 3;
        self.0.get(n * third..(n + 1) * third).unwrap_or_default()
    }

    /// The highest of each third of the time.
    pub(crate) fn figures(&self) -> Value {
        let highest = |of: fn(&Sample) -> f64| -> Vec<f64> {
            (0..3).map(|n| self.third(n).iter().map(of).fold(0.0, f64::max)).collect()
        };
        json!({
            "samples": self.0.len(), "memory_mib": highest(|one| one.memory_mib),
            "files": highest(|one| one.files), "database_mib": highest(|one| one.database_mib),
            "log_mib": highest(|one| one.log_mib), "streams": highest(|one| one.streams),
        })
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(now) = self.0.last() else { return write!(f, "nothing yet") };
        let Sample { memory_mib, files, database_mib, log_mib, streams, .. } = now;
        write!(
            f,
            "{memory_mib:.1} MiB, {files} files, database {database_mib:.1} + {log_mib:.1} MiB for {streams} streams"
        )
    }
}
