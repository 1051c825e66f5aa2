//! Reports on the variables of Portal's daemon: their names, never their values.

use crate::config::{Config, Fate, PortalVariable};

/// Logs which of Portal's variables are in force, and which are not.
pub(super) fn tell(config: &Config) {
    for PortalVariable { name, fate } in &config.portal_variables {
        match fate {
            Fate::Used(key) => tracing::info!(variable = name, key, "{USED}"),
            Fate::Overruled(key) => tracing::info!(variable = name, key, "{OVERRULED}"),
            Fate::LeftOut(key, reason) => tracing::warn!(variable = name, key, reason, "{LEFT_OUT}"),
            Fate::Unknown => tracing::warn!(variable = name, "{UNKNOWN}"),
        }
    }
}

/// The same, as lines for people.
pub(super) fn lines(config: &Config) -> Vec<String> {
    let line = |PortalVariable { name, fate }: &PortalVariable| match fate {
        Fate::Used(key) => format!("{name} ({key}): {USED}"),
        Fate::Overruled(key) => format!("{name} ({key}): {OVERRULED}"),
        Fate::LeftOut(key, reason) => format!("{name} ({key}): {LEFT_OUT}: {reason}"),
        Fate::Unknown => format!("{name}: {UNKNOWN}"),
    };
    config.portal_variables.iter().map(line).collect()
}

const USED: &str = "taken from the variables of Portal's daemon";
const OVERRULED: &str =
    "this variable of Portal's daemon is not used: the key is set in Portico's own configuration";
const LEFT_OUT: &str = "this variable of Portal's daemon is ignored: Portico cannot use its value";
const UNKNOWN: &str =
    "this variable of Portal's daemon has no counterpart in Portico (docs/moving-from-portal.md)";
