//! The shape of `portico.toml`: what may be written there, and the default of everything that is not.

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

/// The whole file. Unknown keys are refused, so that a misspelt one is noticed. A relative path starts from the
/// folder of the file that names it; one in the environment, from the working folder.
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

/// `[tls]`: whom we trust when we connect.
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

/// Digits that are text, though they look like a number in the environment.
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

/// A list, or text with commas, as people write it in the environment.
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

/// `[auth]`: how long things stay open, and how many may.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthLimits {
    /// How long a one-time handshake URL can be scanned. Default 5 minutes.
    #[serde(with = "super::duration")]
    pub handshake_ttl: Duration,
    /// How long a challenge waits for its answer. Default 5 minutes.
    #[serde(with = "super::duration")]
    pub challenge_ttl: Duration,
    /// Handshakes and challenges open at once, in all. Default 200,000.
    pub max_open: usize,
    /// Scans of one static URL that are let through within `challenge_ttl`, so that those who know it
    /// cannot take all of `max_open`. Default 1,000.
    pub max_scans_per_url: usize,
    /// Streams that wait on one static token; the oldest beyond these is cancelled. Default 16.
    pub max_streams_per_token: usize,
    /// Challenges open at once for one user. Default 3.
    pub max_open_per_user: usize,
    /// How often one user is asked within `prompt_window`. Default 10.
    pub max_prompts_per_user: usize,
    /// The window of `max_prompts_per_user`. Default 10 minutes.
    #[serde(with = "super::duration")]
    pub prompt_window: Duration,
    /// How far from our own clock the time of a wallet's event may lie. Default 10 minutes.
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

/// `[tokens]`: what is accepted and issued.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// How far ahead a token's `nbf` and `iat` may lie, because phones' clocks do. Default 60 seconds.
    #[serde(with = "super::duration")]
    pub leeway: Duration,
    /// The longest life of a wallet-issued token that is accepted. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_wallet_lifetime: Duration,
    /// The longest life of a token that is issued. Default 8784 hours (366 days).
    #[serde(with = "super::duration")]
    pub max_issued_lifetime: Duration,
    /// Verified signatures that are remembered. Default 50,000.
    pub signature_cache: usize,
    /// Revoked tokens that are kept until they expire. Default 1,000,000.
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

/// `[relays]`: the relays that wallets prefer, and the bounds of the way in.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayRules {
    /// Whether a user's relays may lie on private addresses, and on `ws` at loopback ones. Default false.
    pub allow_private: bool,
    /// Relays of the operator's own that can be added at run time, the configured ones included: each is a
    /// connection, and stands in every handshake URL. Default 64.
    pub max_relays: usize,
    /// Relays taken from one user's wallet. Default 3.
    pub max_preferred_per_user: usize,
    /// Relays taken from users in all; the least recently used go first. Default 50.
    pub max_preferred: usize,
    /// Verified events that wait to be handled. Default 8192.
    pub inbox: usize,
    /// Unverified frames that wait, for each relay. Default 4096.
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
    /// How long relays and web servers are waited for. Default 5 seconds.
    #[serde(with = "super::duration")]
    pub timeout: Duration,
    /// Whether a NIP-05 domain may lie on a private address, and on plain HTTP at a loopback one. Default false.
    pub allow_private: bool,
}

impl Default for LookupRules {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), allow_private: false }
    }
}

/// `[history]`: how long what has happened can be asked for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryRules {
    /// How long a stream with its events, or a session, is kept once it has ended; zero is for good. Default 30 days.
    #[serde(with = "super::duration")]
    pub keep: Duration,
    /// How long a user is kept about whom no operator has ever said anything, from the last login on; zero is for
    /// good. Default 365 days.
    #[serde(with = "super::duration")]
    pub keep_users: Duration,
    /// How long the audit tells of what was done; zero is for good. Default 365 days.
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
