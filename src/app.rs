//! The composition root: the one file that names the concrete parts and puts them together.

use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Keys, PublicKey, RelayUrl};
use secrecy::SecretString;

use crate::api::{self, ListenError};
use crate::auth::{Auth, Identity, Opening, Parts};
use crate::clock::{Clock, SharedClock};
use crate::config::files::{self, SecretFileError};
use crate::config::key::{self, KeyError};
use crate::config::{ApiToken, Config, RelayEntry, WebhookSecretError};
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::protocol::{SubkeyError, SubkeyProof, kind};
use crate::relay::{RelayHealth, RelayOptions, RelaySpec, RelayState, Relays};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Outbox, RelayChange, Store, StoreError};
use crate::webhook::{self, Webhooks};

/// Why the daemon did not start. Each names the file or address that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The service's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The proof that goes with a subkey.
    #[error("the subkey proof in {} cannot be used: {reason}", path.display())]
    Proof {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The API token.
    #[error("cannot use the API token in {}: {error}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SecretFileError,
    },
    /// The secret of the webhook.
    #[error(transparent)]
    WebhookSecret(#[from] WebhookSecretError),
    /// The data folder.
    #[error("cannot use the data folder {}: {error}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The data folder is another service's, or the key file is not the one it was.
    #[error(
        "the data in {} are those of the service {known}, and {} does not hold its key: \
         give the right key file, or another data folder",
        folder.display(),
        key_file.display()
    )]
    OtherService {
        /// The data folder.
        folder: PathBuf,
        /// The public key that it was made with.
        known: String,
        /// The key file.
        key_file: PathBuf,
    },
    /// Another daemon uses the data folder.
    #[error("another daemon uses the data folder {}", .0.display())]
    DataDirInUse(PathBuf),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The HTTP client for look-ups and webhooks.
    #[error("cannot prepare an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    lifecycle: Lifecycle,
    relays: Relays,
    store: Arc<dyn Store>,
    public_key: PublicKey,
    listen: Option<SocketAddr>,
    /// Held for as long as the data folder is ours; the kernel lets go of it when we die.
    _lock: File,
}

/// Starts the daemon: reads its secrets, opens its store and sockets, takes up what was open, connects.
pub async fn start(config: &Config, clock: SharedClock) -> Result<Daemon, StartError> {
    raise_file_limit();
    let folder = &config.data_dir;
    files::create_private_dir(folder).map_err(|error| StartError::DataDir { path: folder.clone(), error })?;
    let lock = lock(folder)?;
    let (keys, identity) = identity(config, &*clock)?;
    let public_key = identity.main_key();
    let metrics = Arc::<Metrics>::default();
    let store = open_store(folder, config.webhook.is_some(), &metrics).await?;

    // Sockets come before relays: a second daemon by mistake ends here, before it speaks to anybody.
    let socket = api::unix(&config.local).await?;
    let listener = match config.local.listen {
        Some(address) => Some(api::tcp(address).await?),
        None => None,
    };
    let listen = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let token = if listen.is_some() { Some(api_token(&config.local.token)?) } else { None };

    let opening = Opening::load(&*store, &config.auth, clock.now()).await?;
    let options = relay_options(config, keys, &*store).await?;
    if options.relays.is_empty() {
        tracing::warn!(source = %config.relay_source, "no relays are configured: nobody can log in");
    }
    let (relays, signals) = Relays::start(options, opening.gate(), Arc::clone(&clock)).await;

    let lifecycle = Lifecycle::default();
    lifecycle.run("relay watch", watch_relays(relays.clone()));
    let events = Events::new(Arc::clone(&store), identity.sealer());
    let webhooks = webhooks(config, store.clone(), &events, &clock, &lifecycle, &metrics)?;
    let parts = Parts {
        events,
        identity,
        nip05_names: config.service.nip05_names.clone(),
        limits: config.auth.clone(),
        rules: config.tokens.clone(),
        lookup: config.lookup.clone(),
        history: config.history.clone(),
        delivery_patience: config.webhook.as_ref().map_or(Duration::ZERO, |hook| hook.rules.give_up_after),
        store: Arc::clone(&store),
        relays: relays.clone(),
        clock,
        lifecycle: lifecycle.clone(),
        max_relays: config.relay_rules.max_relays,
        metrics,
    };
    let auth = Auth::start(parts, opening, signals)?;
    api::serve(auth, webhooks, &config.local, token, socket, listener, &lifecycle);

    tracing::info!(
        version = api::VERSION,
        public_key = %public_key,
        socket = %config.local.socket.display(),
        listen = listen.map(|address| address.to_string()),
        api_token = listen.map(|_| config.local.token.to_string()),
        relays = relays.list().len(),
        relay_source = %config.relay_source,
        "serving"
    );
    Ok(Daemon { lifecycle, relays, store, public_key, listen, _lock: lock })
}

