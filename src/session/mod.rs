//! The second layer: users and their sessions, and the access tokens that go with them.
//!
//! A wallet's credential proves who holds a key. A session says who that person is here. [`Sessions`] begins a
//! session for a credential that its provider verified (`login.rs`), checks that an access token and a credential are
//! valid and belong together (`check.rs`), renews tokens (`refresh.rs`) and ends sessions (`end.rs`). Operators
//! manage users (`users.rs`), also before their first login (`invite.rs`). `portal` shares the [`Book`]: a login over
//! the relays begins a session in the transaction that stores its outcome. `tokens` reaches sessions through
//! `rest.rs`.

mod asked;
mod audit;
mod book;
mod check;
mod end;
mod end_reason;
mod error;
mod invite;
mod login;
mod rates;
mod refresh;
mod rest;
mod standing;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use crate::actor::Actor;
pub use audit::AuditPage;
pub use book::{Book, Prepared, until_undisturbed};
pub use check::{Checked, Offered};
pub use end_reason::EndReason;
pub use error::{Reason, Result, SessionError};
pub use invite::Invitation;
pub use rest::Resting;
pub use users::{UserChange, UserPage};

pub use crate::store::{AuditFilter, AuditKind, AuditRecord, Session, User, UserFilter, UserId};

use crate::lifecycle::Lifecycle;
use crate::metrics::Reading;
use crate::store::Claims;
use crate::wallet::WalletProvider;
use audit::Trail;
use rates::Rates;

/// Users and sessions, for the callers of the API.
#[derive(Debug)]
pub struct Sessions {
    book: Arc<Book>,
    providers: BTreeMap<String, Arc<dyn WalletProvider>>,
    default_provider: String,
    rates: Rates,
    trail: Trail,
    lifecycle: Lifecycle,
}

impl Sessions {
    /// Sessions for the wallets of these providers, whose rates `claims` counts. The default provider is used if a caller names none.
    pub fn start(
        book: Arc<Book>,
        claims: Arc<dyn Claims>,
        providers: Vec<Arc<dyn WalletProvider>>,
        default_provider: &str,
        lifecycle: &Lifecycle,
    ) -> Arc<Self> {
        Arc::new(Self {
            default_provider: default_provider.to_owned(),
            providers: providers.into_iter().map(|one| (one.name().to_owned(), one)).collect(),
            rates: Rates::new(claims, &book.rules),
            trail: Trail::start(
                Arc::clone(&book.accounts),
                Arc::clone(&book.refusals),
                Arc::clone(&book.metrics),
                lifecycle,
            ),
            lifecycle: lifecycle.clone(),
            book,
        })
    }

    /// The wallet providers that are on, and the default one.
    pub fn providers(&self) -> (impl Iterator<Item = &str>, &str) {
        (self.providers.keys().map(String::as_str), &self.default_provider)
    }

    /// The number of open sessions, for the metrics. It is missing while the store cannot be read.
    pub async fn read_into(&self, reading: &mut Reading) {
        let now = self.book.clock.now();
        if let Ok(active) = self.book.accounts.active_sessions(now).await {
            let help = "Open sessions.";
            reading.gauge("portico_sessions_active", help, &[], active as f64);
        }
    }

    /// Runs a change to its end, even if its caller disconnects.
    async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.lifecycle.to_the_end(change).await.unwrap_or(Err(SessionError::Stopping))
    }
}
