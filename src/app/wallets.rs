//! The wallet providers that the configuration turns on.

use std::sync::Arc;

use super::error::StartError;
use crate::auth::{Auth, PortalWallets};
use crate::config::Wallets;
use crate::wallet::WalletProvider;

/// Portal's own, and those with a section of their own.
pub(super) fn providers(
    _wallets: &Wallets,
    auth: &Arc<Auth>,
) -> Result<Vec<Arc<dyn WalletProvider>>, StartError> {
    let providers: Vec<Arc<dyn WalletProvider>> = vec![Arc::new(PortalWallets::new(Arc::clone(auth)))];
    Ok(providers)
}
