//! HTTP as every listener of the daemon speaks it: sockets, connections and their bounds, bodies, the envelope, CORS.
//!
//! This module is mechanism and knows no service. A listener (`api`) brings the router, and the guard that decides
//! who may call.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod caching;
pub(crate) mod conditions;
pub(crate) mod door;
pub(crate) mod envelope;
mod handed_over;
pub(crate) mod head;
mod listen;
pub(crate) mod mistake;
pub(crate) mod object;
pub(crate) mod observe;
pub(crate) mod peer;
pub(crate) mod places;
pub(crate) mod public;
pub(crate) mod query;
pub(crate) mod room;
pub(crate) mod serve;
pub(crate) mod standing;
pub(crate) mod unlisted;
mod wire;

pub use handed_over::HandedOver;
pub use listen::{ListenError, Sockets, open_sockets};
pub use places::Capacity;

/// The largest body that is read, and the largest WebSocket message, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
