//! Sign-ins: opened for a browser, looked at, waited for, renewed, cancelled.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use rand::{Rng, thread_rng};
use tokio::time::Instant;

use super::bounds::{Bounds, Full, Holder};
use super::html::tag;
use super::qr;
use super::view::{Ending, Times, View};
use crate::clock::{SharedClock, Timekeeper, Timestamp};
use crate::config::WebApp;
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Limit, Metrics};
use crate::portal::{Portal, PortalError};
use crate::roster::Roster;
use crate::store::{SecretDigest, StoreError, StreamId, WebSignIn, WebSignInId, WebSignIns};
use crate::webhook::Webhooks;

/// How many codes come by themselves before the page asks whether somebody is still there.
const RENEWALS: u32 = 3;

/// How long a sign-in stays in the store after its code can have led to a result.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// While no relay is connected, how often the page is told whether one is.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Answers that one sign-in may wait for: a user has some tabs.
const MAX_WAITING: usize = 4;

/// When to ask again for an answer that there was no room to wait for.
const WAIT_AGAIN: Duration = Duration::from_secs(5);

/// What sign-ins need.
pub(super) struct SignIns {
    pub(super) portal: Arc<Portal>,
    pub(super) events: Events,
    pub(super) roster: Arc<Roster>,
    pub(super) webhooks: Webhooks,
    pub(super) store: Arc<dyn WebSignIns>,
    pub(super) clock: SharedClock,
    pub(super) timekeeper: Arc<Timekeeper>,
    pub(super) lifecycle: Lifecycle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) bounds: Arc<Bounds>,
    /// How long a code can be scanned.
    pub(super) handshake: Duration,
    pub(super) times: Times,
    pub(super) waiting: DashMap<WebSignInId, usize>,
}

/// A sign-in that an app asks for, checked against the configuration.
pub(super) struct Wanted<'a> {
    pub(super) app: &'a WebApp,
    pub(super) return_url: String,
    pub(super) state: Option<String>,
    pub(super) language: Option<&'static str>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No such sign-in, or that of another browser.
    NotYours,
    /// A bound is reached.
    Full(Full),
    /// The service.
    Portal(PortalError),
    /// The store.
    Store(StoreError),
}

