//! A header value that no list of the configuration allows. The refusal names the header and the key that allows it,
//! in the answer and in the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::envelope::ApiError;
use crate::quoted::one_line;

/// The log reports one such refusal in this time, because anybody who reaches the socket can cause them.
const EVERY: Duration = Duration::from_secs(10);

/// The longest part of a header that Portico repeats, in characters.
const SHOWN: usize = 80;

/// When the log reported the last one.
#[derive(Debug, Default)]
pub(crate) struct Unlisted {
    logged: Mutex<Option<Instant>>,
}

impl Unlisted {
    /// Refuses a header value that the list `key` does not contain.
    pub(crate) fn refuse(&self, header: &'static str, value: &[u8], key: &'static str) -> ApiError {
        let value = shown(value);
        if self.is_log_due(Instant::now()) {
            tracing::warn!(header, value, key, "refused a request on TCP: {key} does not list this {header}");
        }
        let variable = key.replace('.', "__").to_uppercase();
        ApiError::forbidden(format!(
            "{header} {value:?} is not allowed: list it in {key} (or PORTICO_{variable})"
        ))
    }

    fn is_log_due(&self, now: Instant) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = logged.is_none_or(|last| now.duration_since(last) >= EVERY);
        if is_due {
            *logged = Some(now);
        }
        is_due
    }
}

/// What a stranger sent, safe for the log.
fn shown(value: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(value), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_header_and_the_key_that_lets_it_in() {
        let refusal = Unlisted::default().refuse("Host", b"sdk-daemon:3000", "local.allowed_hosts");
        assert_eq!(
            refusal.message,
            "Host \"sdk-daemon:3000\" is not allowed: list it in local.allowed_hosts (or PORTICO_LOCAL__ALLOWED_HOSTS)"
        );
    }

    #[test]
    fn whoever_reaches_the_socket_can_neither_flood_the_log_nor_write_long_lines() {
        let (unlisted, now) = (Unlisted::default(), Instant::now());
        assert!(unlisted.is_log_due(now));
        assert!(!unlisted.is_log_due(now + EVERY / 2));
        assert!(unlisted.is_log_due(now + EVERY));
        assert_eq!(shown("x".repeat(5000).as_bytes()).len(), SHOWN);
    }
}
