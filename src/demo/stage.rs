//! The parts of the demo: a relay, the daemon in a temporary folder, a wallet.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Keys, RelayUrl};
use tempfile::TempDir;

use super::relay::{EmbeddedRelay, EmbeddedRelayError};
use super::wallet::Wallet;
use crate::app::{self, Daemon, StartError};
use crate::clock::SystemClock;
use crate::config::key::{self, KeyError};
use crate::config::{
    AccessRules, ApiToken, AuthLimits, Config, ForwardRules, HistoryRules, Local, Log, LookupRules,
    ProfileRules, RelayEntry, RelayRules, RelaySource, Service, SessionRules, StorePlace, TokenRules,
    UiRules, Wallets, files,
};
use crate::http::HandedOver;
use crate::tls::Tls;

/// High, because the visitor asks the same simulated user again and again.
const MAX_PROMPTS: usize = 10_000;

/// How long the visitor waits for a user who does not answer.
const CHALLENGE_TTL: Duration = Duration::from_secs(60);

/// The most connections that a demo needs.
const MAX_CONNECTIONS: usize = 256;

/// The reason why the demo cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The temporary folder, or a file in it.
    #[error("cannot use the temporary folder: {0}")]
    Folder(#[from] io::Error),
    /// The service's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The relay.
    #[error(transparent)]
    Relay(#[from] EmbeddedRelayError),
    /// The daemon.
    #[error(transparent)]
    Daemon(#[from] StartError),
    /// The daemon serves, but not on TCP.
    #[error("the daemon has no TCP socket")]
    NoTcp,
}

/// Relay, daemon and wallet. Their files are removed when this is dropped.
#[derive(Debug)]
pub struct Stage {
    wallet: Wallet,
    daemon: Option<Daemon>,
    relay: Option<EmbeddedRelay>,
    folder: TempDir,
}

impl Stage {
    /// Makes the folder and the wallet; the steps of the demo start the rest.
    ///
    /// # Errors
    ///
    /// [`StageError::Folder`].
    pub fn new() -> Result<Self, StageError> {
        let folder = tempfile::Builder::new().prefix("portico-demo-").tempdir()?;
        Ok(Self { wallet: Wallet::new(Keys::generate()).connect(), daemon: None, relay: None, folder })
    }

    pub(super) async fn raise_relay(&mut self) -> Result<RelayUrl, StageError> {
        let relay = EmbeddedRelay::start().await?;
        let url = relay.url().clone();
        self.relay = Some(relay);
        Ok(url)
    }

    /// Starts the daemon and waits until the relay has accepted its subscription. Returns its TCP address.
    pub(super) async fn raise_daemon(&mut self, relay: RelayUrl) -> Result<SocketAddr, StageError> {
        // The daemon would make these itself, and warn its operator to keep a copy.
        key::create(&self.path("service.key"))?;
        files::create_secret(&self.token_file(), &hex::encode(rand::random::<[u8; 32]>()))?;
        let daemon = app::start(&self.config(relay), HandedOver::default(), Arc::new(SystemClock)).await?;
        let daemon = self.daemon.insert(daemon);
        daemon.ready().await;
        daemon.listen().ok_or(StageError::NoTcp)
    }

    /// The daemon's Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.path("portico.sock")
    }

    /// The file with the API token of its TCP socket.
    pub fn token_file(&self) -> PathBuf {
        self.path("api-token")
    }

    /// How long a user may take to answer.
    pub fn challenge_ttl(&self) -> Duration {
        CHALLENGE_TTL
    }

    /// The simulated wallet.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The daemon, if it has started.
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// Stops everything and removes the folder; tasks that have not ended when `impatient` resolves are aborted.
    /// Returns whether the stop was clean.
    pub async fn strike(self, impatient: impl Future<Output = ()>) -> bool {
        let stopped = match self.daemon {
            Some(daemon) => daemon.stop(impatient).await,
            None => true,
        };
        self.wallet.shutdown().await;
        if let Some(relay) = self.relay {
            relay.stop();
        }
        self.folder.close().is_ok() && stopped
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The defaults, with the demo's own relay, folder and sockets. It reads neither files nor the environment,
    /// so that the demo runs the same everywhere.
    fn config(&self, relay: RelayUrl) -> Config {
        Config {
            store: StorePlace::Folder,
            file: None,
            found_here: Vec::new(),
            data_dir: self.path("data"),
            service: Service {
                key_file: self.path("service.key"),
                given_key: None,
                given_proof: None,
                subkey_proof_file: None,
                nip05_names: vec!["_".into()],
            },
            profile: ProfileRules::default(),
            portal_variables: Vec::new(),
            local: Local {
                socket: self.socket(),
                socket_mode: 0o600,
                socket_gid: None,
                allow_uids: Vec::new(),
                allow_gids: Vec::new(),
                allow: Vec::new(),
                listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
                allow_remote: false,
                token: ApiToken::File(self.token_file()),
                allowed_hosts: Vec::new(),
                allowed_origins: Vec::new(),
                max_connections: MAX_CONNECTIONS,
                max_connections_per_peer: MAX_CONNECTIONS,
                max_strangers: MAX_CONNECTIONS,
                max_followers: 1_000,
                max_followed_per_connection: 1_000,
                websocket_queue: 1_024,
                request_timeout: Duration::from_secs(30),
            },
            auth: AuthLimits {
                max_prompts_per_user: MAX_PROMPTS,
                // Users who do not answer keep their challenges open.
                max_open_per_user: MAX_PROMPTS,
                challenge_ttl: CHALLENGE_TTL,
                ..AuthLimits::default()
            },
            tokens: TokenRules::default(),
            relays: vec![RelayEntry { url: relay, read: true, write: true }],
            relay_source: RelaySource::BuiltIn,
            relay_rules: RelayRules::default(),
            lookup: LookupRules::default(),
            tls: Tls::default(),
            history: HistoryRules::default(),
            access: AccessRules::default(),
            sessions: SessionRules { enabled: true, ..SessionRules::default() },
            wallets: Wallets::default(),
            forward: ForwardRules::default(),
            ui: UiRules::default(),
            webhook: None,
            web: None,
            log: Log::default(),
        }
    }
}
