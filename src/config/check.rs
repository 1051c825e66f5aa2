//! Checks the configuration: from [`Raw`] to [`Config`].

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::moved::Moved;
use super::portal::PortalSettings;
use super::raw::{Account, HistoryRules, Raw, RawLocal, RawService, RawTls};
use super::token::malformed;
use super::{
    ApiToken, Config, ConfigError, Local, Overrides, ProfileRules, RelaySource, Service, Wallets, bounds,
    files, relays, web,
};
use crate::tls::Tls;

/// A mistake in a section: the key, and the reason.
pub(super) type Mistake = (&'static str, String);

pub(super) fn check(
    raw: Raw,
    file: Option<PathBuf>,
    overrides: &Overrides,
    portal: &PortalSettings,
    moved: &mut Moved,
) -> Result<Config, ConfigError> {
    bounds::check(&raw)?;
    let second_layer =
        raw.access.check().and_then(|()| raw.sessions.check(&raw.access)).and_then(|()| raw.forward.check());
    second_layer.map_err(|(key, reason)| invalid(key, reason))?;
    if let Err(error) = raw.log.filter() {
        return Err(invalid("log.level", error.to_string()));
    }
    let data_dir = overrides
        .data_dir
        .clone()
        .or(raw.data_dir.map(|path| path.relative()))
        .or_else(|| managed_dir("STATE_DIRECTORY"))
        .or_else(|| xdg("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("portico")))
        .ok_or_else(|| homeless("data_dir", "--data-dir"))?;
    let relays_file = overrides.relays.clone().or(raw.relays_file.map(|path| path.relative()));
    // The loader looks for files that nobody named in the working folder first; all other places are absolute paths.
    let is_here = |path: &&PathBuf| overrides.config.is_none() && path.is_relative();
    let mut found_here: Vec<PathBuf> = file.iter().filter(is_here).cloned().collect();
    let (entries, relay_source) = relays::load(relays_file.as_deref(), portal)?;
    moved.note_relays(portal, matches!(relay_source, RelaySource::Environment(_)));
    if let (None, RelaySource::File(path)) = (relays_file, &relay_source) {
        found_here.push(path.clone());
    }
    let wallets = check_wallets(raw.wallets, raw.tokens.max_issued_lifetime)?;
    Ok(Config {
        service: check_service(raw.service, overrides, moved)?,
        profile: check_profile(raw.profile)?,
        portal_variables: moved.variables(portal),
        local: check_local(raw.local, overrides, moved.port, &data_dir)?,
        file,
        found_here,
        data_dir,
        auth: raw.auth,
        tokens: raw.tokens,
        relays: entries,
        relay_source,
        relay_rules: raw.relays,
        lookup: raw.lookup,
        tls: check_tls(raw.tls)?,
        history: check_history(raw.history)?,
        access: raw.access,
        sessions: raw.sessions,
        wallets,
        forward: raw.forward,
        webhook: raw.webhook.check().map_err(|(key, reason)| invalid(key, reason))?,
        log: raw.log,
    })
}

pub(super) fn check_tls(raw: RawTls) -> Result<Tls, ConfigError> {
    let Some(path) = raw.ca_file else { return Ok(Tls::default()) };
    let path = path.relative();
    let unreadable =
        |error| invalid("tls.ca_file", format!("cannot read {}: {error}", super::files::show_path(&path)));
    let pem = files::read_bytes(&path).map_err(unreadable)?;
    let pem = pem.ok_or_else(|| unreadable(io::Error::from(io::ErrorKind::NotFound).into()))?;
    Tls::with_ca_file(&path, &pem).map_err(|error| invalid("tls.ca_file", error.to_string()))
}

fn check_wallets(mut wallets: Wallets, max_issued: Duration) -> Result<Wallets, ConfigError> {
    wallets.check().map_err(|(key, reason)| invalid(key, reason))?;
    if wallets.thirdweb.as_ref().is_some_and(|thirdweb| thirdweb.token_lifetime > max_issued) {
        let reason = "must be at most tokens.max_issued_lifetime";
        return Err(invalid("wallets.thirdweb.token_lifetime", reason));
    }
    let names = wallets.names();
    if names.contains(&wallets.default.as_str()) {
        return Ok(wallets);
    }
    let reason =
        format!("{:?} is not configured; configured providers: {}", wallets.default, names.join(", "));
    Err(invalid("wallets.default", reason))
}

fn check_history(raw: HistoryRules) -> Result<HistoryRules, ConfigError> {
    /// Callers that poll, or return after a restart, must still find how a request ended.
    const SHORTEST: Duration = Duration::from_secs(3600);

    for (key, keep) in [
        ("history.keep", raw.keep),
        ("history.keep_users", raw.keep_users),
        ("history.keep_audit", raw.keep_audit),
    ] {
        if !keep.is_zero() && keep < SHORTEST {
            return Err(invalid(key, "must be at least 1h, or 0s to keep everything"));
        }
    }
    Ok(raw)
}

pub(super) fn check_profile(raw: ProfileRules) -> Result<ProfileRules, ConfigError> {
    raw.check().map_err(|(key, reason)| invalid(key, reason))?;
    Ok(raw)
}

fn check_service(raw: RawService, overrides: &Overrides, moved: &Moved) -> Result<Service, ConfigError> {
    let key_file = overrides
        .key_file
        .clone()
        .or(raw.key_file.map(|path| path.relative()))
        .or_else(|| xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/service.key")))
        .ok_or_else(|| homeless("service.key_file", "--key-file"))?;
    Ok(Service {
        key_file,
        given_key: moved.key.clone(),
        given_proof: moved.proof.clone(),
        subkey_proof_file: raw.subkey_proof_file.map(|path| path.relative()),
        nip05_names: web::check_nip05_names(raw.nip05_names.unwrap_or_else(|| vec!["_".into()]))
            .map_err(|reason| invalid("service.nip05_names", reason))?,
    })
}

fn check_local(
    raw: RawLocal,
    overrides: &Overrides,
    port: Option<u16>,
    data_dir: &Path,
) -> Result<Local, ConfigError> {
    let listen = overrides.listen.clone().or(raw.listen);
    let listen = listen.map(|text| check_listen(&text, raw.allow_remote)).transpose()?;
    // Portal's daemon configures no address: listen on all of them if the operator allows other machines.
    let ip = if raw.allow_remote { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let listen = listen.or(port.map(|port| SocketAddr::from((ip, port))));
    let socket_mode = u32::from_str_radix(&raw.socket_mode, 8)
        .ok()
        .filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600)
        .ok_or_else(|| {
            invalid("local.socket_mode", "must be octal like \"0660\" and give the owner access")
        })?;
    let token = match (overrides.token_file.clone(), raw.token, raw.token_file) {
        (Some(path), _, _) => ApiToken::File(path),
        (None, Some(_), Some(_)) => return Err(invalid("local.token", "set token or token_file, not both")),
        (None, Some(token), None) => match malformed(token.expose_secret()) {
            Some(reason) => return Err(invalid("local.token", reason)),
            None => ApiToken::Given(token.expose_secret().trim().into()),
        },
        (None, None, Some(path)) => ApiToken::File(path.relative()),
        (None, None, None) => ApiToken::Generated(data_dir.join("api-token")),
    };
    web::check_origins(&raw.allowed_origins).map_err(|reason| invalid("local.allowed_origins", reason))?;
    web::check_hosts(&raw.allowed_hosts).map_err(|reason| invalid("local.allowed_hosts", reason))?;
    let socket = overrides.socket.clone().or(raw.socket.map(|path| path.relative()));
    let socket = socket.unwrap_or_else(default_socket);
    check_socket(&socket)?;
    Ok(Local {
        socket,
        socket_mode,
        socket_gid: raw.socket_group.map(|group| gid_of("local.socket_group", &group)).transpose()?,
        allow_uids: ids(raw.allow_uids, |name| uid_of("local.allow_uids", name))?,
        allow_gids: ids(raw.allow_gids, |name| gid_of("local.allow_gids", name))?,
        allow: super::allowed::check(raw.allow)?,
        listen,
        allow_remote: raw.allow_remote,
        token,
        allowed_hosts: raw.allowed_hosts,
        allowed_origins: raw.allowed_origins,
        max_connections: raw.max_connections,
        max_connections_per_peer: raw.max_connections_per_peer,
        max_strangers: raw.max_strangers,
        max_followers: raw.max_followers,
        max_followed_per_connection: raw.max_followed_per_connection,
        websocket_queue: raw.websocket_queue,
        request_timeout: raw.request_timeout,
    })
}

/// The longest path of a Unix socket, in bytes, to which anybody can connect (unix(7), `sun_path`).
pub const LONGEST_SOCKET_PATH: usize = 107;

fn check_socket(path: &Path) -> Result<(), ConfigError> {
    let length = path.as_os_str().len();
    if length <= LONGEST_SOCKET_PATH {
        return Ok(());
    }
    let reason = format!("the path must be at most {LONGEST_SOCKET_PATH} bytes long, but has {length}");
    Err(invalid("local.socket", format!("{reason}: {}", super::files::show_path(path))))
}

fn check_listen(text: &str, allow_remote: bool) -> Result<SocketAddr, ConfigError> {
    let address: SocketAddr = text.parse().map_err(|_| {
        let reason =
            format!("{text:?} is not IP-ADDRESS:PORT, like 127.0.0.1:3000 (Portico does not look up names)");
        invalid("local.listen", reason)
    })?;

    if address.ip().is_loopback() || allow_remote {
        return Ok(address);
    }
    let reason = format!("other machines can reach {address}: this requires local.allow_remote = true");
    Err(invalid("local.listen", reason))
}

/// The ids of users or groups; `id_of` knows their names.
pub(super) fn ids(
    accounts: Vec<Account>,
    id_of: impl Fn(&str) -> Result<u32, ConfigError>,
) -> Result<Vec<u32>, ConfigError> {
    let id = |account| match account {
        Account::Id(id) => Ok(id),
        Account::Name(name) => id_of(&name),
    };
    accounts.into_iter().map(id).collect()
}

pub(super) fn uid_of(key: &'static str, user: &str) -> Result<u32, ConfigError> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    match nix::unistd::User::from_name(user) {
        Ok(Some(found)) => Ok(found.uid.as_raw()),
        _ => Err(invalid(key, format!("unknown user {user:?}"))),
    }
}

pub(super) fn gid_of(key: &'static str, group: &str) -> Result<u32, ConfigError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match nix::unistd::Group::from_name(group) {
        Ok(Some(found)) => Ok(found.gid.as_raw()),
        _ => Err(invalid(key, format!("unknown group {group:?}"))),
    }
}

/// The default path of the Unix socket, the same for the daemon and its command-line clients.
pub fn default_socket() -> PathBuf {
    if let Some(dir) = managed_dir("RUNTIME_DIRECTORY") {
        return dir.join("portico.sock");
    }
    if let Some(dir) = absolute_dir("XDG_RUNTIME_DIR") {
        return dir.join("portico/portico.sock");
    }
    PathBuf::from(format!("/tmp/portico-{}/portico.sock", nix::unistd::geteuid()))
}

/// The default folder of `portico.toml` and the service's key.
pub fn default_folder() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico"))
}

pub(super) fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    absolute_dir(variable).or_else(|| absolute_dir("HOME").map(|home| home.join(below_home)))
}

/// The folder that a variable names. A relative path is ignored, as the XDG Base Directory Specification requires: its
/// meaning would depend on the working folder.
fn absolute_dir(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|dir| dir.is_absolute())
}

/// The folder that a service manager made for us. A list is separated with colons (systemd.exec(5),
/// `StateDirectory=`); the first is the main one.
fn managed_dir(variable: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os(variable)?).find(|dir| dir.is_absolute())
}

fn homeless(key: &'static str, flag: &str) -> ConfigError {
    invalid(key, format!("HOME is not set: set it, or give {flag}"))
}

pub(super) fn invalid(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { key, reason: reason.into(), place: String::new() }
}
