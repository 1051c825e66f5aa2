//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

use super::Failure;
use crate::config::{Log, LogFormat};

/// Starts the log. Libraries are heard from `warn` on, unless the filter names them.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let filter = filter(&log.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::new(super::Exit::Failed, error))
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    let invalid = |error: &dyn std::fmt::Display| Failure::usage(format!("log.level: {level:?}: {error}"));
    // It logs whatever a relay sends, whole, as an error.
    let quiet: Directive = "nostr_relay_pool=off".parse().map_err(|error| invalid(&error))?;
    match level.parse::<LevelFilter>() {
        Ok(own) => format!("warn,portico={own}").parse::<EnvFilter>(),
        Err(_) => level.parse(),
    }
    .map(|filter| filter.add_directive(quiet))
    .map_err(|error| invalid(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_understood_and_nonsense_is_named() {
        for level in ["info", "debug", "off", "portico::relay=trace,warn"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        assert!(filter("portico=loud").unwrap_err().message.contains("loud"));
    }
}
