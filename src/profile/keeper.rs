//! Keeps the profile at the relays: publishes a new one, or one that a relay has lost, and checks it now and
//! then.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use nostr_sdk::{Event, JsonUtil, PublicKey};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use super::content::{draft, read};
use super::decide::{Decision, decide};
use super::nip05::confirm;
use super::record::{MAX_EVENT, Record};
use super::standing::Standing;
use super::state::{CheckedName, Seen, State};
use crate::actor::Actor;
use crate::clock::SharedClock;
use crate::config::{LookupRules, ProfileRules};
use crate::lifecycle::Lifecycle;
use crate::outbound::Outbound;
use crate::protocol::Sealer;
use crate::relay::{Origin, Outcome, RelayHealth, RelayState, Relays, stated, supersedes};
use crate::shown;
use crate::store::{Accounts, AuditKind};
use crate::tls::Tls;

/// How often Portico looks for relays that have become ready.
const LOOK: Duration = Duration::from_secs(1);

/// What the keeper needs.
pub struct Parts {
    /// Signs as the service.
    pub sealer: Arc<Sealer>,
    /// The key that the service signs with.
    pub key: PublicKey,
    /// The key by which wallets know the service.
    pub main_key: PublicKey,
    /// `[profile]`.
    pub profile: ProfileRules,
    /// `[lookup]`.
    pub lookup: LookupRules,
    /// `[tls]`.
    pub tls: Tls,
    /// The relays.
    pub relays: Relays,
    /// What time it is.
    pub clock: SharedClock,
    /// Runs the background task.
    pub lifecycle: Lifecycle,
    /// Records in the audit who set a profile.
    pub accounts: Arc<dyn Accounts>,
    /// The file with the profile that was published last.
    pub record: PathBuf,
}

/// Why a profile was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Only the main key can publish it.
    #[error(
        "this service runs on a subkey, but wallets read the profile of its main key: publish it with \
         `portico identity publish --key-file`, on the machine with the main key"
    )]
    OnSubkey,
    /// The profile is too large.
    #[error("the profile is too large")]
    TooLarge,
    /// Signing failed: a bug in Portico.
    #[error("cannot sign the profile")]
    Seal,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

/// The service's own profile.
pub struct OwnProfile {
    sealer: Arc<Sealer>,
    key: PublicKey,
    main_key: PublicKey,
    lookup: LookupRules,
    http: Outbound,
    relays: Relays,
    clock: SharedClock,
    lifecycle: Lifecycle,
    accounts: Arc<dyn Accounts>,
    record: Record,
    state: Mutex<State>,
    /// Held while relays are asked and published to, so that a check and a new profile do not overlap.
    turn: tokio::sync::Mutex<()>,
}

impl OwnProfile {
    /// Keeps the profile until the daemon stops.
    pub fn start(parts: Parts) -> Arc<Self> {
        let record = Record(parts.record);
        let on_subkey = parts.key != parts.main_key;
        let state = State {
            wanted: Some(parts.profile.clone()).filter(|profile| !profile.is_empty() && !on_subkey),
            kept: record.read(&parts.key).filter(|_| !on_subkey),
            section: parts.profile,
            ..State::default()
        };
        let own = Arc::new(Self {
            http: Outbound::new(parts.lookup.timeout, parts.lookup.allow_private, &parts.tls),
            sealer: parts.sealer,
            key: parts.key,
            main_key: parts.main_key,
            lookup: parts.lookup,
            relays: parts.relays,
            clock: parts.clock,
            lifecycle: parts.lifecycle,
            accounts: parts.accounts,
            record,
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        });
        own.warn_if_on_subkey();
        let keeper = Arc::clone(&own);
        own.lifecycle.run("profile", async move { keeper.keep().await });
        own
    }

    /// Publishes this profile in place of the one before. It is valid until `[profile]` changes, at the next
    /// start or at a reload. Returns `false` if no relay has accepted it yet; it is published to relays that
    /// become ready.
    ///
    /// # Errors
    /// [`SetError`].
    pub async fn set(self: &Arc<Self>, profile: ProfileRules, actor: Actor) -> Result<bool, SetError> {
        if self.is_on_subkey() {
            return Err(SetError::OnSubkey);
        }
        let own = Arc::clone(self);
        let set = async move {
            let _turn = own.turn.lock().await;
            let newest = own.state().newest().cloned();
            let event = own.sign(&profile, newest.as_ref())?;
            {
                let mut state = own.state();
                if !state.section.is_empty() && state.section != profile {
                    tracing::warn!(
                        "the API has set a profile: it is valid until the next start, when Portico publishes [profile] again"
                    );
                }
                (state.wanted, state.kept) = (None, Some(event.clone()));
            }
            own.record.write(&event).await;
            own.note_setting(&event, &actor).await;
            let ready = own.ready();
            own.publish(&event, ready).await;
            own.tell_standing();
            Ok(own.state().at.values().any(|seen| seen.has.as_ref().is_some_and(|has| has.id == event.id)))
        };
        self.lifecycle.to_the_end(set).await.unwrap_or(Err(SetError::Stopping))
    }

