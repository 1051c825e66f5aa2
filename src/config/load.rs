//! From the layers (flag, environment, file, default) to a checked [`Config`].

use std::path::{Path, PathBuf};

use figment::providers::Format as _;
use figment::value::magic::RelativePathBuf;
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};

use super::check::{Given, check};
use super::error::place;
use super::format::Toml;
use super::mistakes::{Mistake, Mistakes};
use super::moved::Moved;
use super::places::xdg;
use super::portal::PortalSettings;
use super::raw::Raw;
use super::syntax::in_toml;
use super::{Config, ConfigError, RelaySource, environment, files, paths, relays};
use crate::tls::Tls;

/// The flags of the command line, and the `PORTICO_…` variables of the same names.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Configuration file [default: portico.toml here, else in $XDG_CONFIG_HOME/portico]
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    pub config: Option<PathBuf>,
    /// List of relays [default: relays.toml here, else a built-in list]
    #[arg(long, value_name = "FILE", env = "PORTICO_RELAYS")]
    pub relays: Option<PathBuf>,
    /// Path of the Unix socket [default: $RUNTIME_DIRECTORY/portico.sock, else as in docs/configuration.md]
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

/// Secrets that the file may contain.
const SECRETS: [&str; 2] = ["local.token", "webhook.secret"];

/// Merges the layers and checks the result.
///
/// Keys without a flag are read from the environment as `PORTICO_SECTION__KEY`,
/// for example `PORTICO_AUTH__CHALLENGE_TTL=2m`.
///
/// # Errors
/// [`ConfigError`]: names the key, and its file or variable.
pub fn load(overrides: &Overrides) -> Result<Config, ConfigError> {
    let Read { file, layers, raw, portal, mut moved } = Read::of(overrides)?;
    let relays_file = overrides.relays.clone().or(raw.relays_file.as_ref().map(RelativePathBuf::relative));
    let relays = relays::load(relays_file.as_deref(), &portal)?;
    moved.note_relays(&portal, matches!(relays.1, RelaySource::Environment(_)));
    // The loader looks for files that nobody named in the working folder first; all other places are absolute paths.
    let is_here = |path: &&PathBuf| overrides.config.is_none() && path.is_relative();
    let mut found_here: Vec<PathBuf> = file.iter().filter(is_here).cloned().collect();
    if let (None, RelaySource::File(path)) = (relays_file, &relays.1) {
        found_here.push(path.clone());
    }
    let mut wrong = Mistakes::default();
    let given = Given { overrides, portal: &portal, moved: &moved, file, found_here, relays };
    let config = check(raw, given, &mut wrong);
    placed(wrong, config, |key| origin(key, &layers, &moved, overrides))
}

/// Loads only `[tls]`, for commands that need nothing else of the configuration.
///
/// # Errors
/// [`ConfigError`], as of [`load`].
pub fn load_tls(overrides: &Overrides) -> Result<Tls, ConfigError> {
    let Read { layers, raw, moved, .. } = Read::of(overrides)?;
    let mut wrong = Mistakes::default();
    let tls = raw.tls.check(&mut wrong.section("tls"));
    placed(wrong, tls, |key| origin(key, &layers, &moved, overrides))
}

/// The value, or all mistakes, each with its place.
fn placed<T>(wrong: Mistakes, value: Option<T>, place_of: impl Fn(&str) -> String) -> Result<T, ConfigError> {
    let wrong = wrong.into_vec().into_iter().map(|Mistake { key, reason }| {
        let place = place_of(&key);
        ConfigError::Invalid { key, reason, place }
    });
    let mut wrong: Vec<_> = wrong.collect();
    match (value, wrong.len()) {
        (Some(value), 0) => Ok(value),
        (_, 1) => Err(wrong.remove(0)),
        _ => Err(ConfigError::Several(wrong)),
    }
}

/// All layers, merged but not yet checked.
struct Read {
    file: Option<PathBuf>,
    layers: Figment,
    raw: Raw,
    portal: PortalSettings,
    moved: Moved,
}

