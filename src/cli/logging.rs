//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::{Exit, Failure, log_fields};
use crate::config::{Log, LogFormat};

/// Starts the log. Libraries are heard from `warn` on, unless the filter names them.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let lines = match log.format {
        LogFormat::Text => lines.fmt_fields(log_fields::quoted()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let discreet = filter_fn(|metadata| is_discreet(metadata.target(), *metadata.level()));
    let started = registry().with(filter(&log.level)?).with(discreet).with(lines).try_init();
    started.map_err(|error| Failure::new(Exit::Failed, error))?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let said = panic.payload_as_str().unwrap_or_default().replace(char::is_control, " ");
        tracing::error!(at, said, "a task has panicked");
    }));
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    let invalid = |error: &dyn std::fmt::Display| Failure::usage(format!("log.level: {level:?}: {error}"));
    match level.parse::<LevelFilter>() {
        Ok(own) => format!("warn,portico={own}").parse().map_err(|error| invalid(&error)),
        // A single word that is no level would be the name of a library, and silence everything else.
        Err(error) if !level.contains(['=', ',']) => Err(invalid(&error)),
        Err(_) => level.parse().map_err(|error| invalid(&error)),
    }
}

/// Whether a library may speak. Below `info` they log what passes through them, secrets included; one logs
/// whatever a relay sends, whole, as an error. So whatever the operator's filter says, that is not heard.
fn is_discreet(target: &str, level: tracing::Level) -> bool {
    match target.split("::").next() {
        Some("portico") => true,
        Some("nostr_relay_pool") => false,
        _ => level <= tracing::Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_level_or_a_filter_is_understood_and_nonsense_is_named() {
        for level in ["info", "debug", "off", "portico::relay=trace,warn"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for nonsense in ["loud", "inof", "portico=loud"] {
            assert!(filter(nonsense).unwrap_err().message.contains(nonsense), "{nonsense}");
        }
    }

    #[test]
    fn a_library_never_logs_what_passes_through_it() {
        assert!(is_discreet("portico::auth::settle", Level::TRACE));
        assert!(is_discreet("hyper::proto", Level::INFO));
        assert!(!is_discreet("tungstenite::protocol", Level::DEBUG));
        assert!(!is_discreet("nostr_relay_pool::relay::inner", Level::ERROR));
    }
}
