//! The composition root: the one place that names the concrete parts and puts them together.
//!
//! [`start`] tells the story; each of its steps that takes more than a few lines is a file beside this one.

mod error;
pub(crate) mod folder;
mod identity;
mod limits;
mod manager;
mod preflight;
mod wallets;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Keys, PublicKey, RelayUrl, ToBech32};

use crate::access_token;
use crate::api::{self, HandedOver, Services};
use crate::clock::{SharedClock, Timekeeper};
use crate::config::files::show_path;
use crate::config::{Config, ProfileRules, RelayEntry};
use crate::directory::Directory;
use crate::events::Events;
use crate::identity::Identity;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::portal::{Opening, Parts, Portal};
use crate::profile::{self, OwnProfile};
use crate::protocol::kind;
use crate::relay::{RelayChanges, RelayOptions, Relays};
use crate::roster::{self, Roster};
use crate::session::{Book, Resting, Sessions};
use crate::shown;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Deliveries, OperatorRelays, Store, StoreError};
use crate::tokens::{Mint, PortalTokens, RevokedTokens, Rotation, Tokens};
use crate::webhook::{self, Webhooks};
pub use error::{FolderError, StartError};
use folder::DataFolder;
pub use folder::{Acting, check_folder, owners_in};
pub use identity::{check_identity, load_keys, load_keys_of};
pub use preflight::check_files;

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    lifecycle: Lifecycle,
    portal: Arc<Portal>,
    roster: Arc<Roster>,
    profile: Arc<OwnProfile>,
    relays: Relays,
    store: Arc<dyn Store>,
    public_key: PublicKey,
    listen: Option<SocketAddr>,
    _folder: DataFolder,
}

