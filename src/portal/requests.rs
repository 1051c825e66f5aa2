//! The calls of callers: open a handshake or a login, authenticate a user, cancel.

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{PublicKey, RelayUrl};
use rand::{Rng, thread_rng};

use super::challenge::{MAX_SUBKEYS, Origin, random_name};
use super::prompts::Prompt;
use super::registry::{OpenHandshake, Slot};
use super::{Portal, PortalError, Result};
use crate::clock::Timestamp;
use crate::events::FailureCode;
use crate::metrics::Limit;
use crate::protocol::HandshakeUrl;
use crate::store::{Handshake, HandshakeKind, StreamId};

/// The longest static token, in bytes: it has to fit a QR code with the relays.
pub(super) const MAX_STATIC_TOKEN: usize = 256;

/// A handshake that was opened.
#[derive(Debug, Clone)]
pub struct OpenedUrl {
    /// The text of the QR code.
    pub url: String,
    /// The stream of the handshake's events.
    pub stream: StreamId,
    /// Index of the stream's latest event: later events have a higher index.
    pub after: u64,
}

impl Portal {
    /// Opens a handshake URL; its stream reports who scans it. Without a `static_token` it serves one user
    /// within `auth.handshake_ttl`; with one, any number of users until it is deleted.
    pub async fn new_handshake(
        self: &Arc<Self>,
        static_token: Option<String>,
        no_request: bool,
    ) -> Result<OpenedUrl> {
        let portal = Arc::clone(self);
        self.to_the_end(async move {
            portal.open_handshake(static_token, no_request, HandshakeKind::Handshake).await
        })
        .await
    }

    /// Opens a login URL: handshake, challenge and verified answer follow on one stream. If the static login
    /// URL is open already, it is returned unchanged.
    pub async fn login(self: &Arc<Self>, static_token: Option<String>) -> Result<OpenedUrl> {
        let portal = Arc::clone(self);
        self.to_the_end(async move { portal.open_handshake(static_token, false, HandshakeKind::Login).await })
            .await
    }

    /// Cancels the open requests of a stream (a URL, or a challenge to a user): it ends with `cancelled`.
    pub async fn cancel(self: &Arc<Self>, stream: StreamId) -> Result<()> {
        let portal = Arc::clone(self);
        self.to_the_end(async move {
            let open = &portal.registry;
            let is_open = open.handshake(stream).is_some() || !open.challenges_on(stream).is_empty();
            // What ends on its own at the same moment has ended that way.
            if is_open && portal.end_stream(stream, FailureCode::Cancelled).await? {
                return Ok(());
            }
            Err(PortalError::NothingOpen)
        })
        .await
    }

    /// Asks a user to approve a login. The stream reports the outcome.
    pub async fn authenticate(
        self: &Arc<Self>,
        user: PublicKey,
        subkeys: Vec<PublicKey>,
    ) -> Result<StreamId> {
        if subkeys.len() > MAX_SUBKEYS {
            return Err(PortalError::BadRequest(format!("subkeys: at most {MAX_SUBKEYS}")));
        }
        let portal = Arc::clone(self);
        self.to_the_end(async move {
            let slot = portal.reserve()?;
            let mut prompted = vec![user];
            for key in subkeys {
                if !prompted.contains(&key) {
                    prompted.push(key);
                }
            }
            let prompt = portal.prompts.ask(prompted, portal.clock.now()).await?;
            let stream = portal.new_stream();
            let opened = portal.open_challenge(stream, &prompt, slot).await;
            if opened.is_err() {
                portal.prompts.take_back(prompt.challenge, &prompt.keys).await;
            }
            opened.map(|()| stream)
        })
        .await
    }

