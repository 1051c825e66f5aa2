//! Rejects paths that are empty, or begin with `~`: a shell replaces it with the user's home folder, Portico does not.

use std::path::Path;

use figment::Figment;
use figment::value::{Dict, Value};

use super::{ConfigError, Overrides};

/// Rejects a path that was given for a flag, named with its variable, if it would mean another place than it seems.
///
/// # Errors
/// [`ConfigError::Variable`].
pub fn check_path(flag: &str, path: &Path) -> Result<(), ConfigError> {
    match fault(path) {
        Some(reason) => Err(ConfigError::Variable { variable: flag.into(), reason: reason.into() }),
        None => Ok(()),
    }
}

/// The same for all flags that are paths.
pub(super) fn refuse_flags(overrides: &Overrides) -> Result<(), ConfigError> {
    for (flag, path) in [
        ("--config or PORTICO_CONFIG", &overrides.config),
        ("--relays or PORTICO_RELAYS", &overrides.relays),
        ("--socket or PORTICO_SOCKET", &overrides.socket),
        ("--token-file or PORTICO_TOKEN_FILE", &overrides.token_file),
        ("--key-file or PORTICO_KEY_FILE", &overrides.key_file),
        ("--data-dir or PORTICO_DATA_DIR", &overrides.data_dir),
    ] {
        path.as_deref().map_or(Ok(()), |path| check_path(flag, path))?;
    }
    Ok(())
}

/// The same for the keys of the file and of the environment.
pub(super) fn refuse_keys(layers: &Figment) -> Result<(), ConfigError> {
    let written: Dict = layers.extract().map_err(|error| ConfigError::Malformed(Box::new(error)))?;
    let Some((key, reason)) = first_in(&written, "") else { return Ok(()) };
    let mut error = figment::Error::from(reason.to_owned()).with_path(&key);
    error.metadata = layers.find_metadata(&key).cloned();
    Err(ConfigError::Malformed(Box::new(error)))
}

/// The first key with a bad path, as `section.key`, and the reason.
fn first_in(section: &Dict, name: &str) -> Option<(String, &'static str)> {
    section.iter().find_map(|(key, value)| {
        let whole = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        match value {
            Value::Dict(_, inner) => first_in(inner, &whole),
            Value::String(_, path) if is_of_path(key) => fault(Path::new(path)).map(|reason| (whole, reason)),
            _ => None,
        }
    })
}

fn is_of_path(key: &str) -> bool {
    key == "socket" || key == "data_dir" || key.ends_with("_file")
}

fn fault(path: &Path) -> Option<&'static str> {
    if path.as_os_str().is_empty() {
        Some("is empty: write a path, or remove it to use the default")
    } else if path.starts_with("~") {
        Some("begins with ~, which only a shell expands: write the whole path")
    } else {
        None
    }
}
