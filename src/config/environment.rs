//! Portico's environment variables: `PORTICO_SECTION__KEY`, and those of flags.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use figment::providers::Env;

use super::{ConfigError, Overrides};

const PREFIX: &str = "PORTICO_";

/// Separates a section from its key, because the names of both may contain `_`.
const WITHIN: &str = "__";

/// All keys that the environment sets.
pub(super) fn layer() -> Env {
    Env::prefixed(PREFIX).filter(|key| key.as_str().contains(WITHIN)).split(WITHIN)
}

/// The variable of this key, which is written as `section.key`. It sets a list as a whole.
pub(super) fn variable(key: &str) -> String {
    let names: Vec<_> = key.split('.').take_while(|part| part.parse::<usize>().is_err()).collect();
    format!("{PREFIX}{}", names.join(WITHIN)).to_uppercase()
}

/// The value of the variable of this key, as it is written. An entry of a list has none.
pub(super) fn text_of(key: &str) -> Option<String> {
    let wanted = variable(key);
    let is_entry = key.split('.').any(|part| part.parse::<usize>().is_ok());
    let mut named = env::vars_os().filter(|_| !is_entry);
    let found = named.find(|(name, _)| name.to_str().is_some_and(|name| name.to_uppercase() == wanted));
    found?.1.into_string().ok()
}

/// Whether `PORTICO_SOCKET` names this socket.
pub fn names_socket(socket: &Path) -> bool {
    env::var_os("PORTICO_SOCKET").is_some_and(|named| Path::new(&named) == socket)
}

/// Variables that only commands read; `PORTICO_LOG` is for the demo.
const OF_COMMANDS: [&str; 2] = ["PORTICO_SOCKET_OWNER", "PORTICO_LOG"];

/// Variables that contain a path, which need not be UTF-8.
const PATHS: [&str; 6] = [
    "PORTICO_CONFIG",
    "PORTICO_RELAYS",
    "PORTICO_SOCKET",
    "PORTICO_TOKEN_FILE",
    "PORTICO_KEY_FILE",
    "PORTICO_DATA_DIR",
];

/// Rejects a variable of Portico's or Portal's that cannot be read as it is written.
pub(super) fn check() -> Result<(), ConfigError> {
    match not_utf8() {
        Some(variable) => Err(ConfigError::Variable { variable, reason: NOT_UTF8.into() }),
        None => Ok(()),
    }
}

/// The reason.
const NOT_UTF8: &str = "the value must be UTF-8";

/// A variable of Portico's or Portal's that is not UTF-8 and is not a path of a flag.
pub fn not_utf8() -> Option<String> {
    not_utf8_among(env::vars_os())
}

fn not_utf8_among(variables: impl Iterator<Item = (OsString, OsString)>) -> Option<String> {
    let is_ours = |name: &str| {
        let name = name.to_uppercase();
        name.starts_with("PORTAL__") || name.starts_with(PREFIX) && !PATHS.contains(&name.as_str())
    };
    let wrong = variables.filter(|(_, value)| value.to_str().is_none());
    wrong.filter_map(|(name, _)| name.into_string().ok()).filter(|name| is_ours(name)).min()
}

/// The warning for [`unused`] variables.
pub const UNUSED: &str =
    "nothing reads this variable; write keys as PORTICO_SECTION__KEY, with two underscores";

/// The variables that begin with `PORTICO_` and that nothing reads: probably misspelt.
pub fn unused() -> Vec<String> {
    let named = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    unused_among(named)
}

fn unused_among(variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let command = <Overrides as clap::Args>::augment_args(clap::Command::new("portico"));
    let stands_for_flag =
        |name: &str| command.get_arguments().any(|flag| flag.get_env().is_some_and(|env| env == name));
    let mut unused: Vec<String> = variables
        .filter(|(name, value)| {
            name.starts_with(PREFIX)
                && !name.contains(WITHIN)
                && !stands_for_flag(name)
                && !OF_COMMANDS.contains(&name.as_str())
                && !is_of_kubernetes(name, value)
        })
        .map(|(name, _)| name)
        .collect();
    unused.sort();
    unused
}

/// Kubernetes sets variables for every service in every pod, and a service may be called `portico` or `portico-…`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let of_a_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| of_a_port(rest))
        || name.ends_with("_PORT") && value.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused_of(variables: &[(&str, &str)]) -> Vec<String> {
        unused_among(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn a_misspelt_variable_is_found_and_one_that_is_read_is_not() {
        let read = [
            ("PORTICO_LISTEN", ""),
            ("PORTICO_LOG", ""),
            ("PORTICO_KEY_FILE", ""),
            ("PORTICO_AUTH__MAX_OPEN", "1"),
            ("PATH", ""),
        ];
        assert!(unused_of(&read).is_empty());
        let misspelt = ["PORTICO_AUTH_CHALLENGE_TTL", "PORTICO_LISEN", "PORTICO_LOGS", "PORTICO_PORT"];
        assert_eq!(unused_of(&misspelt.map(|name| (name, "3000"))), misspelt);
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_found_unless_it_is_a_path() {
        use std::os::unix::ffi::OsStringExt;

        let found = |name: &str| {
            let variable = (OsString::from(name), OsString::from_vec(b"x\xff".into()));
            not_utf8_among([variable].into_iter())
        };
        for name in [
            "PORTICO_SERVICE__KEY_FILE",
            "PORTICO_PROFILE__NAME",
            "PORTICO_LISTEN",
            "portico_auth__max_open",
            "PORTAL__AUTH__AUTH_TOKEN",
            "portal__nostr__relays",
        ] {
            assert_eq!(found(name).as_deref(), Some(name));
        }
        for name in PATHS.into_iter().chain(["PATH", "PORTAL"]) {
            assert_eq!(found(name), None);
        }
    }

    #[test]
    fn what_kubernetes_says_of_services_called_portico_is_no_mistake() {
        let told = [
            ("PORTICO_SERVICE_HOST", "10.0.0.1"),
            ("PORTICO_SERVICE_PORT", "80"),
            ("PORTICO_SERVICE_PORT_HTTP", "80"),
            ("PORTICO_PORT", "tcp://10.0.0.1:80"),
            ("PORTICO_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("PORTICO_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("PORTICO_WEB_PORT_53_UDP_PROTO", "udp"),
            ("PORTICO_WEB_SERVICE_HOST", "10.0.0.2"),
        ];
        assert!(unused_of(&told).is_empty());
    }
}