impl Daemon {
    /// The key that the service is known by.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The address of the TCP socket, if there is one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Resolves when a relay is subscribed.
    pub async fn ready(&self) {
        self.relays.ready().await;
    }

    /// Resolves when the daemon begins to stop by itself, because a part of it has failed.
    pub async fn failed(&self) {
        self.lifecycle.stopping().await;
    }

    /// Stops: takes on nothing new, ends what was begun, then lets go of relays and store. Whatever is
    /// open stays open in the store. When `impatient` resolves, what has not ended is aborted. Returns
    /// whether all went well.
    pub async fn stop(self, impatient: impl Future<Output = ()>) -> bool {
        self.lifecycle.stop();
        let clean = self.lifecycle.drained(impatient).await;
        self.relays.shutdown().await;
        self.store.close().await;
        tracing::info!(clean, "stopped");
        clean
    }
}

fn identity(config: &Config, clock: &dyn Clock) -> Result<(Keys, Identity), StartError> {
    let path = &config.service.key_file;
    let owner = config.data_dir.join("service.pub");
    let known =
        files::read_text(&owner).map_err(|error| StartError::DataDir { path: owner.clone(), error })?;
    let loaded = key::load(path)?;
    // A key file that is not the one it was, or is not there: not to be taken for a new service in silence.
    if let Some(known) =
        known.filter(|known| loaded.as_ref().is_none_or(|keys| keys.public_key().to_hex() != *known))
    {
        return Err(StartError::OtherService {
            folder: config.data_dir.clone(),
            known,
            key_file: path.clone(),
        });
    }
    let keys = match loaded {
        Some(keys) => keys,
        None => {
            let keys = key::create(path)?;
            tracing::warn!(file = %path.display(), public_key = %keys.public_key(), "made a new service key: keep a copy");
            keys
        }
    };
    if !owner.exists() {
        let key = keys.public_key().to_hex();
        files::create_secret(&owner, &key).map_err(|error| StartError::DataDir { path: owner, error })?;
    }
    let identity = match &config.service.subkey_proof_file {
        None => Identity::main(keys.clone()),
        Some(path) => {
            let failed = |reason: String| StartError::Proof { path: path.clone(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let proof: SubkeyProof =
                serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
            Identity::subkey(keys.clone(), proof, clock.now())
                .map_err(|error: SubkeyError| failed(error.to_string()))?
        }
    };
    Ok((keys, identity))
}

/// Two daemons on one database would both believe that they know what is open.
fn lock(folder: &Path) -> Result<File, StartError> {
    let failed = |error| StartError::DataDir { path: folder.to_owned(), error };
    let mut options = File::options();
    let file =
        options.create(true).append(true).mode(0o600).open(folder.join("portico.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::DataDirInUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Opening may bring the file up to date, which blocks.
async fn open_store(
    folder: &Path,
    outbox: bool,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Store>, StartError> {
    let path = folder.join("portico.db");
    for suffix in ["", "-wal", "-shm"] {
        let file = folder.join(format!("portico.db{suffix}"));
        files::make_private(&file).map_err(|error| StartError::DataDir { path: file, error })?;
    }
    let options = SqliteOptions { outbox, metrics: Arc::clone(metrics), ..SqliteOptions::default() };
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path, options)).await;
    let opened = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Arc::new(opened?))
}

/// Delivers events from now on, if anybody is to be told.
fn webhooks(
    config: &Config,
    outbox: Arc<dyn Outbox>,
    events: &Events,
    clock: &SharedClock,
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> Result<Webhooks, StartError> {
    let clock = Arc::clone(clock);
    let Some(webhook) = &config.webhook else { return Ok(Webhooks::off(outbox, clock)) };
    let parts = webhook::Parts {
        webhook: webhook.clone(),
        secret: webhook.secret.load()?,
        events: events.clone(),
        lifecycle: lifecycle.clone(),
        metrics: Arc::clone(metrics),
    };
    Ok(Webhooks::start(outbox, clock, parts)?)
}

/// The operator's relays, with what was changed at run time.
async fn relay_options(config: &Config, keys: Keys, store: &dyn Store) -> Result<RelayOptions, StartError> {
    let entry =
        |entry: &RelayEntry| RelaySpec { url: entry.url.clone(), read: entry.read, write: entry.write };
    let mut relays: Vec<RelaySpec> = config.relays.iter().map(entry).collect();
    for (url, change) in store.relay_changes().await? {
        let Ok(url) = RelayUrl::parse(&url) else { continue };
        tracing::info!(relay = %url, ?change, "changed at run time");
        let known = relays.iter().any(|relay| relay.url == url);
        match change {
            RelayChange::Added if !known => relays.push(RelaySpec::read_write(url)),
            RelayChange::Added => {}
            RelayChange::Removed => relays.retain(|relay| relay.url != url),
        }
    }
    let rules = &config.relay_rules;
    let kinds = vec![kind::AUTH_RESPONSE, kind::KEY_HANDSHAKE, kind::SUBKEY_PROOF];
    Ok(RelayOptions {
        relays,
        allow_private: rules.allow_private,
        max_preferred: rules.max_preferred,
        max_preferred_per_user: rules.max_preferred_per_user,
        inbox: rules.inbox,
        queue_per_relay: rules.queue_per_relay,
        ..RelayOptions::new(keys, kinds)
    })
}

/// Tells the operator when no relay can be reached, and when one can again.
async fn watch_relays(relays: Relays) {
    const EVERY: Duration = Duration::from_secs(10);

    let mut alarmed = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let list = relays.list();
        let ready = list.iter().filter(|relay| relay.state == RelayState::Ready).count();
        if ready > 0 && alarmed {
            tracing::info!(ready, relays = list.len(), "logins can go through again");
        } else if ready == 0 && !alarmed {
            let error = |relay: &RelayHealth| relay.last_error.as_ref().map(ToString::to_string);
            let trouble: Vec<_> = list
                .iter()
                .map(|relay| format!("{}: {}", relay.url, error(relay).unwrap_or_else(|| "no answer".into())))
                .collect();
            tracing::warn!(relays = list.len(), ?trouble, "no relay can be reached: nobody can log in now");
        }
        alarmed = ready == 0;
    }
}

/// The API token, made at the first start if nothing else is configured.
fn api_token(source: &ApiToken) -> Result<SecretString, StartError> {
    let (path, may_create) = match source {
        ApiToken::Given(token) => return Ok(token.clone()),
        ApiToken::File(path) => (path, false),
        ApiToken::Generated(path) => (path, true),
    };
    let failed = |error: SecretFileError| StartError::Token { path: path.clone(), error };
    if let Some(token) = files::read_secret(path).map_err(failed)? {
        if token.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is empty").into()));
        }
        return Ok(SecretString::from(token.as_str()));
    }
    if !may_create {
        return Err(failed(io::Error::from(io::ErrorKind::NotFound).into()));
    }
    let token = hex::encode(rand::random::<[u8; 32]>());
    files::create_secret(path, &token).map_err(|error| failed(error.into()))?;
    tracing::warn!(file = %path.display(), "made a new API token for TCP clients");
    Ok(SecretString::from(token))
}

/// Each connection is a file; many systems start a process with room for 1024.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
