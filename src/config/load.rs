//! From the layers (flag, environment, file, default) to a checked [`Config`].

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use secrecy::ExposeSecret;

use super::raw::{HistoryRules, Raw, RawLocal, RawService};
use super::{ApiToken, Config, ConfigError, Local, Service, relays};

/// What the command line says. It also reads the `PORTICO_…` variables of the same names.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Configuration file [default: portico.toml here, else in $XDG_CONFIG_HOME/portico]
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    pub config: Option<PathBuf>,
    /// List of relays [default: relays.toml here, else a built-in list]
    #[arg(long, value_name = "FILE", env = "PORTICO_RELAYS")]
    pub relays: Option<PathBuf>,
    /// Path of the Unix socket [default: $RUNTIME_DIRECTORY/portico.sock or the like]
    #[arg(long, value_name = "PATH", env = "PORTICO_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Also listen on TCP, for example 127.0.0.1:3000 [default: off]
    #[arg(long, value_name = "ADDR", env = "PORTICO_LISTEN")]
    pub listen: Option<String>,
    /// File with the API token for TCP [default: made at the first start, in the data folder]
    #[arg(long, value_name = "FILE", env = "PORTICO_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the service's key, nsec1… or hex [default: made at the first start, under $XDG_CONFIG_HOME]
    #[arg(long, value_name = "FILE", env = "PORTICO_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Folder of the database [default: $STATE_DIRECTORY, else $XDG_DATA_HOME/portico]
    #[arg(long, value_name = "DIR", env = "PORTICO_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Puts the layers together and checks the result.
///
/// Keys without a flag are read from the environment as `PORTICO_SECTION__KEY`,
/// for example `PORTICO_AUTH__CHALLENGE_TTL=2m`.
pub fn load(overrides: &Overrides) -> Result<Config, ConfigError> {
    let file = config_file(overrides.config.as_deref())?;
    let mut layers = Figment::new();
    if let Some(path) = &file {
        layers = layers.merge(Toml::file_exact(path));
    }
    let with_section = Env::prefixed("PORTICO_").filter(|key| key.as_str().contains("__")).split("__");
    let raw: Raw =
        layers.merge(with_section).extract().map_err(|error| ConfigError::Malformed(Box::new(error)))?;
    check(raw, file, overrides)
}