impl Read {
    fn of(overrides: &Overrides) -> Result<Self, ConfigError> {
        environment::check()?;
        paths::refuse_flags(overrides)?;
        let file = config_file(overrides.config.as_deref());
        let written = file.as_deref().map_or_else(|| Ok(Figment::new()), written)?;
        let layers = written.merge(environment::layer());
        paths::refuse_keys(&layers)?;
        let mut raw: Raw = layers.extract().map_err(|error| ConfigError::Malformed(Box::new(error)))?;
        if let Some(file) = &file {
            restore_paths(&mut raw, file);
        }
        let portal = PortalSettings::in_environment()?;
        let moved = Moved::fill(&mut raw, &portal, overrides);
        Ok(Self { file, layers, raw, portal, moved })
    }
}

/// A relative path starts at the folder of the file. The layers keep that folder as text, and replace bytes that are
/// not UTF-8: this restores them.
fn restore_paths(raw: &mut Raw, file: &Path) {
    let Some(folder) = file.parent().filter(|folder| folder.to_str().is_none()) else { return };
    let replaced = PathBuf::from(folder.to_string_lossy().into_owned());
    let restored = |path: &Path| path.strip_prefix(&replaced).ok().map(|rest| folder.join(rest));
    let (service, local, wallets) = (&mut raw.service, &mut raw.local, &mut raw.wallets);
    let paths = [
        &mut raw.data_dir,
        &mut raw.relays_file,
        &mut service.key_file,
        &mut service.subkey_proof_file,
        &mut raw.tls.ca_file,
        &mut local.socket,
        &mut local.token_file,
        &mut raw.webhook.secret_file,
    ];
    for path in paths.into_iter().flatten() {
        if let Some(restored) = restored(&path.relative()) {
            *path = restored.into();
        }
    }
    let thirdweb = wallets.thirdweb.as_mut().and_then(|rules| rules.admin_key_file.as_mut());
    let sessions = [&mut wallets.para_session, &mut wallets.capsule_session].into_iter().flatten();
    let of_sessions =
        sessions.flat_map(|rules| [Some(&mut rules.api_key_file), rules.secret_key_file.as_mut()]);
    for path in of_sessions.flatten().chain(thirdweb) {
        if let Some(restored) = restored(path) {
            *path = restored;
        }
    }
}

fn config_file(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    let here = PathBuf::from("portico.toml");
    let home = xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/portico.toml"));
    [Some(here), home].into_iter().flatten().find(|path| path.exists())
}

/// The content of the file.
fn written(path: &Path) -> Result<Figment, ConfigError> {
    let read =
        files::read_config(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let files::Text { text, as_secret } = read.ok_or_else(|| ConfigError::missing(path))?;
    // Parsed here first: the layer's error would show the line, and with it a secret.
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        return Err(ConfigError::File { path: path.to_owned(), reason: in_toml(&text, &error) });
    }
    let written = Figment::from(Written { path, text: &text });
    match (SECRETS.into_iter().find(|key| written.contains(key)), as_secret) {
        (Some(key), Err(error)) => Err(ConfigError::Exposed { key, path: path.to_owned(), error }),
        _ => Ok(written),
    }
}

/// The text of a file that was read once, so that the checked text is the one in force.
struct Written<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Provider for Written<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from("TOML file", self.path)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Toml::string(self.text).data()
    }
}

