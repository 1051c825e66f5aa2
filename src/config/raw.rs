//! The shape of `portico.toml`: every key, and its default.

use std::time::Duration;

use figment::value::magic::RelativePathBuf;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::access::AccessRules;
use super::forward::ForwardRules;
use super::log::Log;
use super::profile::ProfileRules;
use super::session::SessionRules;
use super::wallets::Wallets;
use super::webhook::RawWebhook;

/// The whole file. Unknown keys are errors, so that a misspelt key is noticed. A relative path starts at the
/// folder of the file; a relative path in the environment, at the working folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) data_dir: Option<RelativePathBuf>,
    pub(super) relays_file: Option<RelativePathBuf>,
    pub(super) service: RawService,
    pub(super) local: RawLocal,
    pub(super) auth: AuthLimits,
    pub(super) tokens: TokenRules,
    pub(super) relays: RelayRules,
    pub(super) lookup: LookupRules,
    pub(super) tls: RawTls,
    pub(super) history: HistoryRules,
    pub(super) access: AccessRules,
    pub(super) sessions: SessionRules,
    pub(super) wallets: Wallets,
    pub(super) forward: ForwardRules,
    pub(super) webhook: RawWebhook,
    pub(super) profile: ProfileRules,
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawService {
    pub(super) key_file: Option<RelativePathBuf>,
    pub(super) subkey_proof_file: Option<RelativePathBuf>,
    pub(super) nip05_names: Option<Vec<String>>,
}

/// `[tls]`: trusted CAs for outgoing connections.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) ca_file: Option<RelativePathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLocal {
    pub(super) socket: Option<RelativePathBuf>,
    #[serde(deserialize_with = "digits")]
    pub(super) socket_mode: String,
    pub(super) socket_group: Option<String>,
    pub(super) allow_uids: Vec<Account>,
    pub(super) allow_gids: Vec<Account>,
    pub(super) allow: Vec<RawAllowed>,
    pub(super) listen: Option<String>,
    pub(super) allow_remote: bool,
    pub(super) token: Option<SecretString>,
    pub(super) token_file: Option<RelativePathBuf>,
    #[serde(deserialize_with = "one_or_more")]
    pub(super) allowed_hosts: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub(super) allowed_origins: Vec<String>,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_peer: usize,
    pub(super) max_strangers: usize,
    pub(super) max_followers: usize,
    pub(super) max_followed_per_connection: usize,
    pub(super) websocket_queue: usize,
    #[serde(with = "super::duration")]
    pub(super) request_timeout: Duration,
}

/// `[[local.allow]]`: a user or a group, and what it may do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAllowed {
    pub(super) uid: Option<Account>,
    pub(super) gid: Option<Account>,
    #[serde(deserialize_with = "one_or_more")]
    pub(super) may: Vec<String>,
}

/// A user or a group.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "must be a number, or a name in quotes")]
pub(super) enum Account {
    Id(u32),
    Name(String),
}

/// Digits that are text, although they look like a number in the environment.
fn digits<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be octal digits like \"0660\"")]
    enum Digits {
        Text(String),
        Number(u32),
    }
    Ok(match Digits::deserialize(from)? {
        Digits::Text(text) => text,
        Digits::Number(number) => number.to_string(),
    })
}

/// A list, or text with commas, as in the environment.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a list in square brackets, or text with commas")]
    enum OneOrMore {
        Text(String),
        List(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::List(list) => list,
        OneOrMore::Text(text) => {
            text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
        }
    })
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

