//! Configuration: flag, environment, file, default, in that order; checked once, before anything starts.

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
mod home;
pub mod key;
mod load;
mod log;
mod mistake;
mod moved;
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

/// What the daemon runs with. Secrets in it print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from, if any.
    pub file: Option<PathBuf>,
    /// Those of the files that nobody named, and that lay in the working folder.
    pub found_here: Vec<PathBuf>,
    /// Where the database and generated secrets lie.
    pub data_dir: PathBuf,
    /// `[service]`: who we are.
    pub service: Service,
    /// `[profile]`: what wallets are told of us.
    pub profile: ProfileRules,
    /// The variables of Portal's own daemon that there are, and what became of each.
    pub portal_variables: Vec<PortalVariable>,
    /// `[local]`: whom we listen to.
    pub local: Local,
    /// `[auth]`: limits of what is open.
    pub auth: AuthLimits,
    /// `[tokens]`: what is accepted and issued.
    pub tokens: TokenRules,
    /// The operator's relays, and where their list came from.
    pub relays: Vec<RelayEntry>,
    /// Where the list of relays came from.
    pub relay_source: RelaySource,
    /// `[relays]`: the relays that wallets prefer.
    pub relay_rules: RelayRules,
    /// `[lookup]`: profiles and NIP-05 names.
    pub lookup: LookupRules,
    /// `[tls]`: whom we trust when we connect.
    pub tls: Tls,
    /// `[history]`: how long what has happened is kept.
    pub history: HistoryRules,
    /// `[access]`: access tokens and their keys.
    pub access: AccessRules,
    /// `[sessions]`: users and their sessions.
    pub sessions: SessionRules,
    /// `[wallets]`: whose wallets are let in.
    pub wallets: Wallets,
    /// `[forward]`: what gateways hand over.
    pub forward: ForwardRules,
    /// `[webhook]`: who is told of every event, if anybody.
    pub webhook: Option<Webhook>,
    /// `[log]`.
    pub log: Log,
}

/// `[service]`: the identity.
#[derive(Debug, Clone)]
pub struct Service {
    /// Holds `nsec1…` or 64 hex digits; created when missing.
    pub key_file: PathBuf,
    /// The key itself, from Portal's variables; then there is no file.
    pub given_key: Option<SecretString>,
    /// The SUBKEY_PROOF content itself, from Portal's variables.
    pub given_proof: Option<String>,
    /// Holds the SUBKEY_PROOF content, when the key is a subkey.
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
    /// The group that it is given to.
    pub socket_gid: Option<u32>,
    /// Users who may do everything on the Unix socket, besides the daemon's own and root.
    pub allow_uids: Vec<u32>,
    /// Groups whose members may.
    pub allow_gids: Vec<u32>,
    /// What other users and groups may.
    pub allow: Vec<Allowed>,
    /// Address of the TCP socket, if there is one.
    pub listen: Option<SocketAddr>,
    /// Whether a TCP socket may be reachable from other machines.
    pub allow_remote: bool,
    /// Where the API token comes from.
    pub token: ApiToken,
    /// `Host` headers that are accepted on TCP besides loopback ones.
    pub allowed_hosts: Vec<String>,
    /// `Origin` headers that are accepted on TCP, and answered with CORS headers.
    pub allowed_origins: Vec<String>,
    /// Connections on each socket.
    pub max_connections: usize,
    /// Connections of one peer (a uid, an IP address).
    pub max_connections_per_peer: usize,
    /// Connections of those who may not speak, or have not shown the API token. Default 256.
    pub max_strangers: usize,
    /// Streams that are followed at the same time, by all clients together. Default 200,000.
    pub max_followers: usize,
    /// Streams that one WebSocket follows, answers that it waits for included. Default 10,000.
    pub max_followed_per_connection: usize,
    /// Messages that wait for one WebSocket client to read them. Default 1024.
    pub websocket_queue: usize,
    /// How long headers, bodies and answers may take.
    pub request_timeout: Duration,
}

impl Local {
    /// Every row of what others may do on the Unix socket, `allow_uids` and `allow_gids` among them.
    pub fn allowed(&self) -> Vec<Allowed> {
        let users = self.allow_uids.iter().map(|uid| Account::User(*uid));
        let groups = self.allow_gids.iter().map(|gid| Account::Group(*gid));
        let everything = users.chain(groups).map(|who| Allowed { who, may: Rights::ALL });
        everything.chain(self.allow.iter().copied()).collect()
    }
}