/// The source of a key's value.
fn origin(key: &str, layers: &Figment, moved: &Moved, overrides: &Overrides) -> String {
    if let Some(variable) = moved.source(key) {
        return format!(" (in the environment, as {variable})");
    }
    match key {
        "local.listen" if overrides.listen.is_some() => " (in --listen or PORTICO_LISTEN)".into(),
        "local.socket" if overrides.socket.is_some() => " (in --socket or PORTICO_SOCKET)".into(),
        key => place(layers.find_metadata(key), key),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::ApiToken;

    fn loaded(toml: &str, overrides: Overrides) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        files::create_secret(&file, toml).unwrap();
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
    fn a_relative_path_starts_from_a_folder_whose_name_is_not_utf_8() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(std::ffi::OsStr::from_bytes(b"c\xff"));
        std::fs::create_dir(&place).unwrap();
        let toml = "data_dir = \"d\"\nrelays_file = \"r\"\n[service]\nkey_file = \"k\"\n\
                    [wallets.para_session]\npartner_id = \"p\"\napi_key_file = \"../a\"\n";
        std::fs::write(place.join("portico.toml"), toml).unwrap();
        std::fs::write(place.join("r"), "").unwrap();
        let overrides = Overrides { config: Some(place.join("portico.toml")), ..Overrides::default() };
        let config = load(&overrides).unwrap();
        assert_eq!(config.relay_source, relays::RelaySource::File(place.join("r")));
        assert_eq!((config.data_dir, config.service.key_file), (place.join("d"), place.join("k")));
        assert_eq!(config.wallets.para_session.unwrap().api_key_file, place.join("../a"));
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
            ("[local]\ntoken = \"Bearer abcdefghijklmnop\"", "\"Bearer\"; give the token alone"),
            ("[local]\ntoken = \"'abcdefghijklmnop'\"", "it contains quotes; give the token alone"),
            ("[local]\ntoken = \"abcdefgh ijklmnop\"", "blanks or a line break in it; give the token alone"),
            ("[local]\ntoken = \"Nostr abcdefghijklmnop\"", "white space; write only the token"),
            ("relays = [\"wss://a.example\"]", "the list of relays has its own file, relays.toml"),
            ("relays = \"wss://a.example\"", "has its own file, relays.toml"),
            ("[[relays]]\nurl = \"wss://a.example\"", "has its own file, relays.toml"),
            ("[relays]\nurl = \"wss://a.example\"", "relays.url: the list of relays has its own file"),
            ("[[relay]]\nurl = \"wss://a.example\"", "relay: the list of relays has its own file"),
            ("[relay]\nurl = \"wss://a.example\"", "has its own file, relays.toml"),
            ("[local]\nallowed_origins = [\"https://App.example\"]", "local.allowed_origins"),
            ("[local]\nallowed_origins = [\"null\"]", "local.allowed_origins"),
            ("[service]\nnip05_names = [\"_\", \"a@b\"]", "service.nip05_names: \"a@b\""),
            ("[local]\nallowed_hosts = [\"https://app.example\"]", "local.allowed_hosts"),
            ("[webhook]\nurl = \"https://a.example\"\nsecret = \"short\"", "webhook.secret"),
            ("[history]\nkeep = \"59m\"", "history.keep"),
            ("[auth]\nmax_open = 0", "auth.max_open"),
            ("[log]\nlevel = \"loud\"", "log.level: \"loud\""),
            (
                "[auth]\nmax_open = -1",
                "auth.max_open: must be a whole number of at least 0, without quotes, but is -1",
            ),
            ("[local]\nsocket_mode = true", "octal digits"),
            ("[local]\nsocket = 3", "local.socket: must be text in quotes, but is a number"),
            ("[local]\nallow_gids = \"x\"", "a list in square brackets"),
            ("[auth]\nchalenge_ttl = \"1m\"", "chalenge_ttl"),
            ("[auth]\nchallenge_ttl = \"soon\"", "challenge_ttl"),
        ] {
            let error = loaded(toml, Overrides::default()).unwrap_err();
            assert!(error.contains(word), "{toml:?}: {error}");
            assert!(error.contains("portico.toml"), "{toml:?}: {error}");
        }
    }

    /// The same with an empty path in the place of the one below `~`.
    fn without_path(toml: &str) -> String {
        let (front, rest) = toml.split_once("\"~").unwrap();
        let (_, back) = rest.split_once('"').unwrap();
        format!("{front}\"\"{back}")
    }

    #[test]
    fn a_path_that_is_empty_or_only_a_shell_understands_is_refused_wherever_it_stands() {
        let told = "begins with ~, which only a shell expands";
        for (toml, key) in [
            ("data_dir = \"~/portico\"", "data_dir"),
            ("relays_file = \"~/relays.toml\"", "relays_file"),
            ("[service]\nkey_file = \"~/service.key\"", "service.key_file"),
            ("[local]\nsocket = \"~/portico.sock\"", "local.socket"),
            ("[local]\ntoken_file = \"~\"", "local.token_file"),
            ("[tls]\nca_file = \"~/ca.pem\"", "tls.ca_file"),
            ("[webhook]\nurl = \"https://a.example\"\nsecret_file = \"~/secret\"", "webhook.secret_file"),
            ("[wallets.thirdweb]\nadmin_key_file = \"~/key\"", "wallets.thirdweb.admin_key_file"),
        ] {
            for (toml, told) in [(toml.to_owned(), told), (without_path(toml), "is empty: write a path")] {
                let error = loaded(&toml, Overrides::default()).unwrap_err();
                assert!(error.starts_with(&format!("{key}: {told}")), "{error}");
                assert!(error.contains("portico.toml, line "), "{error}");
            }
        }
        let typed = Overrides { data_dir: Some("~/portico".into()), ..Overrides::default() };
        let error = loaded("", typed).unwrap_err();
        assert!(error.starts_with(&format!("--data-dir or PORTICO_DATA_DIR: {told}")), "{error}");
        let named_so = "[local]\nsocket = \"run/~/socket\"\n[profile]\nname = \"~/shop\"\n";
        assert!(loaded(named_so, Overrides::default()).is_ok());
    }

    #[test]
    fn what_would_last_no_time_at_all_is_refused() {
        for key in [
            "local.request_timeout",
            "auth.handshake_ttl",
            "auth.challenge_ttl",
            "auth.prompt_window",
            "auth.max_event_age",
            "tokens.max_wallet_lifetime",
            "tokens.max_issued_lifetime",
            "lookup.timeout",
        ] {
            let error = loaded(&format!("{key} = \"0s\""), Overrides::default()).unwrap_err();
            assert!(error.contains(&format!("{key}: must be from 1")), "{error}");
        }
        assert!(loaded("tokens.leeway = \"0s\"", Overrides::default()).is_ok());
    }

    #[test]
    fn a_bad_value_that_a_flag_gives_is_not_blamed_on_the_file() {
        let flags = Overrides { listen: Some("x".into()), ..Overrides::default() };
        let error = loaded("[local]\nlisten = \"127.0.0.1:2\"\n", flags).unwrap_err();
        assert!(error.ends_with("(in --listen or PORTICO_LISTEN)"), "{error}");
    }

    #[test]
    fn a_secret_in_a_file_that_others_can_read_is_refused_like_a_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        let with_mode = |toml: &str, mode: u32| {
            std::fs::write(&file, toml).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let at = |name: &str| Some(folder.path().join(name));
            let overrides = Overrides {
                config: at("portico.toml"),
                data_dir: at("data"),
                key_file: at("key"),
                ..Overrides::default()
            };
            load(&overrides).map_err(|error| error.to_string())
        };
        for (key, toml) in [
            ("local.token", "[local]\ntoken = \"hunter2hunter2hunter2\"\n"),
            (
                "webhook.secret",
                "[webhook]\nurl = \"https://a.example\"\nsecret = \"hunter2hunter2hunter2\"\n",
            ),
        ] {
            let error = with_mode(toml, 0o644).unwrap_err();
            assert!(
                error.contains(key) && error.contains("others can read it (mode 0644): run chmod 600"),
                "{error}"
            );
            assert!(with_mode(toml, 0o600).is_ok());
        }
        assert!(with_mode("[local]\n# token = \"hunter2\"\n", 0o644).is_ok(), "no secret in it");
    }

    #[test]
    fn a_secret_beside_a_mistake_is_not_repeated_in_the_error() {
        for toml in ["token = \"hunter2", "token = 1234567890123456", "token = 12345678901234567890"] {
            let error = loaded(&format!("[local]\n{toml}\n"), Overrides::default()).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains("123456"), "{error}");
            assert!(error.contains("line 2") || error.contains("local.token"), "{error}");
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