fn config_file(named: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(path) = named {
        std::fs::File::open(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        return Ok(Some(path.to_owned()));
    }
    let here = PathBuf::from("portico.toml");
    let home = xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/portico.toml"));
    Ok([Some(here), home].into_iter().flatten().find(|path| path.exists()))
}

fn check(raw: Raw, file: Option<PathBuf>, overrides: &Overrides) -> Result<Config, ConfigError> {
    let data_dir = overrides
        .data_dir
        .clone()
        .or(raw.data_dir.map(|path| path.relative()))
        .or_else(|| env::var_os("STATE_DIRECTORY").map(PathBuf::from))
        .or_else(|| xdg("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("portico")))
        .ok_or_else(|| homeless("data_dir", "--data-dir"))?;
    let relays_file = overrides.relays.clone().or(raw.relays_file.map(|path| path.relative()));
    let (entries, relay_source) = relays::load(relays_file.as_deref())?;
    at_least("auth.max_open", raw.auth.max_open, 1)?;
    at_least("auth.max_open_per_user", raw.auth.max_open_per_user, 1)?;
    at_least("auth.max_prompts_per_user", raw.auth.max_prompts_per_user, 1)?;
    at_least("tokens.signature_cache", raw.tokens.signature_cache, 1)?;
    at_least("relays.inbox", raw.relays.inbox, 1)?;
    at_least("relays.queue_per_relay", raw.relays.queue_per_relay, 1)?;
    at_least("local.max_connections", raw.local.max_connections, 1)?;
    at_least("local.max_connections_per_peer", raw.local.max_connections_per_peer, 1)?;
    at_least("local.max_followers", raw.local.max_followers, 1)?;
    at_least("local.max_followed_per_connection", raw.local.max_followed_per_connection, 1)?;
    at_least("local.websocket_queue", raw.local.websocket_queue, 1)?;
    at_least("auth.max_scans_per_url", raw.auth.max_scans_per_url, 1)?;
    at_least("auth.max_streams_per_token", raw.auth.max_streams_per_token, 1)?;
    Ok(Config {
        service: check_service(raw.service, overrides)?,
        local: check_local(raw.local, overrides, &data_dir)?,
        file,
        data_dir,
        auth: raw.auth,
        tokens: raw.tokens,
        relays: entries,
        relay_source,
        relay_rules: raw.relays,
        lookup: raw.lookup,
        history: check_history(raw.history)?,
        webhook: raw.webhook.check().map_err(|(key, reason)| invalid(key, reason))?,
        log: raw.log,
    })
}

fn check_history(raw: HistoryRules) -> Result<HistoryRules, ConfigError> {
    /// Callers who poll, and those who come back after a restart, must still find how a request ended.
    const SHORTEST: Duration = Duration::from_secs(3600);

    if raw.keep.is_zero() || raw.keep >= SHORTEST {
        return Ok(raw);
    }
    Err(invalid("history.keep", "must be at least 1h, or 0s to keep everything"))
}

fn check_service(raw: RawService, overrides: &Overrides) -> Result<Service, ConfigError> {
    let key_file = overrides
        .key_file
        .clone()
        .or(raw.key_file.map(|path| path.relative()))
        .or_else(|| xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/service.key")))
        .ok_or_else(|| homeless("service.key_file", "--key-file"))?;
    Ok(Service {
        key_file,
        subkey_proof_file: raw.subkey_proof_file.map(|path| path.relative()),
        nip05_names: raw.nip05_names.unwrap_or_else(|| vec!["_".into()]),
    })
}

fn check_local(raw: RawLocal, overrides: &Overrides, data_dir: &Path) -> Result<Local, ConfigError> {
    let listen = overrides.listen.clone().or(raw.listen);
    let listen = listen.map(|text| check_listen(&text, raw.allow_remote)).transpose()?;
    let socket_mode = u32::from_str_radix(&raw.socket_mode, 8)
        .ok()
        .filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600)
        .ok_or_else(|| invalid("local.socket_mode", "must be octal like \"0660\" and let the owner in"))?;
    let token = match (overrides.token_file.clone(), raw.token, raw.token_file) {
        (Some(path), _, _) => ApiToken::File(path),
        (None, Some(_), Some(_)) => return Err(invalid("local.token", "give token or token_file, not both")),
        (None, Some(token), None) if token.expose_secret().trim().is_empty() => {
            return Err(invalid("local.token", "is empty, which would let anybody in"));
        }
        (None, Some(token), None) => ApiToken::Given(token),
        (None, None, Some(path)) => ApiToken::File(path.relative()),
        (None, None, None) => ApiToken::Generated(data_dir.join("api-token")),
    };
    let socket = overrides.socket.clone().or(raw.socket.map(|path| path.relative()));
    Ok(Local {
        socket: socket.unwrap_or_else(default_socket),
        socket_mode,
        socket_gid: raw.socket_group.map(|group| gid_of(&group)).transpose()?,
        allow_uids: raw.allow_uids,
        allow_gids: raw.allow_gids,
        listen,
        allow_remote: raw.allow_remote,
        token,
        allowed_hosts: raw.allowed_hosts,
        allowed_origins: raw.allowed_origins,
        max_connections: raw.max_connections,
        max_connections_per_peer: raw.max_connections_per_peer,
        max_followers: raw.max_followers,
        max_followed_per_connection: raw.max_followed_per_connection,
        websocket_queue: raw.websocket_queue,
        request_timeout: raw.request_timeout,
    })
}

fn check_listen(text: &str, allow_remote: bool) -> Result<SocketAddr, ConfigError> {
    let address: SocketAddr = text.parse().map_err(|_| {
        let reason =
            format!("{text:?} is not IP-ADDRESS:PORT, like 127.0.0.1:3000 (names are not looked up)");
        invalid("local.listen", reason)
    })?;

    if address.ip().is_loopback() || allow_remote {
        return Ok(address);
    }
    let reason =
        format!("{address} can be reached from other machines; that needs local.allow_remote = true");
    Err(invalid("local.listen", reason))
}

fn gid_of(group: &str) -> Result<u32, ConfigError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match nix::unistd::Group::from_name(group) {
        Ok(Some(found)) => Ok(found.gid.as_raw()),
        _ => Err(invalid("local.socket_group", format!("there is no group {group:?}"))),
    }
}

/// Where the Unix socket lies when nobody says: the same for the daemon and its command-line clients.
fn default_socket() -> PathBuf {
    let in_dir = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    if let Some(dir) = in_dir("RUNTIME_DIRECTORY") {
        return dir.join("portico.sock");
    }
    if let Some(dir) = in_dir("XDG_RUNTIME_DIR") {
        return dir.join("portico/portico.sock");
    }
    PathBuf::from(format!("/tmp/portico-{}/portico.sock", nix::unistd::geteuid()))
}

fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)))
}

