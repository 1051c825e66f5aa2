//! The local API: both sockets, who may speak on them, every route and command.
//!
//! `router.rs` is the table of contents. The API knows `portal`, `events` and `webhook`; what lies behind those it
//! does not see.

mod accept;
mod body;
mod caching;
mod conditions;
mod door;
mod envelope;
pub(crate) mod fuzzing;
mod guard;
mod handed_over;
mod head;
mod listen;
mod mistake;
mod object;
mod observe;
mod openapi;
mod places;
mod public;
mod query;
mod room;
mod router;
mod routes;
mod serve;
mod unlisted;
mod user_request;
mod wire;
mod ws;

use std::ops::Deref;
use std::sync::Arc;

use secrecy::SecretString;

pub use handed_over::HandedOver;
pub use listen::{ListenError, Sockets, open_sockets};
pub use places::Capacity;

use crate::config::{ForwardRules, Local};
use crate::directory::Directory;
use crate::events::Events;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::portal::Portal;
use crate::profile::OwnProfile;
use crate::roster::Roster;
use crate::session::Sessions;
use crate::tokens::{Rotation, Tokens};
use crate::wallet::thirdweb::SignIn;
use crate::webhook::Webhooks;
use guard::Guard;
use room::Room;
use serve::Server;

/// The largest body that is read, and the largest WebSocket message, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Version and commit of this program, as `/version` and `portico --version` tell them.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that this program was built from, or `unknown`.
pub const GIT_COMMIT: &str = env!("PORTICO_GIT_COMMIT");

/// What every handler may use. Cheap to clone, which happens several times for each request.
#[derive(Debug, Clone)]
struct Api(Arc<Parts>);

/// The services that the API speaks for.
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
    /// What wallets are told of the service.
    pub profile: Arc<OwnProfile>,
    /// Deliveries to the operator's program.
    pub webhooks: Webhooks,
    /// Users and sessions. `None`: they are off.
    pub sessions: Option<Arc<Sessions>>,
    /// Tokens of thirdweb, and who gets them. `None`: they are off.
    pub thirdweb: Option<Arc<SignIn>>,
    /// Tokens of every kind.
    pub tokens: Arc<Tokens>,
    /// The keys of access tokens.
    pub rotation: Arc<Rotation>,
    /// Where everything is counted.
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
    forward: ForwardRules,
    guard: Guard,
    room: Arc<Room>,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Serves the API on the sockets until the daemon stops. `token` is the API token of the TCP socket.
pub fn serve(
    services: Services,
    (local, forward): (&Local, &ForwardRules),
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
        metrics,
    } = services;
    let off = router::paths_that_are_off(sessions.is_some(), thirdweb.is_some());
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
        forward: forward.clone(),
        guard: Guard::new(local, token, off),
        room: Arc::new(Room::new(local)),
        lifecycle: lifecycle.clone(),
        metrics: Arc::clone(&metrics),
    }));
    let router = router::router(api, local.request_timeout);
    let server = Server::new(router, local, capacity, lifecycle.clone(), metrics);
    lifecycle.run("unix socket", server.clone().accept_unix(sockets.unix));
    if let Some(socket) = sockets.tcp {
        lifecycle.run("tcp socket", server.accept_tcp(socket));
    }
}