impl From<Full> for Trouble {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl From<PortalError> for Trouble {
    fn from(error: PortalError) -> Self {
        Self::Portal(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A code that was opened.
struct Code {
    stream: StreamId,
    url: String,
    until: Timestamp,
}

impl SignIns {
    /// Opens a sign-in for a browser.
    pub(super) async fn begin(&self, wanted: Wanted<'_>, holder: Holder) -> Result<WebSignIn, Trouble> {
        let browser = holder.browser;
        let Code { stream, url, until } = self.open_code(holder).await?;
        let sign_in = WebSignIn {
            id: WebSignInId::new(self.clock.now(), thread_rng().r#gen()),
            browser,
            app: wanted.app.id.clone(),
            return_url: wanted.return_url,
            state: wanted.state,
            language: wanted.language.map(str::to_owned),
            stream,
            url,
            shown_until: until,
            renewals: 0,
            expires_at: self.forgotten_at(until),
        };
        let stored = self.store.open_web_sign_in(&sign_in, self.timekeeper.settled()).await;
        if stored.is_err() {
            self.take_back(stream).await;
        }
        stored?;
        Ok(sign_in)
    }

    /// A sign-in of this browser, and whether its app has the result.
    pub(super) async fn find(
        &self,
        id: WebSignInId,
        browser: Option<SecretDigest>,
    ) -> Result<(WebSignIn, bool), Trouble> {
        let found = self.store.web_sign_in(id).await?;
        found.filter(|(sign_in, _)| Some(sign_in.browser) == browser).ok_or(Trouble::NotYours)
    }

    /// The sign-in as it is now: a code that nobody scanned is renewed by itself some times.
    pub(super) async fn look(
        &self,
        (sign_in, is_used): (WebSignIn, bool),
        holder: Holder,
    ) -> Result<(WebSignIn, View), Trouble> {
        let page = self.events.read(sign_in.stream, 0).await?;
        let events = page.map(|page| page.events);
        let view = events.map(|events| View::of(&events, sign_in.shown_until, self.times));
        Ok(self.settle(sign_in, is_used, view, holder).await)
    }

    /// Waits until the page would show something else than `seen`, for at most this time. `None`: it would not.
    pub(super) async fn wait(
        &self,
        id: WebSignInId,
        holder: Holder,
        (seen, time): (&str, Duration),
    ) -> Result<Option<(WebSignIn, View)>, Trouble> {
        let _room = self.room(id)?;
        let until = Instant::now() + time;
        loop {
            let (sign_in, is_used) = self.find(id, Some(holder.browser)).await?;
            let mut follower = self.events.follow(sign_in.stream, 0).await?;
            let view = follower.as_mut().map(|follower| {
                let page = follower.ready();
                View::of(&page.events, sign_in.shown_until, self.times)
            });
            let (sign_in, view) = self.settle(sign_in, is_used, view, holder.clone()).await;
            if tag(view, &sign_in) != seen {
                return Ok(Some((sign_in, view)));
            }
            let (Some(mut follower), true) = (follower, view.waits() && Instant::now() < until) else {
                return Ok(None);
            };
            let look_again = match view {
                View::NoRelayYet => until.min(Instant::now() + LOOK_AGAIN),
                _ => until,
            };
            tokio::select! {
                next = follower.next() => drop(next?),
                () = tokio::time::sleep_until(look_again) => {}
                () = self.lifecycle.stopping() => return Ok(None),
            }
        }
    }

    async fn settle(
        &self,
        sign_in: WebSignIn,
        is_used: bool,
        view: Option<View>,
        holder: Holder,
    ) -> (WebSignIn, View) {
        // Streams are deleted long after their end.
        let view = view.unwrap_or(View::Ended(Ending::NotScanned));
        match view {
            _ if is_used => (sign_in, View::Finished),
            View::Approved => {
                self.bounds.done(sign_in.stream);
                (sign_in, view)
            }
            View::Ended(Ending::NotScanned) if sign_in.renewals < RENEWALS => {
                let renewals = sign_in.renewals + 1;
                match self.renew(&sign_in, holder, renewals).await {
                    Ok(renewed) => {
                        let until = renewed.shown_until;
                        (renewed, self.reachable(until))
                    }
                    // The page says what happened, and its button tries again.
                    Err(_) => (sign_in, view),
                }
            }
            View::Scan { until } => (sign_in, self.reachable(until)),
            _ => (sign_in, view),
        }
    }

    fn reachable(&self, until: Timestamp) -> View {
        if self.roster.ready() == 0 { View::NoRelayYet } else { View::Scan { until } }
    }

    /// Gives a sign-in a new code. Of several tabs that do so at once, one does, and all get its code.
    pub(super) async fn renew(
        &self,
        sign_in: &WebSignIn,
        holder: Holder,
        renewals: u32,
    ) -> Result<WebSignIn, Trouble> {
        let Code { stream, url, until } = self.open_code(holder).await?;
        let expires_at = self.forgotten_at(until);
        let renewed = WebSignIn { stream, url, shown_until: until, renewals, expires_at, ..sign_in.clone() };
        let is_ours = self.store.renew_web_sign_in(&renewed, sign_in.stream).await;
        let superfluous = if matches!(is_ours, Ok(true)) { sign_in.stream } else { stream };
        self.take_back(superfluous).await;
        if is_ours? {
            return Ok(renewed);
        }
        let (current, _) = self.find(sign_in.id, Some(sign_in.browser)).await?;
        Ok(current)
    }

    /// Ends the login whose code is shown, if it is open.
    pub(super) async fn take_back(&self, stream: StreamId) {
        match self.portal.cancel(stream).await {
            Ok(()) | Err(PortalError::NothingOpen) => {}
            Err(error) => tracing::debug!(stream_id = %stream, %error, "cannot cancel the login of a page"),
        }
    }

    /// Opens a login for one code.
    async fn open_code(&self, holder: Holder) -> Result<Code, Trouble> {
        if !self.webhooks.has_room() {
            self.metrics.limits.reached(Limit::WebhookWaiting);
            let retry_after = self.webhooks.counted_every();
            return Err(Full { limit: Limit::WebhookWaiting, retry_after }.into());
        }
        let place = self.bounds.take(holder, self.handshake + self.times.challenge)?;
        let until = self.clock.now().plus(self.handshake);
        let opened = self.portal.login(None).await?;
        place.keep(opened.stream);
        let ready = self.roster.ready_urls();
        let url = qr::short(&opened.url, |relay| ready.iter().any(|url| url == relay));
        Ok(Code { stream: opened.stream, url, until })
    }

    fn forgotten_at(&self, shown_until: Timestamp) -> Timestamp {
        shown_until.plus(self.times.challenge).plus(REMEMBERED)
    }

    /// Room for one more answer that this sign-in waits for.
    fn room(&self, id: WebSignInId) -> Result<Waiting<'_>, Full> {
        let mut count = self.waiting.entry(id).or_default();
        if *count >= MAX_WAITING {
            self.metrics.limits.reached(Limit::WebWaiting);
            return Err(Full { limit: Limit::WebWaiting, retry_after: WAIT_AGAIN });
        }
        *count += 1;
        Ok(Waiting { all: &self.waiting, id })
    }
}

/// An answer that is being waited for.
struct Waiting<'a> {
    all: &'a DashMap<WebSignInId, usize>,
    id: WebSignInId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.remove_if_mut(&self.id, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}