/// Starts the daemon: reads its secrets, opens its store and sockets, takes up what was open, connects.
pub async fn start(config: &Config, handed: HandedOver, clock: SharedClock) -> Result<Daemon, StartError> {
    limits::raise_file_limit();
    let listens = handed.has_tcp() || config.local.listen.is_some();
    check_files(config, Acting::AsDaemon, listens, &*clock)?;
    // The sockets come first: a second daemon, started by mistake, ends here and has made nothing.
    let sockets = api::open_sockets(&config.local, handed).await?;
    let (socket, listen) = (sockets.path(), sockets.address());
    let capacity = limits::capacity(config, listen.is_some());

    let folder = DataFolder::take(&config.data_dir, Acting::AsDaemon)?;
    let metrics = Arc::<Metrics>::default();
    let store = open_store(&folder, config.webhook.is_some(), &metrics).await?;
    // After the store: no new key for data that cannot be read.
    let (keys, identity) = identity::load(&config.service, &folder, &*clock)?;
    let identity = Arc::new(identity);
    let public_key = identity.main_key();
    let token = listen.map(|_| config.local.token.load()).transpose()?;

    let (timekeeper, jump) = Timekeeper::new(Arc::clone(&clock), store.clock_seen().await?);
    let timekeeper = Arc::new(timekeeper);
    let revoked = {
        let (store, clock, timekeeper) = (store.clone(), Arc::clone(&clock), Arc::clone(&timekeeper));
        RevokedTokens::load(config.tokens.max_revocations, store, clock, timekeeper).await?
    };
    let portal_tokens = PortalTokens::new(
        &config.tokens,
        Arc::clone(&identity),
        Arc::clone(&revoked),
        store.clone(),
        Arc::clone(&clock),
    );
    let opening = Opening::load(&*store, &config.auth, timekeeper.settled()).await?;
    let options = relay_options(config, keys, &*store).await?;
    let (relays, signals) = Relays::start(options, opening.gate(), Arc::clone(&clock)).await;

    let lifecycle = Lifecycle::default();
    let events = Events::new(store.clone(), identity.sealer());
    let webhooks = webhooks(config, store.clone(), &events, (&clock, &timekeeper), &lifecycle, &metrics)?;
    let mint = open_mint(config, &folder, &identity, &clock, &timekeeper).await?;
    let rotation = Rotation::new(Arc::clone(&mint), store.clone(), Arc::clone(&clock));
    lifecycle.run("key rotation", Arc::clone(&rotation).on_schedule());
    let book = config.sessions.enabled.then(|| {
        let (events, rules) = (events.clone(), config.sessions.clone());
        let (clock, metrics) = (Arc::clone(&clock), Arc::clone(&metrics));
        Arc::new(Book::new(store.clone(), events, Arc::clone(&mint), rules, clock, metrics))
    });
    let profile = OwnProfile::start(profile::Parts {
        sealer: identity.sealer(),
        key: identity.key(),
        main_key: public_key,
        profile: config.profile.clone(),
        lookup: config.lookup.clone(),
        tls: config.tls.clone(),
        relays: relays.clone(),
        clock: Arc::clone(&clock),
        lifecycle: lifecycle.clone(),
        record: folder.profile(),
    })?;
    let parts = Parts {
        events,
        identity,
        limits: config.auth.clone(),
        tokens: Arc::clone(&portal_tokens),
        history: config.history.clone(),
        delivery_patience: config.webhook.as_ref().map_or(Duration::ZERO, |hook| hook.rules.give_up_after),
        store: Arc::clone(&store),
        relays: relays.clone(),
        clock: Arc::clone(&clock),
        timekeeper: Arc::clone(&timekeeper),
        lifecycle: lifecycle.clone(),
        book: book.clone(),
        metrics: Arc::clone(&metrics),
    };
    let roster = Roster::new(roster::Parts {
        listed: config.relays.clone(),
        max_relays: config.relay_rules.max_relays,
        store: Arc::clone(&store),
        relays: relays.clone(),
        clock: Arc::clone(&clock),
        lifecycle: lifecycle.clone(),
        metrics: Arc::clone(&metrics),
    });
    let own = (public_key, config.service.nip05_names.clone());
    let directory = Directory::new(own, &config.lookup, &config.tls, relays.clone(), Arc::clone(&metrics))?;
    let portal = Portal::start(parts, opening, signals);
    if let Some(jump) = jump {
        portal.clock_jumped(jump);
    }
    let thirdweb = wallets::thirdweb(config, &revoked, &store, &clock)?;
    config.tls.log_troubles();
    if book.is_none() && config.wallets.names().len() > 1 {
        tracing::warn!(wallets = ?config.wallets.names(), "sessions are off (sessions.enabled): no wallet but Portal's is let in");
    }
    let sessions = match book {
        Some(book) => {
            let providers =
                wallets::providers(config, &portal_tokens, thirdweb.as_ref(), &store, &clock, &timekeeper)?;
            Some(Sessions::start(book, providers, &config.wallets.default, &lifecycle))
        }
        None => None,
    };
    let others = thirdweb.as_ref().map(|thirdweb| Arc::clone(&thirdweb.tokens) as _);
    let resting = sessions.as_ref().map(|sessions| Arc::new(Resting(Arc::clone(sessions))) as _);
    let tokens = Tokens::new(public_key, portal_tokens, mint, others, resting);
    let services = Services {
        portal: Arc::clone(&portal),
        roster: Arc::clone(&roster),
        directory: Arc::new(directory),
        profile: Arc::clone(&profile),
        webhooks,
        sessions,
        thirdweb,
        tokens: Arc::new(tokens),
        rotation,
        metrics,
    };
    let rules = (&config.local, &config.forward);
    api::serve(services, rules, token, (sockets, capacity), &lifecycle);
    lifecycle.run("relay alarm", watch::alarm(relays.clone()));
    lifecycle.run("status", watch::show(relays.clone(), Arc::clone(&portal)));
    lifecycle.run("watchdog", watch::beat(relays.clone(), Arc::clone(&portal)));

    tracing::info!(
        version = api::VERSION,
        public_key = %public_key,
        socket = socket.map(|path| show_path(&path)),
        listen = listen.map(|address| address.to_string()),
        api_token = listen.map(|_| config.local.token.to_string()),
        relays = relays.list().len(),
        relay_source = %config.relay_source,
        "serving"
    );
    manager::ready(&watch::status(&relays, &portal));
    Ok(Daemon { lifecycle, portal, roster, profile, relays, store, public_key, listen, _folder: folder })
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

    /// Takes over `[profile]`, if it could be read. If not, the old one stays in force.
    pub fn reload_profile<E: std::fmt::Display>(&self, section: Result<ProfileRules, E>) {
        match section {
            Ok(section) => self.profile.reload(section),
            Err(error) => tracing::error!(%error, "cannot reload: the profile stays as it was"),
        }
    }

    /// Takes over a new list of relays, if it could be read. If not, the old one stays in force.
    pub async fn reload<E: std::fmt::Display>(&self, listed: Result<Vec<RelayEntry>, E>) {
        manager::reloading();
        let reloaded = match listed {
            Ok(listed) => self.roster.reload(listed).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match reloaded {
            Ok(changes) => log(&changes),
            Err(error) => tracing::error!(%error, "cannot reload: the relays stay as they were"),
        }
        manager::ready(&watch::status(&self.relays, &self.portal));
    }

    /// Stops: takes on nothing new, ends what was begun, then lets go of relays and store. Whatever is
    /// open stays open in the store. When `impatient` resolves, what has not ended is aborted. Returns
    /// whether all went well.
    pub async fn stop(self, impatient: impl Future<Output = ()>) -> bool {
        manager::stopping();
        self.lifecycle.stop();
        let clean = self.lifecycle.drained(impatient).await;
        self.relays.shutdown().await;
        self.store.close().await;
        tracing::info!(clean, "stopped");
        clean
    }
}

/// Opening may bring the file up to date, which blocks.
async fn open_store(
    folder: &DataFolder,
    owes_deliveries: bool,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Store>, StartError> {
    folder.make_private()?;
    let path = folder.database();
    let options = SqliteOptions { owes_deliveries, metrics: Arc::clone(metrics), ..SqliteOptions::default() };
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path, options)).await;
    let opened = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Arc::new(opened?))
}

