//! Rejects paths that are empty, or begin with `~`: a shell replaces it with the user's home folder, Portico does not.

use std::path::Path;

use figment::Figment;
use figment::value::{Dict, Value};

use super::mistakes::Mistakes;
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
pub(super) fn check_flags(overrides: &Overrides) -> Vec<ConfigError> {
    let flags = [
        ("--config or PORTICO_CONFIG", &overrides.config),
        ("--relays or PORTICO_RELAYS", &overrides.relays),
        ("--socket or PORTICO_SOCKET", &overrides.socket),
        ("--token-file or PORTICO_TOKEN_FILE", &overrides.token_file),
        ("--key-file or PORTICO_KEY_FILE", &overrides.key_file),
        ("--data-dir or PORTICO_DATA_DIR", &overrides.data_dir),
    ];
    let checked = flags.into_iter().filter_map(|(flag, path)| check_path(flag, path.as_deref()?).err());
    checked.collect()
}

/// The same for the keys of the file and of the environment.
pub(super) fn check_keys(layers: &Figment, wrong: &mut Mistakes) {
    if let Ok(written) = layers.extract::<Dict>() {
        check_section(&written, "", wrong);
    }
}

fn check_section(section: &Dict, name: &str, wrong: &mut Mistakes) {
    for (key, value) in section {
        let whole = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        match value {
            Value::Dict(_, inner) => check_section(inner, &whole, wrong),
            Value::String(_, path) if is_of_path(key) => {
                if let Some(reason) = fault(Path::new(path)) {
                    wrong.add(whole, reason);
                }
            }
            _ => {}
        }
    }
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
