//! What a wallet is made with.

use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::Keys;

use super::mind::Mind;
use super::{Wallet, WalletAnswer};
use crate::clock::{SharedClock, SystemClock};
use crate::protocol::SubkeyProof;

/// What wallet apps give: a week.
const TOKEN_LIFETIME: Duration = Duration::from_secs(168 * 3600);

/// A wallet in the making. Without further ado it approves everything at once, on its main key.
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

    /// What its user says. Default: [`WalletAnswer::Approve`].
    #[must_use]
    pub fn answering(self, answer: WalletAnswer) -> Self {
        Self { answer, ..self }
    }

    /// How long its user thinks. Default: not at all.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Its keys are a subkey's, with this proof. It cannot read what is sealed to the main key: it shows the
    /// proof, then answers the challenge that it gets itself.
    #[must_use]
    pub fn on_subkey(self, proof: SubkeyProof) -> Self {
        Self { proof: Some(proof), ..self }
    }

    /// How long its session tokens hold. Default: 168 hours.
    #[must_use]
    pub fn token_lifetime(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime, ..self }
    }

    /// The relays that it tells a service it prefers, as they are. Default: those of the URL.
    #[must_use]
    pub fn preferring(self, relays: Vec<String>) -> Self {
        Self { preferred_relays: Some(relays), ..self }
    }

    /// What time it takes it to be. Default: the computer's own clock.
    #[must_use]
    pub fn clock(self, clock: SharedClock) -> Self {
        Self { clock, ..self }
    }

    /// The wallet, with a client of its own. It knows no relay yet: [`Wallet::scan`] and [`Wallet::listen`]
    /// name them.
    pub fn connect(self) -> Wallet {
        let mind = Mind::new(self.keys, self.proof, self.token_lifetime, self.clock, self.answer);
        Wallet::start(mind, self.delay, self.preferred_relays)
    }
}
