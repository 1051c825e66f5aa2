//! Wallets other than Portal's.

mod para_session;