/// The keys of access tokens, made at the first start.
async fn open_mint(
    config: &Config,
    folder: &DataFolder,
    identity: &Identity,
    clock: &SharedClock,
    timekeeper: &Arc<Timekeeper>,
) -> Result<Arc<Mint>, StartError> {
    let (file, rules, clock) = (folder.access_keys(), config.access.clone(), Arc::clone(clock));
    let service = access_token::PublicKey::of_service(&identity.verifying_key());
    let npub = identity.main_key().to_bech32().unwrap_or_else(|never| match never {});
    let keep = config.sessions.max_lifetime;
    let timekeeper = Arc::clone(timekeeper);
    let open = move || Mint::open(&file, &rules, service, &npub, keep, clock, timekeeper);
    let opened = tokio::task::spawn_blocking(open).await;
    let opened = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Arc::new(opened?))
}

/// Delivers events from now on, if anybody is to be told.
fn webhooks(
    config: &Config,
    deliveries: Arc<dyn Deliveries>,
    events: &Events,
    (clock, timekeeper): (&SharedClock, &Arc<Timekeeper>),
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> Result<Webhooks, StartError> {
    let clock = Arc::clone(clock);
    let Some(webhook) = &config.webhook else { return Ok(Webhooks::off(deliveries, clock)) };
    let parts = webhook::Parts {
        webhook: webhook.clone(),
        keys: webhook.secret.load()?,
        tls: config.tls.clone(),
        events: events.clone(),
        timekeeper: Arc::clone(timekeeper),
        lifecycle: lifecycle.clone(),
        metrics: Arc::clone(metrics),
    };
    Ok(Webhooks::start(deliveries, clock, parts)?)
}

/// The operator's relays, with what was changed at run time.
async fn relay_options(
    config: &Config,
    keys: Keys,
    store: &dyn OperatorRelays,
) -> Result<RelayOptions, StartError> {
    let rules = &config.relay_rules;
    let kinds = vec![kind::AUTH_RESPONSE, kind::KEY_HANDSHAKE, kind::SUBKEY_PROOF];
    Ok(RelayOptions {
        relays: roster::operator_relays(&config.relays, store).await?,
        allow_private: rules.allow_private,
        max_preferred: rules.max_preferred,
        max_preferred_per_user: rules.max_preferred_per_user,
        inbox: rules.inbox,
        queue_per_relay: rules.queue_per_relay,
        tls: config.tls.clone(),
        ..RelayOptions::new(keys, kinds)
    })
}

fn log(changes: &RelayChanges) {
    let RelayChanges { added, removed, changed } = changes;
    let list = |urls: &[RelayUrl]| urls.iter().map(shown::relay).collect::<Vec<_>>().join(" ");
    tracing::info!(added = list(added), removed = list(removed), changed = list(changed), "reloaded");
}
