//! The shared basis of all parts, and how each part is made from it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Keys, ToBech32};

use super::error::StartError;
use super::folder::DataFolder;
use super::{identity, storage, wallets};
use crate::access_token;
use crate::api_tokens::NamedTokens;
use crate::clock::{Jump, SharedClock, Timekeeper};
use crate::config::Config;
use crate::directory::Directory;
use crate::events::Events;
use crate::housekeeping::Housekeeping;
use crate::identity::Identity;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::portal;
use crate::profile::{self, OwnProfile};
use crate::protocol::kind;
use crate::relay::{RelayOptions, Relays};
use crate::roster::{self, Roster};
use crate::session::{Book, Resting, Sessions};
use crate::store::{KeyStore, Store};
use crate::tokens::{Issued, Mint, PortalTokens, RevokedTokens, Rotation, Tokens};
use crate::wallet::thirdweb::SignIn;
use crate::webhook::{self, Webhooks};

/// What every part may need.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) clock: SharedClock,
    pub(super) timekeeper: Arc<Timekeeper>,
    pub(super) store: Arc<dyn Store>,
    keys: Arc<dyn KeyStore>,
    pub(super) identity: Arc<Identity>,
    pub(super) events: Events,
    pub(super) lifecycle: Lifecycle,
    pub(super) metrics: Arc<Metrics>,
}

impl<'a> Ground<'a> {
    /// Opens the store, then the keys: it makes no new key for data that it cannot read. Logs a jump of the clock
    /// since the daemon last ran.
    pub(super) async fn lay(
        config: &'a Config,
        folder: &DataFolder,
        clock: SharedClock,
    ) -> Result<(Self, Keys, Option<Jump>), StartError> {
        let metrics = Arc::<Metrics>::default();
        let opened = storage::open(config, folder, &metrics).await?;
        let (keys, identity) = identity::load(&config.service, folder, &*clock)?;
        let (store, ring) = (Arc::clone(&opened.store), opened.keys(folder, identity.sealer()));
        let (timekeeper, jump) = Timekeeper::new(Arc::clone(&clock), store.clock_seen().await?);
        let events = Events::new(store.clone(), identity.sealer());
        let (timekeeper, identity) = (Arc::new(timekeeper), Arc::new(identity));
        let lifecycle = Lifecycle::default();
        if let Some(lock) = opened.lock {
            lifecycle.run("lock of the database", lock.hold());
        }
        let ground =
            Self { config, clock, timekeeper, store, keys: ring, identity, events, lifecycle, metrics };
        Ok((ground, keys, jump))
    }

    fn clock(&self) -> SharedClock {
        Arc::clone(&self.clock)
    }

    pub(super) async fn revoked(&self) -> Result<Arc<RevokedTokens>, StartError> {
        let (most, timekeeper) = (self.config.tokens.max_revocations, Arc::clone(&self.timekeeper));
        Ok(RevokedTokens::load(most, self.store.clone(), self.clock(), timekeeper).await?)
    }

    pub(super) fn portal_tokens(&self, revoked: &Arc<RevokedTokens>) -> Arc<PortalTokens> {
        let (rules, identity) = (&self.config.tokens, Arc::clone(&self.identity));
        PortalTokens::new(rules, identity, Arc::clone(revoked), self.store.clone(), self.clock())
    }

    /// The operator's relays, with the changes made at run time.
    pub(super) async fn relay_options(&self, keys: Keys) -> Result<RelayOptions, StartError> {
        let rules = &self.config.relay_rules;
        let kinds = vec![kind::AUTH_RESPONSE, kind::KEY_HANDSHAKE, kind::SUBKEY_PROOF];
        Ok(RelayOptions {
            relays: roster::operator_relays(&self.config.relays, &*self.store).await?,
            allow_private: rules.allow_private,
            max_preferred: rules.max_preferred,
            max_preferred_per_user: rules.max_preferred_per_user,
            inbox: rules.inbox,
            queue_per_relay: rules.queue_per_relay,
            tls: self.config.tls.clone(),
            ..RelayOptions::new(keys, kinds)
        })
    }