    async fn note_setting(&self, event: &Event, actor: &Actor) {
        tracing::info!(by = %actor, event_id = %event.id, "profile set");
        let record = actor.did(AuditKind::ProfileSet, self.clock.now());
        let record = record.with(&json!({ "event_id": event.id }));
        if let Err(error) = self.accounts.record_audit(&[record]).await {
            // The profile is set already; that it is not in the audit is no reason to say that it is not.
            tracing::warn!(%error, "cannot record a new profile in the audit");
        }
    }

    /// Applies the current `[profile]`. An unchanged one has no effect.
    pub fn reload(&self, section: ProfileRules) {
        let mut state = self.state();
        if state.section == section {
            return;
        }
        state.section = section;
        if self.is_on_subkey() {
            drop(state);
            return self.warn_if_on_subkey();
        }
        state.wanted = Some(state.section.clone()).filter(|profile| !profile.is_empty());
        state.at.values_mut().for_each(|seen| seen.ready_since = None);
        tracing::info!("[profile] has changed");
    }

    /// What a wallet shows; `None`: no relay has been asked yet.
    pub fn standing(&self) -> Option<Standing> {
        self.state().standing.clone()
    }

    async fn keep(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
            self.check_name().await;
            self.tell_standing();
        }
    }

    /// Asks the relays that are due, and publishes where that is needed.
    async fn look(&self) {
        let _turn = self.turn.lock().await;
        let ready = self.ready();
        let due = {
            let mut state = self.state();
            state.at.retain(|url, _| ready.iter().any(|relay| relay.url == *url));
            let now = Instant::now();
            let is_due = |relay: &&RelayHealth| {
                state.at.get(&relay.url).is_none_or(|seen| seen.is_due(relay.ready_since, now))
            };
            ready.iter().filter(is_due).cloned().collect::<Vec<_>>()
        };
        if due.is_empty() {
            return;
        }
        join_all(due.iter().map(|relay| self.ask(relay))).await;
        let (decision, kept, newest) = {
            let state = self.state();
            let newest = state.newest().cloned();
            (decide(state.wanted.as_ref(), state.kept.as_ref(), newest.as_ref()), state.kept.clone(), newest)
        };
        match decision {
            Decision::Nothing | Decision::Leave => {}
            Decision::Keep => self.publish_where_missing(kept, ready).await,
            Decision::Adopt => {
                tracing::info!(
                    "the relays have the wanted profile already: Portico keeps it there from now on"
                );
                self.take(newest.clone()).await;
                self.publish_where_missing(newest, ready).await;
            }
            Decision::Make => {
                let event = self.make(newest.as_ref());
                self.take(event.clone()).await;
                self.publish_where_missing(event, ready).await;
            }
        }
    }

    async fn ask(&self, relay: &RelayHealth) {
        let answer = match relay.read {
            true => self.relays.metadata_at(&relay.url, &self.main_key, self.lookup.timeout).await,
            false => Ok(None),
        };
        let trouble = answer.is_err().then(|| "the relay did not answer in time".to_owned());
        let has = answer.ok().flatten();
        let (ready_since, when) = (relay.ready_since, Instant::now());
        self.state().at.insert(relay.url.clone(), Seen { ready_since, when, has, trouble });
    }

    /// The wanted profile, signed so that relays replace `newest` by it.
    fn make(&self, newest: Option<&Event>) -> Option<Event> {
        let (wanted, kept) = {
            let state = self.state();
            (state.wanted.clone()?, state.kept.as_ref().map(|kept| kept.id))
        };
        if let Some(ours) = newest.filter(|newest| kept == Some(newest.id)) {
            tracing::info!(event_id = %ours.id, "[profile] has changed and replaces the profile that was published before");
        } else if let Some(replaced) = newest {
            tracing::warn!(
                event_id = %replaced.id, published_at = replaced.created_at.as_secs(),
                "[profile] replaces another profile of this key at the relays"
            );
        }
        let signed = self.sign(&wanted, newest);
        signed.inspect_err(|error| tracing::error!(%error, "cannot publish [profile]")).ok()
    }

    fn sign(&self, profile: &ProfileRules, newest: Option<&Event>) -> Result<Event, SetError> {
        let draft = draft(profile, self.clock.now().secs(), newest);
        let event = self.sealer.sign(draft).map_err(|_| SetError::Seal)?;
        if event.as_json().len() > MAX_EVENT { Err(SetError::TooLarge) } else { Ok(event) }
    }

    /// Stores the event that was published last.
    async fn take(&self, event: Option<Event>) {
        let Some(event) = event else { return };
        self.state().kept = Some(event.clone());
        self.record.write(&event).await;
    }

    async fn publish_where_missing(&self, event: Option<Event>, ready: Vec<RelayHealth>) {
        let Some(event) = event else { return };
        let lacks = |relay: &RelayHealth| {
            let state = self.state();
            let has = state.at.get(&relay.url).and_then(|seen| seen.has.as_ref());
            has.is_none_or(|has| supersedes(&event, has))
        };
        let missing = ready.into_iter().filter(lacks).collect();
        self.publish(&event, missing).await;
    }

    async fn publish(&self, event: &Event, relays: Vec<RelayHealth>) {
        join_all(relays.iter().map(|relay| async move {
            let outcome = self.relays.publish_at(&relay.url, event, self.lookup.timeout).await;
            let trouble = match outcome {
                Outcome::Accepted => None,
                Outcome::Refused(reason) => Some(format!("the relay refused the profile: {}", stated(&reason))),
                Outcome::NoAnswer => Some("the relay did not answer whether it accepts the profile".into()),
                Outcome::NotConnected => Some("the relay is not connected".into()),
            };
            match &trouble {
                None => tracing::info!(relay = shown::relay(&relay.url), event_id = %event.id, "profile published"),
                Some(reason) => tracing::warn!(relay = shown::relay(&relay.url), reason, "profile not published"),
            }
            let has = trouble.is_none().then(|| event.clone());
            let (ready_since, when) = (relay.ready_since, Instant::now());
            self.state().at.insert(relay.url.clone(), Seen { ready_since, when, has, trouble });
        }))
        .await;
    }

    /// Asks the domain of the profile's name, if that is due.
    async fn check_name(&self) {
        let due = {
            let state = self.state();
            let profile = state.newest().and_then(read);
            let now = Instant::now();
            let is_due = |checked: &CheckedName, name: &str| checked.name != name || checked.is_due(now);
            let is_new = |name: &String| state.name.as_ref().is_none_or(|checked| is_due(checked, name));
            profile.and_then(|profile| profile.nip05).filter(is_new)
        };
        let Some(name) = due else { return };
        let verdict = confirm(&self.http, &name, &self.main_key).await;
        self.state().name = Some(CheckedName { name, when: Instant::now(), verdict });
    }

    /// Determines what wallets show now, and logs a change.
    fn tell_standing(&self) {
        let mut state = self.state();
        let standing = state.work_out(self.is_on_subkey());
        if standing.is_none() || standing == state.standing {
            return;
        }
        state.standing.clone_from(&standing);
        drop(state);
        let Some(standing) = standing else { return };
        if standing.elsewhere {
            tracing::warn!(
                "a newer profile was published elsewhere with this service's key: it stays until [profile] changes"
            );
        }
        match standing.name {
            Ok(_) => tracing::info!("{standing}"),
            Err(_) => tracing::warn!("{standing}"),
        }
    }

    /// The operator's relays that can be asked now.
    fn ready(&self) -> Vec<RelayHealth> {
        let is_ready = |relay: &RelayHealth| {
            relay.origin == Origin::Operator && relay.write && relay.state == RelayState::Ready
        };
        self.relays.list().into_iter().filter(is_ready).collect()
    }

    fn is_on_subkey(&self) -> bool {
        self.key != self.main_key
    }

    fn warn_if_on_subkey(&self) {
        if self.is_on_subkey() && !self.state().section.is_empty() {
            tracing::warn!("[profile] is not published: {}", SetError::OnSubkey);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for OwnProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnProfile").field("main_key", &self.main_key).finish_non_exhaustive()
    }
}
