//! Limits how often one wallet logs in and renews its token, so that a stolen credential or a faulty client cannot
//! keep the store busy.

use std::collections::VecDeque;
use std::time::Duration;

use dashmap::DashMap;

use super::{Result, SessionError};
use crate::clock::Timestamp;
use crate::config::SessionRules;
use crate::metrics::Limit;
use crate::wallet::WalletIdentity;

/// The times of logins and renewals within the window. The count is in memory. It is exact only while this process is
/// the only one that admits users. With several processes, the store must count, or each process must get a share of
/// the limit.
#[derive(Debug)]
pub(super) struct Rates {
    logins: Window,
    refreshes: Window,
}

#[derive(Debug)]
struct Window {
    /// By provider and wallet, the oldest first.
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
        let logins = "this wallet logged in too often (sessions.max_logins_per_wallet)";
        let refreshes = "this wallet renewed its token too often (sessions.max_refreshes_per_wallet)";
        Self {
            logins: window(rules.max_logins_per_wallet, Limit::LoginsPerWallet, logins),
            refreshes: window(rules.max_refreshes_per_wallet, Limit::RefreshesPerWallet, refreshes),
        }
    }

    /// Counts a login, if there is room for one more in the window.
    pub(super) fn log_in(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        self.logins.come(wallet, now)
    }

    /// Counts a renewal, if there is room for one more in the window.
    pub(super) fn refresh(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        self.refreshes.come(wallet, now)
    }

    /// Drops wallets with no login or renewal in the window.
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
        // Who came while the clock was ahead is not to wait until it is there again.
        times.iter_mut().for_each(|time| *time = (*time).min(now));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet() -> WalletIdentity {
        WalletIdentity {
            provider: "portal".into(),
            wallet_id: "w".into(),
            auth_method: "nostr".into(),
            auth_identifier: "w".into(),
            credential: [1; 32],
            expires_at: Timestamp::from_secs(u64::MAX / 1000),
            issued_at: None,
            claims: serde_json::Value::Null,
            target_key: None,
            wallets: Vec::new(),
        }
    }

    #[test]
    fn logins_while_the_clock_was_ahead_lock_nobody_out_for_that_long() {
        let rules = SessionRules { max_logins_per_wallet: 2, ..SessionRules::default() };
        let (rates, wallet) = (Rates::new(&rules), wallet());
        let now = Timestamp::from_secs(1_800_000_000);
        let ahead = now.plus(Duration::from_secs(8 * 24 * 3600));
        rates.log_in(&wallet, ahead).unwrap();
        rates.log_in(&wallet, ahead).unwrap();
        let Err(SessionError::LimitReached { retry_after, .. }) = rates.log_in(&wallet, now) else {
            panic!("they still count");
        };
        assert_eq!(retry_after, rules.window);
        rates.log_in(&wallet, now.plus(rules.window)).unwrap();
    }
}
