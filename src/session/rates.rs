//! How often one wallet logs in and renews its token: a stolen credential, or a client that runs wild, does not
//! keep the store busy.

use std::collections::VecDeque;
use std::time::Duration;

use dashmap::DashMap;

use super::{Result, SessionError};
use crate::clock::Timestamp;
use crate::config::SessionRules;
use crate::metrics::Limit;
use crate::wallet::WalletIdentity;

/// Who came when, within the window.
#[derive(Debug)]
pub(super) struct Rates {
    logins: Window,
    refreshes: Window,
}

#[derive(Debug)]
struct Window {
    /// By provider and wallet; the oldest first.
    came: DashMap<(String, String), VecDeque<Timestamp>>,
    most: usize,
    length: Duration,
    limit: Limit,
    message: &'static str,
}

impl Rates {
    pub(super) fn new(rules: &SessionRules) -> Self {
        let window = |most, limit, message| Window {
            came: DashMap::new(),
            most,
            length: rules.window,
            limit,
            message,
        };
        let logins = "this wallet logged in too often lately (sessions.max_logins_per_wallet)";
        let refreshes = "this wallet renewed its token too often lately (sessions.max_refreshes_per_wallet)";
        Self {
            logins: window(rules.max_logins_per_wallet, Limit::LoginsPerWallet, logins),
            refreshes: window(rules.max_refreshes_per_wallet, Limit::RefreshesPerWallet, refreshes),
        }
    }

    /// Counts a login, if there is room for one more.
    pub(super) fn log_in(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        self.logins.come(wallet, now)
    }

    /// Counts a renewal, if there is room for one more.
    pub(super) fn refresh(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        self.refreshes.come(wallet, now)
    }

    /// Forgets wallets that did not come lately.
    pub(super) fn tidy(&self, now: Timestamp) {
        for window in [&self.logins, &self.refreshes] {
            let start = now.minus(window.length);
            window.came.retain(|_, times| times.back().is_some_and(|last| *last > start));
        }
    }
}

impl Window {
    fn come(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        let key = (wallet.provider.clone(), wallet.wallet_id.clone());
        let mut times = self.came.entry(key).or_default();
        let start = now.minus(self.length);
        while times.front().is_some_and(|first| *first <= start) {
            times.pop_front();
        }
        if times.len() >= self.most {
            let oldest = times.front().copied().unwrap_or(now);
            let retry_after = oldest.plus(self.length).since(now);
            return Err(SessionError::LimitReached { limit: self.limit, message: self.message, retry_after });
        }
        times.push_back(now);
        Ok(())
    }
}