fn at_least(key: &'static str, value: usize, least: usize) -> Result<(), ConfigError> {
    if value >= least { Ok(()) } else { Err(invalid(key, format!("must be at least {least}"))) }
}

fn homeless(key: &'static str, flag: &str) -> ConfigError {
    invalid(key, format!("there is no HOME to put it under: set it, or give {flag}"))
}

fn invalid(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { key, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(toml: &str, overrides: Overrides) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        std::fs::write(&file, toml).unwrap();
        let data_dir = overrides.data_dir.clone().or_else(|| Some(folder.path().to_owned()));
        let key_file = overrides.key_file.clone().or_else(|| Some(folder.path().join("key")));
        load(&Overrides { config: Some(file), data_dir, key_file, ..overrides })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_gives_the_documented_defaults() {
        let config = loaded("", Overrides::default()).unwrap();
        assert_eq!(config.auth.challenge_ttl.as_secs(), 300);
        assert_eq!(config.local.socket_mode, 0o600);
        assert!(config.local.listen.is_none());
        assert!(matches!(config.local.token, ApiToken::Generated(_)));
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let flags = Overrides { listen: Some("127.0.0.1:1".into()), ..Overrides::default() };
        let config = loaded("[local]\nlisten = \"127.0.0.1:2\"\n", flags).unwrap();
        assert_eq!(config.local.listen.unwrap().port(), 1);
    }

    #[test]
    fn a_relative_path_starts_from_the_folder_of_the_file_that_names_it() {
        let toml = "relays_file = \"my-relays.toml\"\n[service]\nsubkey_proof_file = \"../proof.json\"\n\
                    [local]\nsocket = \"run/socket\"\ntoken_file = \"/etc/token\"\n\
                    [webhook]\nurl = \"https://a.example\"\nsecret_file = \"hook\"\n";
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("portico.toml"), toml).unwrap();
        std::fs::write(at("my-relays.toml"), "").unwrap();
        let overrides = Overrides {
            config: Some(at("portico.toml")),
            data_dir: Some("data".into()),
            key_file: Some("key".into()),
            ..Overrides::default()
        };
        let config = load(&overrides).unwrap();
        assert_eq!(config.relay_source, relays::RelaySource::File(at("my-relays.toml")));
        assert_eq!(config.service.subkey_proof_file, Some(at("../proof.json")));
        assert_eq!(config.local.socket, at("run/socket"));
        assert_eq!(config.local.token.to_string(), "/etc/token");
        assert_eq!(config.webhook.unwrap().secret.to_string(), at("hook").display().to_string());
        // A flag is typed where one stands.
        assert_eq!((config.data_dir, config.service.key_file), ("data".into(), "key".into()));
    }

    #[test]
    fn every_bad_value_is_named_in_the_error() {
        for (toml, word) in [
            ("[local]\nlisten = \"0.0.0.0:3000\"", "allow_remote"),
            ("[local]\nlisten = \"localhost\"", "local.listen"),
            ("[local]\nsocket_mode = \"0066\"", "local.socket_mode"),
            ("[local]\nsocket_group = \"no-such-group\"", "no-such-group"),
            ("[local]\ntoken = \"a\"\ntoken_file = \"b\"", "local.token"),
            ("[local]\ntoken = \" \"", "local.token"),
            ("[webhook]\nurl = \"https://a.example\"\nsecret = \"short\"", "webhook.secret"),
            ("[history]\nkeep = \"59m\"", "history.keep"),
            ("[auth]\nmax_open = 0", "auth.max_open"),
            ("[auth]\nchalenge_ttl = \"1m\"", "chalenge_ttl"),
            ("[auth]\nchallenge_ttl = \"soon\"", "challenge_ttl"),
        ] {
            let error = loaded(toml, Overrides::default()).unwrap_err();
            assert!(error.contains(word), "{toml:?}: {error}");
        }
    }

    #[test]
    fn another_machine_is_let_in_only_when_the_operator_says_so() {
        let toml = "[local]\nlisten = \"0.0.0.0:3000\"\nallow_remote = true\n";
        assert!(loaded(toml, Overrides::default()).is_ok());
    }

    #[test]
    fn debug_output_never_shows_the_api_token() {
        let config = loaded("[local]\ntoken = \"hunter2hunter2\"\n", Overrides::default()).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