    /// Runs a change to its end, even if the caller stops waiting: the store and the memory must stay the
    /// same.
    pub(super) async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.lifecycle.to_the_end(change).await.unwrap_or(Err(PortalError::Stopping))
    }

    async fn open_challenge(&self, stream: StreamId, prompt: &Prompt, slot: Slot) -> Result<()> {
        let preferred = match prompt.keys.first() {
            Some(user) => self.store.preferred_relays(user).await?,
            None => Vec::new(),
        };
        let relays = self.relays.filter_preferred(&preferred);
        let prepared = self
            .challenger
            .prepare(self.now_for_deadline(), stream, prompt, relays, Origin::Caller, slot)
            .await?;
        self.store.open_challenge(&prepared.row).await?;
        self.events.begin(stream);
        self.metrics.logins.opened("authentication");
        self.registry.add_challenge(Arc::clone(&prepared.open));
        self.challenger.send(prepared);
        Ok(())
    }

    async fn open_handshake(
        &self,
        static_token: Option<String>,
        no_request: bool,
        kind: HandshakeKind,
    ) -> Result<OpenedUrl> {
        let Some(token) = static_token else {
            let (slot, ttl) = (self.reserve()?, Some(self.limits.handshake_ttl));
            return self.keep_handshake(random_name(), no_request, kind, ttl, slot).await;
        };
        check_static_token(&token)?;
        let _held = self.static_tokens.lock().await;
        let waiting = &self.registry.urls;
        let open = waiting.on(&token);
        if open.is_empty() && waiting.has_twin_of(&token) {
            let message = "an open static_token has the same spelling in a URL: wallets could mean either";
            return Err(PortalError::Conflict(message));
        }
        if open.iter().any(|other| other.row.kind != kind || other.row.expires_at.is_some()) {
            return Err(PortalError::Conflict("this static_token is open for another kind of handshake"));
        }
        match (kind, open.first()) {
            (HandshakeKind::Login, Some(same)) => {
                let stream = same.row.stream;
                let after = self.events.read(stream, u64::MAX).await?.map_or(0, |page| page.latest);
                Ok(OpenedUrl { url: self.handshake_url(&same.row)?, stream, after })
            }
            (HandshakeKind::Handshake, Some(oldest)) if open.len() >= self.limits.max_streams_per_token => {
                self.metrics.limits.reached(Limit::StreamsPerToken);
                // It takes the room of the oldest, which ends only once there is a newer one.
                let slot = self.registry.keep_room();
                let opened = self.keep_handshake(token, no_request, kind, None, slot).await?;
                self.end_stream(oldest.row.stream, FailureCode::Cancelled).await?;
                Ok(opened)
            }
            _ => self.keep_handshake(token, no_request, kind, None, self.reserve()?).await,
        }
    }

    async fn keep_handshake(
        &self,
        token: String,
        no_request: bool,
        kind: HandshakeKind,
        ttl: Option<Duration>,
        slot: Slot,
    ) -> Result<OpenedUrl> {
        let now = self.now_for_deadline();
        let row = Handshake {
            stream: self.new_stream(),
            token,
            kind,
            no_request,
            created_at: now,
            expires_at: ttl.map(|ttl| now.plus(ttl)),
        };
        let url = self.handshake_url(&row)?;
        self.store.open_handshake(&row).await?;
        self.events.begin(row.stream);
        let opened = OpenedUrl { url, stream: row.stream, after: 0 };
        let kind = if kind == HandshakeKind::Login { "login" } else { "handshake" };
        self.metrics.logins.opened(kind);
        tracing::debug!(stream_id = %row.stream, kind, one_time = ttl.is_some(), "handshake opened");
        self.registry.add_handshake(Arc::new(OpenHandshake::new(row, slot)));
        Ok(opened)
    }

    fn handshake_url(&self, row: &Handshake) -> Result<String> {
        let (main_key, key) = (self.identity.main_key(), self.identity.key());
        let relays = self.relays.urls_for_handshake();
        if relays.is_empty() {
            return Err(PortalError::NothingToLogInOver);
        }
        let url = HandshakeUrl {
            main_key,
            subkey: (key != main_key).then_some(key),
            relays: relays.iter().map(RelayUrl::to_string).collect(),
            token: row.token.clone(),
            no_request: row.no_request,
        };
        Ok(url.to_string())
    }

    /// The time now, for a deadline that is counted from it.
    pub(super) fn now_for_deadline(&self) -> Timestamp {
        let now = self.clock.now();
        self.registry.deadlines.follow(now);
        now
    }

    /// Reserves room for one more open request.
    pub(super) fn reserve(&self) -> Result<Slot> {
        self.registry.reserve(self.limits.max_open).ok_or_else(|| {
            let next = self.registry.deadlines.earliest().map(|at| at.since(self.clock.now()));
            PortalError::LimitReached {
                limit: Limit::OpenRequests,
                message: "there are too many open requests",
                // One is over by then; without a deadline, only when a caller takes a static URL back.
                retry_after: Some(next.unwrap_or(self.limits.challenge_ttl)),
            }
        })
    }

    fn new_stream(&self) -> StreamId {
        StreamId::new(self.clock.now(), thread_rng().r#gen())
    }
}

fn check_static_token(token: &str) -> Result<()> {
    let reason = if token.is_empty() {
        "is empty"
    } else if token.len() > MAX_STATIC_TOKEN {
        "is longer than 256 bytes"
    } else if token.chars().any(char::is_control) {
        "contains control characters"
    } else {
        return Ok(());
    };
    Err(PortalError::BadRequest(format!("static_token {reason}")))
}
