//! The conversation with Portal's wallets: handshakes, challenges and their answers.
//!
//! One login, through the files: [`Portal::login`] (`requests.rs`) opens a handshake and hands out its URL.
//! A wallet scans it; its event passes the gate (`registry.rs`), is opened (`dispatch.rs`) and matched
//! (`scans.rs`), and a challenge goes out (`challenge.rs`). The answer comes in the same way (`answers.rs`). Its session
//! token is judged (`tokens`); the outcome is stored, then told (`settle.rs`). A request that nobody answers ends at
//! its deadline (`deadlines.rs`, `run.rs`). After a restart all that was open goes on (`recovery.rs`).

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

/// What the service is made of.
#[derive(Debug)]
pub struct Parts {
    /// Who we are.
    pub identity: Arc<Identity>,
    /// `[auth]`.
    pub limits: AuthLimits,
    /// What judges the session tokens of wallets.
    pub tokens: Arc<PortalTokens>,
    /// What outlives the process.
    pub store: Arc<dyn Store>,
    /// Streams of events in that store.
    pub events: Events,
    /// The way to the wallets.
    pub relays: Relays,
    /// What time it is.
    pub clock: SharedClock,
    /// Runs what goes on in the background.
    pub lifecycle: Lifecycle,
    /// What login URLs begin sessions with. `None`: sessions are off.
    pub book: Option<Arc<Book>>,
    /// Where logins are counted.
    pub metrics: Arc<Metrics>,
}

/// The service. Shared by everything that asks it for something.
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
    /// Room for messages whose handling waits for the store.
    handling: Arc<Semaphore>,
    /// Wallets that were lately shown our subkey proof, and until when not to show it again.
    shown_to: Cache<PublicKey, Timestamp>,
    /// Held while a static token is looked up and opened, so that two callers do not both open it.
    static_tokens: tokio::sync::Mutex<()>,
}

impl Portal {
    /// The key that the service is known by.
    pub fn public_key(&self) -> PublicKey {
        self.identity.main_key()
    }

    /// How many handshakes and challenges are open.
    pub fn open_requests(&self) -> usize {
        let (handshakes, challenges) = self.registry.open();
        handshakes + challenges
    }
}