    /// Delivers events from now on, if a webhook is configured.
    pub(super) fn webhooks(&self) -> Result<Webhooks, StartError> {
        let (deliveries, clock) = (self.store.clone(), self.clock());
        let Some(webhook) = &self.config.webhook else { return Ok(Webhooks::off(deliveries, clock)) };
        let parts = webhook::Parts {
            webhook: webhook.clone(),
            keys: webhook.secret.load()?,
            tls: self.config.tls.clone(),
            events: self.events.clone(),
            timekeeper: Arc::clone(&self.timekeeper),
            lifecycle: self.lifecycle.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        Ok(Webhooks::start(deliveries, clock, parts))
    }

    /// The keys of access tokens, made at the first start.
    pub(super) async fn mint(&self) -> Result<Arc<Mint>, StartError> {
        let keys = Arc::clone(&self.keys);
        let service = access_token::PublicKey::of_service(&self.identity.verifying_key());
        let npub = self.identity.main_key().to_bech32().unwrap_or_else(|never| match never {});
        let keep = self.config.sessions.max_lifetime;
        let timekeeper = Arc::clone(&self.timekeeper);
        let rules = &self.config.access;
        let mint = Mint::open(keys, rules, service, &npub, keep, self.clock(), timekeeper).await?;
        Ok(Arc::new(mint))
    }

    pub(super) fn rotation(&self, mint: &Arc<Mint>) -> Arc<Rotation> {
        let rotation =
            Rotation::new(Arc::clone(mint), self.store.clone(), self.clock(), self.lifecycle.clone());
        self.lifecycle.run("key rotation", Arc::clone(&rotation).on_schedule());
        rotation
    }

    pub(super) async fn api_tokens(&self) -> Result<Arc<NamedTokens>, StartError> {
        Ok(NamedTokens::start(self.store.clone(), self.clock(), self.lifecycle.clone()).await?)
    }

    /// `None`: sessions are off.
    pub(super) fn book(&self, mint: &Arc<Mint>) -> Option<Arc<Book>> {
        let rules = &self.config.sessions;
        rules.enabled.then(|| {
            let (events, metrics) = (self.events.clone(), Arc::clone(&self.metrics));
            let (mint, clock) = (Arc::clone(mint), self.clock());
            Arc::new(Book::new(self.store.clone(), events, mint, rules.clone(), clock, metrics))
        })
    }

    pub(super) fn profile(&self, relays: &Relays, record: PathBuf) -> Arc<OwnProfile> {
        OwnProfile::start(profile::Parts {
            sealer: self.identity.sealer(),
            key: self.identity.key(),
            main_key: self.identity.main_key(),
            profile: self.config.profile.clone(),
            lookup: self.config.lookup.clone(),
            tls: self.config.tls.clone(),
            relays: relays.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle.clone(),
            accounts: self.store.clone(),
            record,
        })
    }

    pub(super) fn roster(&self, relays: &Relays) -> Arc<Roster> {
        Roster::new(roster::Parts {
            listed: self.config.relays.clone(),
            max_relays: self.config.relay_rules.max_relays,
            store: self.store.clone(),
            relays: relays.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle.clone(),
            metrics: Arc::clone(&self.metrics),
        })
    }

    pub(super) fn directory(&self, relays: &Relays) -> Directory {
        let own = (self.identity.main_key(), self.config.service.nip05_names.clone());
        let (rules, tls, metrics) = (&self.config.lookup, &self.config.tls, Arc::clone(&self.metrics));
        Directory::new(own, rules, tls, relays.clone(), metrics)
    }

    pub(super) fn portal(
        &self,
        relays: &Relays,
        tokens: &Arc<PortalTokens>,
        book: Option<Arc<Book>>,
    ) -> portal::Parts {
        portal::Parts {
            identity: Arc::clone(&self.identity),
            limits: self.config.auth.clone(),
            tokens: Arc::clone(tokens),
            store: self.store.clone(),
            events: self.events.clone(),
            relays: relays.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle.clone(),
            book,
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Deletes expired data from now on. `jump`: of the clock, before this start.
    pub(super) fn keep_house(&self, revoked: &Arc<RevokedTokens>, jump: Option<Jump>) {
        let webhook = self.config.webhook.as_ref();
        let housekeeping = Housekeeping {
            limits: self.config.auth.clone(),
            history: self.config.history.clone(),
            delivery_patience: webhook.map_or(Duration::ZERO, |webhook| webhook.rules.give_up_after),
            store: self.store.clone(),
            revoked: Arc::clone(revoked),
            timekeeper: Arc::clone(&self.timekeeper),
            metrics: Arc::clone(&self.metrics),
        };
        if let Some(jump) = jump {
            housekeeping.clock_jumped(jump);
        }
        self.lifecycle.run("tidy", housekeeping.run());
    }

    /// `None`: sessions are off, and only Portal's wallets are accepted.
    pub(super) fn sessions(
        &self,
        book: Option<Arc<Book>>,
        tokens: &Arc<PortalTokens>,
        thirdweb: Option<&Arc<SignIn>>,
    ) -> Result<Option<Arc<Sessions>>, StartError> {
        let wallets = &self.config.wallets;
        let Some(book) = book else {
            if wallets.names().len() > 1 {
                tracing::warn!(wallets = ?wallets.names(), "sessions are off (sessions.enabled): only Portal's wallets are accepted");
            }
            return Ok(None);
        };
        let providers = wallets::providers(self, tokens, thirdweb)?;
        Ok(Some(Sessions::start(book, self.store.clone(), providers, &wallets.default, &self.lifecycle)))
    }

    /// Tokens of every kind, for callers.
    pub(super) fn tokens(
        &self,
        portal: Arc<PortalTokens>,
        mint: Arc<Mint>,
        thirdweb: Option<&Arc<SignIn>>,
        sessions: Option<&Arc<Sessions>>,
    ) -> Arc<Tokens> {
        let others = thirdweb.map(|thirdweb| Arc::clone(&thirdweb.tokens) as _);
        let resting = sessions.map(|sessions| Arc::new(Resting(Arc::clone(sessions))) as _);
        let issued = Issued::start(self.store.clone(), self.clock(), self.lifecycle.clone());
        Arc::new(Tokens::new(self.identity.main_key(), portal, mint, others, resting, issued))
    }
}
