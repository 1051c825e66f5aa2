//! `[log]`: the level and format of the log.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use crate::config::mistakes::InSection;

/// `[log]`: the log on standard error.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a tracing filter. Default `info`.
    pub level: String,
    /// Lines for people or JSON for programs. Default `text`.
    pub format: LogFormat,
}

/// `log.level` is invalid.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither a log level (off, error, warn, info, debug, trace) nor a filter \
     like \"portico::relay=debug,warn\""
)]
pub struct NoSuchFilter(String);

impl Log {
    /// The filter of the log. Libraries log from `warn` on, unless the filter names them.
    ///
    /// # Errors
    /// [`NoSuchFilter`]: `level` is neither a level nor a filter.
    pub fn filter(&self) -> Result<EnvFilter, NoSuchFilter> {
        let filter = match self.level.parse::<LevelFilter>() {
            Ok(own) => Some(format!("warn,portico={own}")),
            // A single word that is not a level would count as the name of a library, and silence everything else.
            Err(_) => Some(self.level.clone()).filter(|level| level.contains(['=', ','])),
        };
        filter.and_then(|filter| filter.parse().ok()).ok_or_else(|| NoSuchFilter(self.level.clone()))
    }
}

impl Log {
    /// Checks the values.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        wrong.keep("level", self.filter().map_err(|error| error.to_string()));
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

words! {
    /// The format of a log line.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LogFormat: as_str, serde {
        /// For people.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_understood_and_nonsense_is_named() {
        let filter = |level: &str| Log { level: level.into(), ..Log::default() }.filter();
        for level in ["info", "debug", "off", "portico::relay=trace,warn"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for nonsense in ["loud", "inof", "portico=loud"] {
            assert!(filter(nonsense).unwrap_err().to_string().contains(nonsense), "{nonsense}");
        }
    }
}
