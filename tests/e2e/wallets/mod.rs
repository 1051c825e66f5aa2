//! Wallets other than Portal's: both layers with the credentials of each provider.

mod para_session;
pub(crate) mod thirdweb;
