//! Sessions as the daemon puts them together, but for the clock and the wallets.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nostr_sdk::Keys;
use portico::access_token::PublicKey;
use portico::clock::{Clock, SharedClock, Timekeeper, Timestamp};
use portico::config::files::Owners;
use portico::config::{AccessRules, SessionRules};
use portico::events::Events;
use portico::lifecycle::Lifecycle;
use portico::metrics::Metrics;
use portico::portal_token::SigningKey;
use portico::protocol::Sealer;
use portico::session::{Book, Sessions};
use portico::store::Upkeep;
use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::tokens::{KeyFile, Mint, Rotation};
use portico::wallet::{Credential, CredentialError, WalletIdentity, WalletProvider};

/// When the world begins, in seconds since the Unix epoch.
const BEGINNING: u64 = 1_800_000_000;

/// A clock that stands still until it is moved on.
#[derive(Debug)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// The keys of the service.
fn own_keys() -> Keys {
    Keys::parse(&"4e".repeat(32)).unwrap()
}

/// Wallets whose credentials say everything themselves: `WALLET.EXPIRES_AT.NUMBER`.
#[derive(Debug)]
struct Wallets {
    clock: Arc<Hand>,
    withdrawn: Mutex<HashSet<[u8; 32]>>,
}

fn name_of(credential: &str) -> [u8; 32] {
    let mut name = [0; 32];
    name[..credential.len()].copy_from_slice(credential.as_bytes());
    name
}

#[async_trait]
impl WalletProvider for Wallets {
    fn name(&self) -> &str {
        "test"
    }

    async fn identify(&self, credential: &Credential<'_>) -> Result<WalletIdentity, CredentialError> {
        let credential = credential.text;
        let mut parts = credential.split('.');
        let mut part = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(wallet), Some(expires_at)) = (part(), part()) else {
            return Err(CredentialError::Rejected { code: "malformed", message: "malformed".into() });
        };
        if self.is_withdrawn(&name_of(credential)) {
            return Err(CredentialError::Rejected { code: "withdrawn", message: "withdrawn".into() });
        }
        let expires_at = Timestamp::from_secs(expires_at);
        if expires_at <= self.clock.now() {
            return Err(CredentialError::Expired { message: "expired".into() });
        }
        Ok(WalletIdentity {
            provider: "test".into(),
            wallet_id: wallet.to_string(),
            auth_method: "test".into(),
            auth_identifier: format!("owner of {wallet}"),
            credential: name_of(credential),
            expires_at,
            issued_at: None,
            target_key: None,
            wallets: Vec::new(),
            claims: serde_json::Value::Null,
        })
    }

    fn is_withdrawn(&self, credential: &[u8; 32]) -> bool {
        self.withdrawn.lock().unwrap().contains(credential)
    }
}

/// Everything that survives a restart of the daemon, and the daemon's sessions.
pub(crate) struct World {
    folder: tempfile::TempDir,
    keys: KeyFile,
    clock: Arc<Hand>,
    wallets: Arc<Wallets>,
    rules: SessionRules,
    running: Option<Running>,
}

struct Running {
    sessions: Arc<Sessions>,
    mint: Arc<Mint>,
    store: Arc<SqliteStore>,
    lifecycle: Lifecycle,
}

impl World {
    pub(crate) async fn new(rules: SessionRules) -> Self {
        let clock = Arc::new(Hand(BEGINNING.into()));
        let wallets = Arc::new(Wallets { clock: Arc::clone(&clock), withdrawn: Mutex::default() });
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFile::new(folder.path().join("access-keys.json"), Owners::ours());
        let mut world = Self { folder, keys, clock, wallets, rules, running: None };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        let clock: SharedClock = self.clock.clone();
        let store = SqliteStore::open(&self.folder.path().join("db"), SqliteOptions::default()).unwrap();
        let store = Arc::new(store);
        let events = Events::new(store.clone(), Arc::new(Sealer::new(own_keys(), 8)));
        let mint = self.new_mint().await;
        let metrics = Arc::<Metrics>::default();
        let book = Book::new(store.clone(), events, Arc::clone(&mint), self.rules.clone(), clock, metrics);
        let lifecycle = Lifecycle::default();
        let wallets: Arc<dyn WalletProvider> = self.wallets.clone();
        let sessions = Sessions::start(Arc::new(book), store.clone(), vec![wallets], "test", &lifecycle);
        self.running = Some(Running { sessions, mint, store, lifecycle });
    }

    /// A mint with the same keys, as another process would have it.
    async fn new_mint(&self) -> Arc<Mint> {
        let secret = own_keys().secret_key().clone();
        let service = PublicKey::of_service(&SigningKey::from_secret(&secret).verifying_key());
        let keys = Arc::new(self.keys.clone());
        let rules = AccessRules { lifetime: Duration::from_secs(60), ..AccessRules::default() };
        let timekeeper = Arc::new(Timekeeper::trusting(self.clock()));
        let keep = self.rules.max_lifetime;
        let mint = Mint::open(keys, &rules, service, "npub1test", keep, self.clock(), timekeeper);
        Arc::new(mint.await.unwrap())
    }

    /// Stops and starts the parts that a restart of the daemon stops and starts.
    pub(crate) async fn restart(&mut self) {
        let Running { store, lifecycle, .. } = self.running.take().unwrap();
        lifecycle.stop();
        assert!(lifecycle.drained(std::future::pending()).await);
        store.close().await;
        self.start().await;
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("access-keys.json")
    }

    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.running.as_ref().unwrap().sessions
    }

    pub(crate) fn mint(&self) -> &Arc<Mint> {
        &self.running.as_ref().unwrap().mint
    }

    /// Rotates the keys of the mint.
    pub(crate) fn rotation(&self) -> Arc<Rotation> {
        self.rotation_of(self.mint())
    }

    /// Another mint with the same keys, and what rotates them by it.
    pub(crate) async fn second_mint(&self) -> (Arc<Mint>, Arc<Rotation>) {
        let mint = self.new_mint().await;
        let rotation = self.rotation_of(&mint);
        (mint, rotation)
    }

    fn rotation_of(&self, mint: &Arc<Mint>) -> Arc<Rotation> {
        let lifecycle = self.running.as_ref().unwrap().lifecycle.clone();
        Rotation::new(Arc::clone(mint), self.store(), self.clock(), lifecycle)
    }

    /// The same store, for what goes around sessions.
    pub(crate) fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.running.as_ref().unwrap().store)
    }

    /// Seconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().secs()
    }

    pub(crate) fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.clock.0.fetch_add(secs, Ordering::SeqCst);
    }

    pub(crate) fn withdraw(&self, credential: &str) {
        self.wallets.withdrawn.lock().unwrap().insert(name_of(credential));
    }
}
