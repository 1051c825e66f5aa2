//! What `portico demo` needs, and what tests share with it: a relay and a wallet of our own.
//!
//! The wallet is simulated, the rest is not: it speaks the protocol over real relays, and knows nothing of
//! the daemon but what a phone would know.

pub mod relay;
pub mod wallet;
