//! A wallet user's answer to a challenge, and its events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nostr_sdk::{Event, Keys, PublicKey};
use rand::rngs::OsRng;

use crate::clock::Timestamp;
use crate::portal_token::{self, SigningKey};
use crate::protocol::{
    AuthChallenge, AuthResponse, AuthStatus, SealError, Sealer, SessionToken, SubkeyProof,
};

/// The answer of the wallet's user to a challenge.
#[derive(Clone)]
pub enum WalletAnswer {
    /// Approves, with a session token.
    Approve,
    /// Declines, with an optional reason for people.
    Decline(Option<String>),
    /// Does not answer.
    Ignore,
    /// Answers after this delay.
    After(Duration, Box<WalletAnswer>),
    /// Any events, for wallets that break the protocol.
    Custom(Arc<Custom>),
}

/// Makes replies to a challenge.
pub type Custom = dyn Fn(&ChallengeSeen) -> Vec<WalletReply> + Send + Sync;

/// One reply of a [`WalletAnswer::Custom`].
#[derive(Debug, Clone)]
pub enum WalletReply {
    /// An answer; the wallet signs it and seals it to the service that asked.
    Response(AuthResponse),
    /// An event, sent unchanged; see [`seal_answer`].
    Event(Box<Event>),
}

/// A challenge that reached the user.
#[derive(Debug, Clone)]
pub struct ChallengeSeen {
    /// The event; its author is the service that asks.
    pub event: Event,
    /// The content.
    pub challenge: AuthChallenge,
    /// The service: the event's author, or the main key in its proof.
    pub service: PublicKey,
    /// The time at which the wallet read it.
    pub at: Timestamp,
}

impl ChallengeSeen {
    /// An approval with this session token.
    pub fn approve(&self, session_token: impl Into<String>, proof: Option<SubkeyProof>) -> AuthResponse {
        let session_token = SessionToken::new(session_token);
        self.respond(AuthStatus::Approved { granted_permissions: Vec::new(), session_token }, proof)
    }

    /// A refusal.
    pub fn decline(&self, reason: Option<String>, proof: Option<SubkeyProof>) -> AuthResponse {
        self.respond(AuthStatus::Declined { reason }, proof)
    }

    fn respond(&self, status: AuthStatus, subkey_proof: Option<SubkeyProof>) -> AuthResponse {
        AuthResponse { challenge: self.challenge.challenge.clone(), subkey_proof, status }
    }

    /// A session token for the service that asks, signed with `keys`, valid from now on.
    pub fn session_token(&self, keys: &Keys, lifetime: Duration) -> String {
        let signer = SigningKey::from_secret(keys.secret_key());
        portal_token::issue(&signer, self.service.as_bytes(), self.at.secs(), lifetime.as_secs())
    }

    /// The keys that an answer names: the key that asks, and its main key.
    pub(super) fn concerned(&self) -> Vec<PublicKey> {
        let mut keys = vec![self.service, self.event.pubkey];
        keys.dedup();
        keys
    }
}

/// Signs an answer with `keys` and seals it to the service that asked. Anybody who knows the challenge can do this.
///
/// # Errors
///
/// [`SealError`].
pub fn seal_answer(keys: &Keys, seen: &ChallengeSeen, answer: &AuthResponse) -> Result<Event, SealError> {
    let sealer = Sealer::new(keys.clone(), 1);
    sealer.seal(&mut OsRng, &seen.event.pubkey, &seen.concerned(), None, answer, seen.at.secs())
}

impl fmt::Debug for WalletAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approve => "Approve",
            Self::Decline(_) => "Decline",
            Self::Ignore => "Ignore",
            Self::After(..) => "After",
            Self::Custom(_) => "Custom",
        })
    }
}
