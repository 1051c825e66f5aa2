//! Configuration: flag, environment variable, file, default, in this precedence; checked once, before anything starts.

mod access;
mod allowed;
mod bounds;
mod changed;
mod check;
pub mod duration;
mod environment;
mod error;
pub mod files;
mod format;
mod forward;
pub mod key;
mod load;
mod log;
mod mistake;
mod moved;
mod paths;
mod portal;
mod profile;
mod raw;
mod relays;
mod session;
pub mod token;
mod wallets;
mod web;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::rights::Rights;
use crate::tls::Tls;
pub use access::AccessRules;
pub use allowed::{Account, Allowed};
pub use changed::WrittenKeys;
pub use check::{LONGEST_SOCKET_PATH, default_folder, default_socket};
pub use environment::{UNUSED, not_utf8 as variable_not_utf8, unused as unused_variables};
pub use error::ConfigError;
pub use forward::ForwardRules;
pub use load::{Overrides, load, load_profile, load_tls};
pub use log::{Log, LogFormat, NoSuchFilter};
pub use moved::{Fate, PortalVariable};
pub use paths::check_path;
pub use portal::{PORTAL_PORT, PortalSettings, SUBKEY_PROOF};
pub use profile::ProfileRules;
pub use raw::{AuthLimits, HistoryRules, LookupRules, RelayRules, TokenRules};
pub use relays::{NotARelay, RelayEntry, RelaySource, relay_url};
pub use session::{Checks, SessionRules, SignUp};
pub use token::ApiToken;
pub use wallets::{
    AdminKeyError, ApiKeyError, Jwks, JwtAlgorithm, Nip98, NotAWebUrl, Para, ParaApiKeys, ParaSessionRules,
    ThirdwebRules, Wallets, WebUrl,
};
pub use webhook::{Webhook, WebhookKeys, WebhookRules, WebhookSecret, WebhookSecretError, WebhookUrl};

/// The daemon's configuration. Secrets in it print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Files that no setting named, and that were found in the working folder.
    pub found_here: Vec<PathBuf>,
    /// The folder of the database and of generated secrets.
    pub data_dir: PathBuf,
    /// `[service]`: the service's identity.
    pub service: Service,
    /// `[profile]`: the profile that wallets show.
    pub profile: ProfileRules,
    /// The variables of Portal's own daemon that are set, and whether each is in force.
    pub portal_variables: Vec<PortalVariable>,
    /// `[local]`: the sockets, and who may use them.
    pub local: Local,
    /// `[auth]`: limits of open requests.
    pub auth: AuthLimits,
    /// `[tokens]`: which tokens are accepted and issued.
    pub tokens: TokenRules,
    /// The operator's relays.
    pub relays: Vec<RelayEntry>,
    /// The source of the list of relays.
    pub relay_source: RelaySource,
    /// `[relays]`: the relays that wallets prefer.
    pub relay_rules: RelayRules,
    /// `[lookup]`: profiles and NIP-05 names.
    pub lookup: LookupRules,
    /// `[tls]`: trusted CAs for outgoing connections.
    pub tls: Tls,
    /// `[history]`: how long past streams, sessions, users and audit records are kept.
    pub history: HistoryRules,
    /// `[access]`: access tokens and their keys.
    pub access: AccessRules,
    /// `[sessions]`: users and their sessions.
    pub sessions: SessionRules,
    /// `[wallets]`: the accepted wallet providers.
    pub wallets: Wallets,
    /// `[forward]`: the headers and cookies that gateways pass on.
    pub forward: ForwardRules,
    /// `[webhook]`: the receiver of every event, if there is one.
    pub webhook: Option<Webhook>,
    /// `[log]`: the level and format of the log.
    pub log: Log,
}

/// `[service]`: the identity.
#[derive(Debug, Clone)]
pub struct Service {
    /// The file with the key: `nsec1…` or 64 hex digits; made if it is missing.
    pub key_file: PathBuf,
    /// The key itself, from Portal's variables; then no file is used.
    pub given_key: Option<SecretString>,
    /// The SUBKEY_PROOF content itself, from Portal's variables.
    pub given_proof: Option<String>,
    /// The file with the SUBKEY_PROOF content, if the key is a subkey.
    pub subkey_proof_file: Option<PathBuf>,
    /// Names under which `/.well-known/nostr.json` lists the service. Default: `_`.
    pub nip05_names: Vec<String>,
}

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
