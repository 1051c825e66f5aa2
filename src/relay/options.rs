//! The options of the relay side, with every bound in one place.

use std::time::Duration;

use nostr_sdk::prelude::{Keys, Kind, PublicKey, RelayUrl};

use crate::tls::Tls;

/// A relay of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySpec {
    /// The URL of the relay.
    pub url: RelayUrl,
    /// Whether to subscribe there.
    pub read: bool,
    /// Whether to publish there.
    pub write: bool,
}

impl RelaySpec {
    /// A relay to subscribe and to publish at.
    pub const fn read_write(url: RelayUrl) -> Self {
        Self { url, read: true, write: true }
    }
}

/// The changes that a new list of the operator's relays made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayChanges {
    /// Newly connected relays.
    pub added: Vec<RelayUrl>,
    /// Disconnected relays.
    pub removed: Vec<RelayUrl>,
    /// Relays that were reconnected, because `read` or `write` changed.
    pub changed: Vec<RelayUrl>,
}

/// How to run the relay side; [`RelayOptions::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The keys for logging in at relays that ask for it (NIP-42).
    pub keys: Keys,
    /// The kinds to subscribe to.
    pub kinds: Vec<Kind>,
    /// The recipients (`p` tags) to subscribe to. Default: the key of `keys`.
    pub our_keys: Vec<PublicKey>,
    /// The relays to start with, in order of preference. Default: none.
    pub relays: Vec<RelaySpec>,
    /// Whether relays named by wallets may be at private addresses, and `ws://` ones at loopback. Default:
    /// no.
    pub allow_private: bool,
    /// How many relays named by wallets may be connected at the same time. Default: 50.
    pub max_preferred: usize,
    /// How many relays Portico uses of one wallet. Default: 3.
    pub max_preferred_per_user: usize,
    /// How many verified events of strangers may be handled at the same time before workers wait, and as many
    /// of users that Portico waits for. Default: 4096.
    pub inbox: usize,
    /// How many event frames of one relay may wait for a worker before more are dropped. Default: 1024.
    pub queue_per_relay: usize,
    /// The minimum number of verified event ids to remember, to drop duplicates. Default: 65,536.
    pub remembered: usize,
    /// The wait before the first retry of a connection or subscription; it doubles. Default: 1 s.
    pub retry: Duration,
    /// How long Portico stays away from a hostile relay; twice as long each further time, up to sixty times.
    /// Default: 1 minute.
    pub pause: Duration,
    /// How long connecting may take: name, TCP, TLS and WebSocket. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long to wait for EOSE before a silent relay counts as subscribed. Default: 5 s.
    pub eose_timeout: Duration,
    /// The roots to trust for `wss`. Default: the built-in roots and the operating system's.
    pub tls: Tls,
    /// How far back a subscription reaches, for relays that buffer events. Default: 10 minutes.
    pub overlap: Duration,
}

impl RelayOptions {
    /// The defaults, for a service with these keys that listens for these kinds.
    pub fn new(keys: Keys, kinds: Vec<Kind>) -> Self {
        Self {
            our_keys: vec![keys.public_key()],
            keys,
            kinds,
            relays: Vec::new(),
            allow_private: false,
            max_preferred: 50,
            max_preferred_per_user: 3,
            inbox: 4096,
            queue_per_relay: 1024,
            remembered: 65_536,
            retry: Duration::from_secs(1),
            pause: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            eose_timeout: Duration::from_secs(5),
            tls: Tls::default(),
            overlap: Duration::from_secs(600),
        }
    }
}
