//! The sign-in page for web apps: a listener of its own, for browsers, behind a proxy that adds TLS.
//!
//! An app sends its user to `/sign-in`. The page opens a login, shows its code, and follows it. A cookie binds the
//! sign-in to the browser (`cookie.rs`); the code holds nothing of it. When the user has approved, the browser is sent
//! back to the app with a code that the app redeems at the API (`codes.rs`), once and soon.
//!
//! What the page shows is decided in `view.rs` and written in `html.rs`; the module in `page.js` only exchanges it.
//! Strangers reach this listener: it has its own places for connections, and `bounds.rs` bounds what they open.

mod address;
mod assets;
mod bounds;
mod codes;
mod cookie;
mod guard;
mod html;
mod language;
mod qr;
mod router;
mod sign_ins;
mod texts;
mod view;

use std::fmt;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::net::TcpListener;

pub use codes::{CodeError, Redeemed, Redeemer, WebCodes};

use crate::clock::{SharedClock, Timekeeper};
use crate::config::{AuthLimits, SignInPages};
use crate::events::Events;
use crate::http::Capacity;
use crate::http::places::{Bounds as Connections, Places};
use crate::http::serve::Server;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Metrics, Reading};
use crate::portal::Portal;
use crate::profile::OwnProfile;
use crate::rights::Rights;
use crate::roster::Roster;
use crate::store::WebSignIns;
use crate::webhook::Webhooks;
use assets::Assets;
use bounds::Bounds;
use guard::Guard;
use html::Frame;
use sign_ins::SignIns;
use view::Times;

/// Connections that are being refused at the same time.
const REFUSALS: usize = 64;

/// The parts of the page.
#[derive(Debug)]
pub struct Parts {
    /// `[web]`.
    pub rules: SignInPages,
    /// `[auth]`.
    pub limits: AuthLimits,
    /// Logins over the relays.
    pub portal: Arc<Portal>,
    /// Streams of events.
    pub events: Events,
    /// The operator's relays.
    pub roster: Arc<Roster>,
    /// The profile of the service.
    pub profile: Arc<OwnProfile>,
    /// Deliveries to the webhook's receiver.
    pub webhooks: Webhooks,
    /// The sign-ins.
    pub store: Arc<dyn WebSignIns>,
    /// Codes for the apps.
    pub codes: Arc<WebCodes>,
    /// What time it is.
    pub clock: SharedClock,
    /// The time that has certainly passed.
    pub timekeeper: Arc<Timekeeper>,
    /// Runs the tasks.
    pub lifecycle: Lifecycle,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The page, to be served.
#[derive(Clone)]
pub struct SignInPage(Arc<Page>);

struct Page {
    rules: Arc<SignInPages>,
    guard: Guard,
    assets: Assets,
    frame: Frame,
    sign_ins: SignIns,
    codes: Arc<WebCodes>,
    profile: Arc<OwnProfile>,
    metrics: Arc<Metrics>,
    lifecycle: Lifecycle,
}

impl fmt::Debug for SignInPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInPage").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

impl SignInPage {
    /// The page of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { rules, limits, portal, events, roster, profile, webhooks, store, codes, .. } = parts;
        let Parts { clock, timekeeper, lifecycle, metrics, .. } = parts;
        if rules.proxies.is_empty() {
            tracing::warn!(
                "web.proxies is empty: behind a proxy, all browsers count as one address \
                 (web.max_open_per_address)"
            );
        }
        let bounds = Arc::new(Bounds::new(&rules, Arc::clone(&metrics)));
        let (assets, frame) = Assets::of(&rules);
        let sign_ins = SignIns {
            portal,
            events,
            roster,
            webhooks,
            store,
            clock,
            timekeeper,
            lifecycle: lifecycle.clone(),
            metrics: Arc::clone(&metrics),
            bounds,
            handshake: limits.handshake_ttl,
            times: Times { challenge: limits.challenge_ttl, prompts: limits.prompt_window },
            waiting: DashMap::new(),
        };
        let rules = Arc::new(rules);
        let guard = Guard::new(Arc::clone(&rules));
        Self(Arc::new(Page { rules, guard, assets, frame, sign_ins, codes, profile, metrics, lifecycle }))
    }

    /// Serves the page on a socket until the daemon stops, with so many connections at most.
    pub fn serve(&self, socket: TcpListener, connections: usize) {
        let page = &self.0;
        // All come through the proxy.
        let bounds = Connections { connections, per_peer: connections, strangers: connections };
        let capacity = Capacity { unix: 0, tcp: connections, refusals: REFUSALS.min(connections) };
        let places = Places::new(bounds, capacity, Arc::clone(&page.metrics)).named("web");
        let nobody = Arc::new(|_, _| Rights::NONE);
        let (lifecycle, metrics) = (page.lifecycle.clone(), Arc::clone(&page.metrics));
        let server = Server::new(router::router(self.clone()), places, nobody, lifecycle, metrics);
        page.lifecycle.run("web socket", server.accept_tcp(socket));
    }

    /// The codes of the apps.
    pub fn codes(&self) -> &WebCodes {
        &self.0.codes
    }

    /// Adds how many codes hold a place.
    pub fn read_into(&self, reading: &mut Reading) {
        self.0.sign_ins.bounds.read_into(reading);
    }
}
