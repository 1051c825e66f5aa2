//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::{Exit, Failure, log_fields};
use crate::config::{Log, LogFormat};

/// Starts the log.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let filter = log.filter().map_err(Failure::usage)?;
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        // The library would report a failed write on standard error, which is what failed, and panic.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let lines = match log.format {
        LogFormat::Text => lines.fmt_fields(log_fields::quoted()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let discreet = filter_fn(|metadata| is_discreet(metadata.target(), *metadata.level()));
    let started = registry().with(filter).with(discreet).with(lines).try_init();
    started.map_err(|error| Failure::new(Exit::Failed, error))?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let said = panic.payload_as_str().unwrap_or_default().replace(char::is_control, " ");
        tracing::error!(at, said, "a task has panicked");
    }));
    Ok(())
}

/// Whether the log includes messages of this library. Below `info`, libraries log the data they handle, including
/// secrets, and one logs each relay message in full as an error. The operator's filter cannot enable those.
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
    fn a_library_never_logs_what_passes_through_it() {
        assert!(is_discreet("portico::portal::settle", Level::TRACE));
        assert!(is_discreet("hyper::proto", Level::INFO));
        assert!(!is_discreet("tungstenite::protocol", Level::DEBUG));
        assert!(!is_discreet("nostr_relay_pool::relay::inner", Level::ERROR));
    }
}
