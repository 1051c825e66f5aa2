//! Limits how often one wallet logs in and renews its token, so that a stolen credential or a faulty client cannot
//! keep the store busy.

use std::sync::Arc;

use super::{Result, SessionError};
use crate::clock::Timestamp;
use crate::config::SessionRules;
use crate::metrics::Limit;
use crate::store::{Claims, Rate, Visit};
use crate::wallet::WalletIdentity;

/// Counts the logins and renewals within the window.
#[derive(Debug)]
pub(super) struct Rates {
    claims: Arc<dyn Claims>,
    logins: Rate,
    refreshes: Rate,
}

impl Rates {
    pub(super) fn new(claims: Arc<dyn Claims>, rules: &SessionRules) -> Self {
        let rate = |most| Rate { most, window: rules.window };
        Self {
            claims,
            logins: rate(rules.max_logins_per_wallet),
            refreshes: rate(rules.max_refreshes_per_wallet),
        }
    }

    /// Counts a login, if there is room for one more in the window.
    pub(super) async fn log_in(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        let message = "this wallet logged in too often (sessions.max_logins_per_wallet)";
        self.claim(Visit::Login, wallet, now, (self.logins, Limit::LoginsPerWallet, message)).await
    }

    /// Counts a renewal, if there is room for one more in the window.
    pub(super) async fn refresh(&self, wallet: &WalletIdentity, now: Timestamp) -> Result<()> {
        let message = "this wallet renewed its token too often (sessions.max_refreshes_per_wallet)";
        self.claim(Visit::Refresh, wallet, now, (self.refreshes, Limit::RefreshesPerWallet, message)).await
    }

    async fn claim(
        &self,
        visit: Visit,
        wallet: &WalletIdentity,
        now: Timestamp,
        (rate, limit, message): (Rate, Limit, &'static str),
    ) -> Result<()> {
        let wallet = (wallet.provider.as_str(), wallet.wallet_id.as_str());
        match self.claims.claim_visit(visit, wallet, now, rate).await? {
            None => Ok(()),
            Some(retry_after) => Err(SessionError::LimitReached { limit, message, retry_after }),
        }
    }
}
