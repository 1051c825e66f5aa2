//! The composition root: the one place that names the concrete parts and puts them together.
//!
//! [`start`] shows the order; `ground.rs` shows how each part is made from the shared basis.

mod error;
pub(crate) mod folder;
mod ground;
mod identity;
mod limits;
mod manager;
mod page;
mod preflight;
mod reach;
mod storage;
mod wallets;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use nostr_sdk::{PublicKey, RelayUrl};

use crate::api::{self, Services, UiPlan};
use crate::clock::SharedClock;
use crate::config::files::show_path;
use crate::config::{Config, ProfileRules, RelayEntry};
use crate::http::{self, HandedOver};
use crate::lifecycle::Lifecycle;
use crate::portal::{Opening, Portal};
use crate::profile::OwnProfile;
use crate::relay::{RelayChanges, Relays};
use crate::roster::Roster;
use crate::shown;
use crate::store::Store;
pub use error::{FolderError, StartError};
use folder::DataFolder;
pub use folder::{Acting, check_folder, owners_in};
use ground::Ground;
pub use identity::{check_identity, load_keys, load_keys_of};
use page::Door;
pub use preflight::check_files;
pub use reach::warnings as reach_warnings;
pub use storage::options as store_options;

/// A running daemon.
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

/// Starts the daemon: reads its secrets, opens its store and sockets, recovers open requests, connects to relays.
pub async fn start(config: &Config, handed: HandedOver, clock: SharedClock) -> Result<Daemon, StartError> {
    config.tls.load_ahead();
    limits::raise_file_limit();
    check_files(config, Acting::AsDaemon, handed.has_tcp() || config.local.listen.is_some(), &*clock)?;
    // The sockets come first, so that a second daemon, started by mistake, fails here before it makes any file.
    let sockets = http::open_sockets(&config.local, handed).await?;
    let door = Door::open(config).await?;
    let (socket, listen) = (sockets.path(), sockets.address());
    reach::warnings(config, socket.as_deref()).iter().for_each(|warning| tracing::warn!("{warning}"));
    let capacity = limits::capacity(config, listen.is_some());

    let folder = DataFolder::take(&config.data_dir, Acting::AsDaemon)?;
    let (ground, keys, jump) = Ground::lay(config, &folder, clock).await?;
    let token = listen.map(|_| config.local.token.load()).transpose()?;
    let revoked = ground.revoked().await?;
    let portal_tokens = ground.portal_tokens(&revoked);
    let opening = Opening::load(&*ground.store, &config.auth, ground.timekeeper.settled()).await?;
    let options = ground.relay_options(keys).await?;
    let relays = Relays::start(options, opening.gate(), Arc::clone(&ground.clock)).await;

    let webhooks = ground.webhooks()?;
    let mint = ground.mint().await?;
    let rotation = ground.rotation(&mint);
    let book = ground.book(&mint);
    let profile = ground.profile(&relays, folder.profile());
    let (roster, directory) = (ground.roster(&relays), Arc::new(ground.directory(&relays)));
    let portal = Portal::start(ground.portal(&relays, &portal_tokens, book.clone()), opening);
    ground.keep_house(&revoked, jump);
    let thirdweb = wallets::thirdweb(&ground, &revoked)?;
    let sessions = ground.sessions(book, &portal_tokens, thirdweb.as_ref())?;
    let api_tokens = ground.api_tokens().await?;
    let tokens = ground.tokens(portal_tokens, mint, thirdweb.as_ref(), sessions.as_ref());

    let page = ground.sign_in_page((&portal, &roster), &profile, &webhooks);

    let (lifecycle, store, public_key) = (ground.lifecycle, ground.store, ground.identity.main_key());
    let services = Services {
        portal: Arc::clone(&portal),
        events: ground.events,
        roster: Arc::clone(&roster),
        directory,
        profile: Arc::clone(&profile),
        webhooks,
        sessions,
        thirdweb,
        tokens,
        rotation,
        api_tokens,
        page: page.clone(),
        metrics: ground.metrics,
    };
    let ui = UiPlan::of(config);
    api::serve(services, (&config.local, &config.forward, ui), token, (sockets, capacity), &lifecycle);
    watch::start(&lifecycle, &relays, &portal);
    log_start(config, public_key, relays.list().len(), (socket, listen, door.address()));
    door.serve(page.as_ref());
    manager::ready(&watch::status(&relays, &portal));
    Ok(Daemon { lifecycle, portal, roster, profile, relays, store, public_key, listen, _folder: folder })
}

fn log_start(
    config: &Config,
    public_key: PublicKey,
    relays: usize,
    (socket, listen, web): (Option<PathBuf>, Option<SocketAddr>, Option<SocketAddr>),
) {
    tracing::info!(
        version = api::VERSION,
        public_key = %public_key,
        socket = socket.map(|path| show_path(&path)),
        listen = listen.map(|address| address.to_string()),
        api_token = listen.map(|_| config.local.token.to_string()),
        web = web.map(|address| address.to_string()),
        relays,
        relay_source = %config.relay_source,
        "serving"
    );
}

impl Daemon {
    /// The public key that the service is known by.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The address of the TCP socket, if there is one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// Resolves when a relay has accepted the subscription.
    pub async fn ready(&self) {
        self.relays.ready().await;
    }

    /// Resolves when the daemon begins to stop because a part of it failed.
    pub async fn failed(&self) {
        self.lifecycle.stopping().await;
    }

    /// Applies a new list of relays and a new `[profile]`, if the configuration has no mistake. Otherwise everything
    /// stays as it is.
    pub async fn reload<E: std::fmt::Display>(&self, read: Result<(Vec<RelayEntry>, ProfileRules), E>) {
        manager::reloading();
        match read {
            Ok((listed, profile)) => {
                self.profile.reload(profile);
                match self.roster.reload(listed).await {
                    Ok(changes) => log(&changes),
                    Err(error) => {
                        tracing::error!(%error, "cannot reload the relays: the old list stays in force");
                    }
                }
            }
            Err(error) => tracing::error!(
                %error,
                "nothing was reloaded, because the configuration has a mistake: the old one stays in force, \
                 and the daemon cannot start with this one"
            ),
        }
        manager::ready(&watch::status(&self.relays, &self.portal));
    }

    /// Stops: accepts nothing new, finishes what it began, then closes relays and store. Open requests
    /// stay open in the store. When `impatient` resolves, unfinished tasks are aborted. Returns
    /// whether the stop was clean.
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

fn log(changes: &RelayChanges) {
    let RelayChanges { added, removed, changed } = changes;
    let list = |urls: &[RelayUrl]| urls.iter().map(shown::relay).collect::<Vec<_>>().join(" ");
    tracing::info!(added = list(added), removed = list(removed), changed = list(changed), "reloaded");
}