/// `[auth]`: how long requests stay open, and how many.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthLimits {
    /// How long a one-time handshake URL can be scanned. Default 5 minutes.
    #[serde(with = "super::duration")]
    pub handshake_ttl: Duration,
    /// How long a user has to approve. Default 5 minutes.
    #[serde(with = "super::duration")]
    pub challenge_ttl: Duration,
    /// Handshakes and challenges open at once. Default 200,000.
    pub max_open: usize,
    /// Scans of one static URL that are accepted within `challenge_ttl`, so that people who know it
    /// cannot use up `max_open`. Default 1,000.
    pub max_scans_per_url: usize,
    /// Streams on one static token; a further one cancels the oldest. Default 16.
    pub max_streams_per_token: usize,
    /// Challenges open at once for one user. Default 3.
    pub max_open_per_user: usize,
    /// Challenges sent to one user within `prompt_window`. Default 10.
    pub max_prompts_per_user: usize,
    /// The window of `max_prompts_per_user`. Default 10 minutes.
    #[serde(with = "super::duration")]
    pub prompt_window: Duration,
    /// How far a wallet's clock may differ from ours. Default 10 minutes.
    #[serde(with = "super::duration")]
    pub max_event_age: Duration,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            handshake_ttl: Duration::from_secs(5 * 60),
            challenge_ttl: Duration::from_secs(5 * 60),
            max_open: 200_000,
            max_scans_per_url: 1_000,
            max_streams_per_token: 16,
            max_open_per_user: 3,
            max_prompts_per_user: 10,
            prompt_window: Duration::from_secs(10 * 60),
            max_event_age: Duration::from_secs(10 * 60),
        }
    }
}

/// `[tokens]`: which tokens are accepted and issued.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// How far in the future a token's `nbf` and `iat` may lie, because clocks of phones differ. Default 60 seconds.
    #[serde(with = "super::duration")]
    pub leeway: Duration,
    /// The longest accepted lifetime of a wallet's token. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_wallet_lifetime: Duration,
    /// The longest lifetime of an issued token. Default 8784 hours (366 days).
    #[serde(with = "super::duration")]
    pub max_issued_lifetime: Duration,
    /// Verified signatures kept in memory. Default 50,000.
    pub signature_cache: usize,
    /// Revoked tokens that are remembered until they expire. Default 1,000,000.
    pub max_revocations: usize,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(60),
            max_wallet_lifetime: Duration::from_secs(30 * 24 * 3600),
            max_issued_lifetime: Duration::from_secs(366 * 24 * 3600),
            signature_cache: 50_000,
            max_revocations: 1_000_000,
        }
    }
}

/// `[relays]`: limits of relays and of incoming events.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayRules {
    /// Whether relays that wallets prefer may have private addresses, and `ws` at loopback addresses. Default false.
    pub allow_private: bool,
    /// The operator's relays, including those added at run time: each is a
    /// connection, and part of every handshake URL. Default 64.
    pub max_relays: usize,
    /// Relays taken from one user's wallet. Default 3.
    pub max_preferred_per_user: usize,
    /// Relays taken from all wallets; the least recently used are dropped first. Default 50.
    pub max_preferred: usize,
    /// Verified events that wait to be handled. Default 8192.
    pub inbox: usize,
    /// Unverified frames of one relay that wait. Default 4096.
    pub queue_per_relay: usize,
}

impl Default for RelayRules {
    fn default() -> Self {
        Self {
            allow_private: false,
            max_relays: 64,
            max_preferred_per_user: 3,
            max_preferred: 50,
            inbox: 8192,
            queue_per_relay: 4096,
        }
    }
}

/// `[lookup]`: profiles (NIP-01 kind 0) and NIP-05 names.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LookupRules {
    /// The time limit for answers of relays and web servers. Default 5 seconds.
    #[serde(with = "super::duration")]
    pub timeout: Duration,
    /// Whether a NIP-05 domain may have a private address, and use plain HTTP at a loopback address. Default false.
    pub allow_private: bool,
}

impl Default for LookupRules {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), allow_private: false }
    }
}

/// `[history]`: how long past streams, sessions, users and audit records are kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryRules {
    /// How long a stream with its events, or a session, is kept after its end; zero: for ever. Default 30 days.
    #[serde(with = "super::duration")]
    pub keep: Duration,
    /// How long a user whom no operator ever changed is kept after the last login; zero: for
    /// ever. Default 365 days.
    #[serde(with = "super::duration")]
    pub keep_users: Duration,
    /// How long audit records are kept; zero: for ever. Default 365 days.
    #[serde(with = "super::duration")]
    pub keep_audit: Duration,
}

impl Default for HistoryRules {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        let year = Duration::from_secs(365 * DAY);
        Self { keep: Duration::from_secs(30 * DAY), keep_users: year, keep_audit: year }
    }
}
