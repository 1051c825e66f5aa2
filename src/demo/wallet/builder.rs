//! The settings of a simulated wallet.

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::Keys;

use super::mind::Mind;
use super::{Wallet, WalletAnswer};
use crate::clock::{SharedClock, SystemClock};
use crate::protocol::SubkeyProof;

/// The lifetime that wallet apps use: a week.
const TOKEN_LIFETIME: Duration = Duration::from_secs(168 * 3600);

/// Builds a wallet. By default it approves everything at once, with its main key.
#[derive(Debug)]
pub struct WalletBuilder {
    keys: Keys,
    answer: WalletAnswer,
    delay: Duration,
    proof: Option<SubkeyProof>,
    token_lifetime: Duration,
    preferred_relays: Option<Vec<String>>,
    clock: SharedClock,
}

impl WalletBuilder {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            answer: WalletAnswer::Approve,
            delay: Duration::ZERO,
            proof: None,
            token_lifetime: TOKEN_LIFETIME,
            preferred_relays: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Its user's answer. Default: [`WalletAnswer::Approve`].
    #[must_use]
    pub fn answering(self, answer: WalletAnswer) -> Self {
        Self { answer, ..self }
    }

    /// The delay before its user answers. Default: none.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Its key is a subkey, with this proof. It cannot read events that are sealed to the main key: it sends the
    /// proof, then answers the challenge that the service sends to the subkey.
    #[must_use]
    pub fn on_subkey(self, proof: SubkeyProof) -> Self {
        Self { proof: Some(proof), ..self }
    }

    /// The lifetime of its session tokens. Default: 168 hours.
    #[must_use]
    pub fn token_lifetime(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime, ..self }
    }

    /// The relays that it names as preferred. Default: those of the URL.
    #[must_use]
    pub fn preferring(self, relays: Vec<String>) -> Self {
        Self { preferred_relays: Some(relays), ..self }
    }

    /// Its clock. Default: the computer's clock.
    #[must_use]
    pub fn clock(self, clock: SharedClock) -> Self {
        Self { clock, ..self }
    }

    /// The wallet, with its own client. It has no relays yet: [`Wallet::scan`] and [`Wallet::listen`]
    /// add them.
    pub fn connect(self) -> Wallet {
        let mind = Mind::new(self.keys, self.proof, self.token_lifetime, self.clock, self.answer);
        Wallet::start(mind, self.delay, self.preferred_relays)
    }
}
