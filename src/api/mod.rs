//! The local API: who may call, every route and every command.
//!
//! `router.rs` is the table of contents. The API knows `portal`, `events` and `webhook`, and nothing behind them.

mod caller;
mod effect;
mod errors;
pub(crate) mod fuzzing;
mod guard;
mod host;
mod needs;
mod openapi;
mod public_key;
mod refused_callers;
mod router;
mod routes;
mod ui;
mod user_request;
mod ws;

use std::ops::Deref;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::api_tokens::NamedTokens;
use crate::config::{ForwardRules, Local};
use crate::directory::Directory;
use crate::events::Events;
use crate::http::envelope::ApiError;
use crate::http::places::{Bounds, Places};
use crate::http::room::Room;
use crate::http::serve::Server;
use crate::http::{Capacity, Sockets};
use crate::lifecycle::Lifecycle;
use crate::metrics::{Limit, Metrics};
use crate::portal::Portal;
use crate::profile::OwnProfile;
use crate::roster::Roster;
use crate::session::Sessions;
use crate::tokens::{Rotation, Tokens};
use crate::wallet::thirdweb::SignIn;
use crate::web::SignInPage;
use crate::webhook::Webhooks;
use caller::known;
use guard::Guard;
use ui::Ui;
pub use ui::UiPlan;

/// Version and commit of this program, for `/version` and `portico --version`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that this program was built from, or `unknown`.
pub const GIT_COMMIT: &str = env!("PORTICO_GIT_COMMIT");

/// Everything that handlers may use. Cheap to clone, because each request clones it several times.
#[derive(Debug, Clone)]
struct Api(Arc<Parts>);

/// The services behind the API.
#[derive(Debug)]
pub struct Services {
    /// Logins over the relays.
    pub portal: Arc<Portal>,
    /// Streams of events.
    pub events: Events,
    /// The operator's relays.
    pub roster: Arc<Roster>,
    /// Profiles and NIP-05 names.
    pub directory: Arc<Directory>,
    /// The profile of the service.
    pub profile: Arc<OwnProfile>,
    /// Deliveries to the webhook's receiver.
    pub webhooks: Webhooks,
    /// Users and sessions. `None`: sessions are off.
    pub sessions: Option<Arc<Sessions>>,
    /// Sign-ins and tokens of thirdweb. `None`: thirdweb is off.
    pub thirdweb: Option<Arc<SignIn>>,
    /// Tokens of every kind.
    pub tokens: Arc<Tokens>,
    /// The keys of access tokens.
    pub rotation: Arc<Rotation>,
    /// API tokens with names.
    pub api_tokens: Arc<NamedTokens>,
    /// The sign-in page. `None`: it is off.
    pub page: Option<SignInPage>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Parts {
    portal: Arc<Portal>,
    events: Events,
    roster: Arc<Roster>,
    directory: Arc<Directory>,
    profile: Arc<OwnProfile>,
    webhooks: Webhooks,
    sessions: Option<Arc<Sessions>>,
    thirdweb: Option<Arc<SignIn>>,
    tokens: Arc<Tokens>,
    rotation: Arc<Rotation>,
    api_tokens: Arc<NamedTokens>,
    page: Option<SignInPage>,
    forward: ForwardRules,
    /// The operator's page. `None`: it is off.
    ui: Option<Ui>,
    guard: Guard,
    room: Arc<Room>,
    /// How many answers may wait for a client of the WebSocket.
    websocket_queue: usize,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Api {
    /// Whether one more request may be opened: its events will be deliveries to the webhook's receiver.
    fn may_open(&self) -> Result<(), ApiError> {
        if self.webhooks.has_room() {
            return Ok(());
        }
        let message = "too many deliveries wait for the webhook's receiver (webhook.max_waiting)";
        Err(ApiError::limit_reached(Limit::WebhookWaiting, message, Some(self.webhooks.counted_every())))
    }
}

/// Serves the API on the sockets until the daemon stops. `token` is the API token of the TCP socket.
pub fn serve(
    services: Services,
    (local, forward, ui): (&Local, &ForwardRules, Option<UiPlan>),
    token: Option<SecretString>,
    (sockets, capacity): (Sockets, Capacity),
    lifecycle: &Lifecycle,
) {
    let Services {
        portal,
        events,
        roster,
        directory,
        profile,
        webhooks,
        sessions,
        thirdweb,
        tokens,
        rotation,
        api_tokens,
        page,
        metrics,
    } = services;
    let off = router::paths_that_are_off(sessions.is_some(), thirdweb.is_some(), page.is_some());
    let api = Api(Arc::new(Parts {
        portal,
        events,
        roster,
        directory,
        profile,
        webhooks,
        sessions,
        thirdweb,
        tokens,
        rotation,
        guard: Guard::new(
            local,
            (token, Arc::clone(&api_tokens)),
            (router::table(ui.is_some()), off),
            Arc::clone(&metrics),
        ),
        api_tokens,
        page,
        forward: forward.clone(),
        ui: ui.map(|plan| Ui::new(plan, Arc::clone(&metrics))),
        room: Arc::new(Room::new(local.max_followers, local.max_followed_per_connection)),
        websocket_queue: local.websocket_queue.min(Semaphore::MAX_PERMITS),
        lifecycle: lifecycle.clone(),
        metrics: Arc::clone(&metrics),
    }));
    ui::keep(&api, lifecycle);
    let router = router::router(api, local.request_timeout);
    let bounds = Bounds {
        connections: local.max_connections,
        per_peer: local.max_connections_per_peer,
        strangers: local.max_strangers,
    };
    let places = Places::new(bounds, capacity, Arc::clone(&metrics));
    let server = Server::new(router, places, known(local), lifecycle.clone(), metrics);
    lifecycle.run("unix socket", server.clone().accept_unix(sockets.unix));
    if let Some(socket) = sockets.tcp {
        lifecycle.run("tcp socket", server.accept_tcp(socket));
    }
}
