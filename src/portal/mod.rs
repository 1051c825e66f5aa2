//! The conversation with Portal's wallets: handshakes, challenges and their answers.
//!
//! One login, through the files: [`Portal::login`] (`requests.rs`) opens a handshake and returns its URL. A
//! wallet scans it; its event passes the gate (`registry.rs`), is opened (`dispatch.rs`) and matched
//! (`scans.rs`), and Portico sends a challenge (`challenge.rs`). The answer arrives in the same way
//! (`answers.rs`). Its session token is checked (`tokens`); the outcome is stored, then published to
//! followers (`settle.rs`). A request without an answer ends at its deadline (`deadlines.rs`, `run.rs`).
//! After a restart all open requests continue (`recovery.rs`).

mod answers;
mod challenge;
mod deadlines;
mod dispatch;
mod error;
mod open_urls;
mod outcome;
mod patience;
mod prompts;
mod reading;
mod recovery;
mod registry;
mod requests;
mod run;
mod scans;
mod settle;

use std::sync::Arc;

use nostr_sdk::PublicKey;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

pub use crate::events::StreamId;
pub use error::{PortalError, Result};
pub use recovery::Opening;
pub use requests::OpenedUrl;

use crate::clock::{SharedClock, Timestamp};
use crate::config::AuthLimits;
use crate::events::Events;
use crate::identity::Identity;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::relay::Relays;
use crate::session::Book;
use crate::store::Store;
use crate::tokens::PortalTokens;
use challenge::Challenger;
use prompts::Prompts;
use registry::Registry;

/// The parts of the service.
#[derive(Debug)]
pub struct Parts {
    /// The identity of the service.
    pub identity: Arc<Identity>,
    /// `[auth]`.
    pub limits: AuthLimits,
    /// Checks the session tokens of wallets.
    pub tokens: Arc<PortalTokens>,
    /// The persistent state.
    pub store: Arc<dyn Store>,
    /// The streams of events in that store.
    pub events: Events,
    /// The connections to the wallets.
    pub relays: Relays,
    /// What time it is.
    pub clock: SharedClock,
    /// Runs the background tasks.
    pub lifecycle: Lifecycle,
    /// Starts the sessions of login URLs. `None`: sessions are disabled.
    pub book: Option<Arc<Book>>,
    /// Counts the logins.
    pub metrics: Arc<Metrics>,
}

/// The service, shared by all its callers.
#[derive(Debug)]
pub struct Portal {
    identity: Arc<Identity>,
    limits: AuthLimits,
    challenger: Challenger,
    store: Arc<dyn Store>,
    events: Events,
    relays: Relays,
    clock: SharedClock,
    lifecycle: Lifecycle,
    book: Option<Arc<Book>>,
    metrics: Arc<Metrics>,
    started_at: Timestamp,
    registry: Arc<Registry>,
    prompts: Prompts,
    tokens: Arc<PortalTokens>,
    /// Room for messages that wait for the store.
    handling: Arc<Semaphore>,
    /// Wallets that were recently sent our subkey proof, and until when not to send it again.
    shown_to: Cache<PublicKey, Timestamp>,
    /// Held while a static token is looked up and opened, so that two callers do not both open it.
    static_tokens: tokio::sync::Mutex<()>,
}

impl Portal {
    /// The public key of the service.
    pub fn public_key(&self) -> PublicKey {
        self.identity.main_key()
    }

    /// How many handshakes and challenges are open.
    pub fn open_requests(&self) -> usize {
        let (handshakes, challenges) = self.registry.open();
        handshakes + challenges
    }
}
