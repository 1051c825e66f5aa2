//! `[local]`: the sockets, and who may use them.

mod allowed;
mod origins;
pub(in crate::config) mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::Overrides;
use crate::config::bounds::{MANY, MOMENT, Number, PATIENCE, PLACES};
use crate::config::files::show_path;
use crate::config::mistakes::InSection;
use crate::config::places::default_socket;
use crate::config::sections::written::{octal, one_or_more};
use crate::rights::Rights;
pub use allowed::{Account, Allowed};
pub(in crate::config) use allowed::{RawAccount, uid_of};
use allowed::{RawAllowed, gid_named, gid_of};
use token::{ApiToken, malformed};

/// `[local]`: the sockets.
#[derive(Debug, Clone)]
pub struct Local {
    /// Path of the Unix socket.
    pub socket: PathBuf,
    /// Its mode. Default 0600.
    pub socket_mode: u32,
    /// Its group.
    pub socket_gid: Option<u32>,
    /// Users who may do everything on the Unix socket, as well as the daemon's own user and root.
    pub allow_uids: Vec<u32>,
    /// Groups that may do everything on the Unix socket.
    pub allow_gids: Vec<u32>,
    /// Other users and groups, and what they may do.
    pub allow: Vec<Allowed>,
    /// Address of the TCP socket, if there is one.
    pub listen: Option<SocketAddr>,
    /// Whether a TCP socket may be reachable from other machines.
    pub allow_remote: bool,
    /// The source of the API token.
    pub token: ApiToken,
    /// `Host` headers that are accepted on TCP besides loopback ones.
    pub allowed_hosts: Vec<String>,
    /// `Origin` headers that are accepted on TCP, and answered with CORS headers.
    pub allowed_origins: Vec<String>,
    /// Connections on each socket.
    pub max_connections: usize,
    /// Connections of one peer (a uid, an IP address).
    pub max_connections_per_peer: usize,
    /// Connections of callers without rights, or that have not shown the API token. Default 256.
    pub max_strangers: usize,
    /// Streams that all clients together follow at once. Default 200,000.
    pub max_followers: usize,
    /// Streams that one WebSocket follows at once, including answers that it waits for. Default 10,000.
    pub max_followed_per_connection: usize,
    /// Messages that wait for one WebSocket client to read them. Default 1024.
    pub websocket_queue: usize,
    /// The time limit for headers, bodies and answers.
    pub request_timeout: Duration,
}

