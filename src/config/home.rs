//! Paths that begin with `~`: a shell replaces it by the home of its user, Portico does not.

use std::path::Path;

use figment::Figment;
use figment::value::{Dict, Value};

use super::{ConfigError, Overrides};

const REASON: &str = "begins with ~, which only a shell replaces: write the whole path";

/// Refuses a flag that would lead to a folder named `~`.
pub(super) fn refuse_flags(overrides: &Overrides) -> Result<(), ConfigError> {
    for (flag, path) in [
        ("--config or PORTICO_CONFIG", &overrides.config),
        ("--relays or PORTICO_RELAYS", &overrides.relays),
        ("--socket or PORTICO_SOCKET", &overrides.socket),
        ("--token-file or PORTICO_TOKEN_FILE", &overrides.token_file),
        ("--key-file or PORTICO_KEY_FILE", &overrides.key_file),
        ("--data-dir or PORTICO_DATA_DIR", &overrides.data_dir),
    ] {
        if path.as_deref().is_some_and(is_below_home) {
            return Err(ConfigError::Variable { variable: flag.into(), reason: REASON.into() });
        }
    }
    Ok(())
}

/// The same for the keys of the file and of the environment.
pub(super) fn refuse_keys(layers: &Figment) -> Result<(), ConfigError> {
    let written: Dict = layers.extract().map_err(|error| ConfigError::Malformed(Box::new(error)))?;
    let Some(key) = first_in(&written, "") else { return Ok(()) };
    let mut error = figment::Error::from(REASON.to_owned()).with_path(&key);
    error.metadata = layers.find_metadata(&key).cloned();
    Err(ConfigError::Malformed(Box::new(error)))
}

/// The first key of a path that is below a home, as `section.key`.
fn first_in(section: &Dict, name: &str) -> Option<String> {
    section.iter().find_map(|(key, value)| {
        let whole = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        match value {
            Value::Dict(_, inner) => first_in(inner, &whole),
            Value::String(_, path) => (is_of_path(key) && is_below_home(Path::new(path))).then_some(whole),
            _ => None,
        }
    })
}

fn is_of_path(key: &str) -> bool {
    key == "socket" || key == "data_dir" || key.ends_with("_file")
}

fn is_below_home(path: &Path) -> bool {
    path.starts_with("~")
}
