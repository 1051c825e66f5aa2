//! What the relay side needs to know to start, with every bound in one place.

use std::time::Duration;

use nostr_sdk::prelude::{Keys, Kind, PublicKey, RelayUrl};

use crate::tls::Tls;

/// A relay the operator chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySpec {
    /// Where it is.
    pub url: RelayUrl,
    /// Subscribe there.
    pub read: bool,
    /// Publish there.
    pub write: bool,
}

impl RelaySpec {
    /// A relay to subscribe and to publish at.
    pub const fn read_write(url: RelayUrl) -> Self {
        Self { url, read: true, write: true }
    }
}

/// What became of the operator's relays when they were listed anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayChanges {
    /// Connected to from now on.
    pub added: Vec<RelayUrl>,
    /// Not connected to any more.
    pub removed: Vec<RelayUrl>,
    /// Connected to anew, to be read and written as they are listed now.
    pub changed: Vec<RelayUrl>,
}

/// How to run the relay side; [`RelayOptions::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The keys to log in with at relays that ask for it (NIP-42).
    pub keys: Keys,
    /// The kinds to subscribe to.
    pub kinds: Vec<Kind>,
    /// The recipients (`p` tags) to subscribe to. Default: the key of `keys`.
    pub our_keys: Vec<PublicKey>,
    /// The relays to start with, in order of preference. Default: none.
    pub relays: Vec<RelaySpec>,
    /// May relays named by wallets be at private addresses, and `ws://` ones at loopback? Default: no.
    pub allow_private: bool,
    /// How many relays named by wallets are connected at a time, in all. Default: 50.
    pub max_preferred: usize,
    /// How many relays of one wallet are taken. Default: 3.
    pub max_preferred_per_user: usize,
    /// How many signals wait to be taken before workers wait. Default: 4096.
    pub inbox: usize,
    /// How many event frames of one relay wait for a worker before more are dropped. Default: 1024.
    pub queue_per_relay: usize,
    /// How many verified event ids are remembered at least, to drop duplicates. Default: 65,536.
    pub remembered: usize,
    /// The wait before the first new attempt at a connection or subscription; it doubles. Default: 1 s.
    pub retry: Duration,
    /// How long a relay that turned out hostile is left alone; twice as long each time that follows, up to
    /// sixty times. Default: 1 minute.
    pub pause: Duration,
    /// How long a connection may take to be made: name, TCP, TLS and WebSocket. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long to wait for EOSE before a silent relay is taken for subscribed. Default: 5 s.
    pub eose_timeout: Duration,
    /// Whom to trust on `wss`. Default: the built-in roots and the operating system's.
    pub tls: Tls,
    /// How far back a subscription reaches, for relays that buffer. Default: 10 minutes.
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