impl Local {
    /// All rows that allow users and groups on the Unix socket, including `allow_uids` and `allow_gids`.
    pub fn allowed(&self) -> Vec<Allowed> {
        let users = self.allow_uids.iter().map(|uid| Account::User(*uid));
        let groups = self.allow_gids.iter().map(|gid| Account::Group(*gid));
        let everything = users.chain(groups).map(|who| Allowed { who, may: Rights::ALL });
        everything.chain(self.allow.iter().copied()).collect()
    }
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawLocal {
    pub(in crate::config) socket: Option<RelativePathBuf>,
    #[serde(deserialize_with = "octal")]
    pub(in crate::config) socket_mode: String,
    pub(in crate::config) socket_group: Option<String>,
    pub(in crate::config) allow_uids: Vec<RawAccount>,
    pub(in crate::config) allow_gids: Vec<RawAccount>,
    pub(in crate::config) allow: Vec<RawAllowed>,
    pub(in crate::config) listen: Option<String>,
    pub(in crate::config) allow_remote: bool,
    pub(in crate::config) token: Option<SecretString>,
    pub(in crate::config) token_file: Option<RelativePathBuf>,
    #[serde(deserialize_with = "one_or_more")]
    pub(in crate::config) allowed_hosts: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub(in crate::config) allowed_origins: Vec<String>,
    pub(in crate::config) max_connections: usize,
    pub(in crate::config) max_connections_per_peer: usize,
    pub(in crate::config) max_strangers: usize,
    pub(in crate::config) max_followers: usize,
    pub(in crate::config) max_followed_per_connection: usize,
    pub(in crate::config) websocket_queue: usize,
    #[serde(with = "crate::config::duration")]
    pub(in crate::config) request_timeout: Duration,
}

impl Default for RawLocal {
    fn default() -> Self {
        Self {
            socket: None,
            socket_mode: "0600".into(),
            socket_group: None,
            allow_uids: Vec::new(),
            allow_gids: Vec::new(),
            allow: Vec::new(),
            listen: None,
            allow_remote: false,
            token: None,
            token_file: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_connections: 16_384,
            max_connections_per_peer: 12_288,
            max_strangers: 256,
            max_followers: 200_000,
            max_followed_per_connection: 10_000,
            websocket_queue: 1_024,
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl RawLocal {
    /// Its numbers, with their bounds.
    pub(in crate::config) fn numbers(&self) -> Vec<Number> {
        vec![
            Number::count("max_connections", self.max_connections, 1..=PLACES),
            Number::count("max_connections_per_peer", self.max_connections_per_peer, 1..=PLACES),
            Number::count("max_strangers", self.max_strangers, 1..=PLACES),
            Number::count("max_followers", self.max_followers, 1..=MANY),
            Number::count("max_followed_per_connection", self.max_followed_per_connection, 1..=MANY),
            Number::count("websocket_queue", self.websocket_queue, 1..=PLACES),
            Number::time("request_timeout", self.request_timeout, MOMENT..=PATIENCE),
        ]
    }

    /// Checks the section; `None`: there is a mistake. `port` is the one to listen on if nothing else names one.
    pub(in crate::config) fn check(
        self,
        overrides: &Overrides,
        port: Option<u16>,
        data_dir: Option<&Path>,
        wrong: &mut InSection<'_>,
    ) -> Option<Local> {
        let listen = overrides.listen.clone().or(self.listen);
        let listen = listen.map(|text| check_listen(&text, self.allow_remote)).transpose();
        let listen = if wrong.has("allow_remote") { Ok(None) } else { listen };
        let listen = wrong.keep("listen", listen);
        // Portal's daemon configures no address: listen on all of them if the operator allows other machines.
        let ip = if self.allow_remote { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let at_port = port.map(|port| SocketAddr::from((ip, port)));
        let socket = overrides.socket.clone().or(self.socket.map(|path| path.relative()));
        let socket = wrong.keep("socket", check_socket(socket.unwrap_or_else(default_socket)));
        let socket_mode = wrong.keep("socket_mode", check_mode(&self.socket_mode));
        let socket_gid = self.socket_group.map(|group| gid_named(&group)).transpose();
        let socket_gid = wrong.keep("socket_group", socket_gid);
        let token = check_token(overrides, self.token, self.token_file, data_dir);
        let token = wrong.keep("token", token);
        let allow_uids = wrong.keep_each("allow_uids", self.allow_uids, uid_of);
        let allow_gids = wrong.keep_each("allow_gids", self.allow_gids, gid_of);
        let allow = allowed::check(self.allow, wrong);
        wrong.keep_each("allowed_origins", &self.allowed_origins, |entry| origins::check_origin(entry));
        wrong.keep_each("allowed_hosts", &self.allowed_hosts, |entry| origins::check_host(entry));
        Some(Local {
            socket: socket?,
            socket_mode: socket_mode?,
            socket_gid: socket_gid?,
            allow_uids,
            allow_gids,
            allow,
            listen: listen?.or(at_port),
            allow_remote: self.allow_remote,
            token: token?,
            allowed_hosts: self.allowed_hosts,
            allowed_origins: self.allowed_origins,
            max_connections: self.max_connections,
            max_connections_per_peer: self.max_connections_per_peer,
            max_strangers: self.max_strangers,
            max_followers: self.max_followers,
            max_followed_per_connection: self.max_followed_per_connection,
            websocket_queue: self.websocket_queue,
            request_timeout: self.request_timeout,
        })
    }
}

fn check_mode(text: &str) -> Result<u32, &'static str> {
    let is_octal = text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
    mode.filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600)
        .ok_or("must be octal digits like \"0660\", from \"0600\" to \"0777\": the owner reads and writes")
}

/// The source of the API token. Without a data folder, none can be made.
fn check_token(
    overrides: &Overrides,
    given: Option<SecretString>,
    file: Option<RelativePathBuf>,
    data_dir: Option<&Path>,
) -> Result<ApiToken, String> {
    match (overrides.token_file.clone(), given, file) {
        (Some(path), _, _) => Ok(ApiToken::File(path)),
        (None, Some(_), Some(_)) => Err("set token or token_file, not both".into()),
        (None, Some(token), None) => match malformed(token.expose_secret()) {
            Some(reason) => Err(reason),
            None => Ok(ApiToken::Given(token.expose_secret().trim().into())),
        },
        (None, None, Some(path)) => Ok(ApiToken::File(path.relative())),
        (None, None, None) => Ok(ApiToken::Generated(data_dir.unwrap_or(Path::new("")).join("api-token"))),
    }
}

/// The longest path of a Unix socket, in bytes, to which anybody can connect (unix(7), `sun_path`).
pub const LONGEST_SOCKET_PATH: usize = 107;

fn check_socket(path: PathBuf) -> Result<PathBuf, String> {
    let length = path.as_os_str().len();
    if length <= LONGEST_SOCKET_PATH {
        return Ok(path);
    }
    let reason = format!("the path must be at most {LONGEST_SOCKET_PATH} bytes long, but has {length}");
    Err(format!("{reason}: {}", show_path(&path)))
}

fn check_listen(text: &str, allow_remote: bool) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        format!("{text:?} is not IP-ADDRESS:PORT, like 127.0.0.1:3000 (Portico does not look up names)")
    })?;
    if address.ip().is_loopback() || allow_remote {
        return Ok(address);
    }
    Err(format!("other machines can reach {address}: this requires local.allow_remote = true"))
}
