//! A clock that a test sets, and what a provider answered in one word.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portico::clock::{Clock, Timestamp};
use portico::wallet::{CredentialError, WalletIdentity};

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct Hands(Mutex<Timestamp>);

impl Hands {
    /// A clock that shows this.
    pub(crate) fn at(secs: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::from_secs(secs))))
    }

    /// So many seconds later.
    pub(crate) fn passes(&self, secs: u64) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(Duration::from_secs(secs));
    }

    /// So many seconds back: it was wrong.
    pub(crate) fn comes_back(&self, secs: u64) {
        let mut now = self.0.lock().unwrap();
        *now = now.minus(Duration::from_secs(secs));
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// The code of a refusal, or a word for what else there is.
pub(crate) fn code(result: Result<WalletIdentity, CredentialError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(CredentialError::Rejected { code, .. }) => code,
        Err(CredentialError::Expired { .. }) => "expired",
        Err(CredentialError::Unavailable(_)) => "unavailable",
    }
}
