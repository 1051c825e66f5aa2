//! The steps of the demo, as it shows them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nostr_sdk::{PublicKey, RelayUrl};
use serde::{Serialize, Serializer};

use crate::events::WalletClaims;

/// A step that succeeded.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Which step.
    pub step: StepName,
    /// Its duration; milliseconds in JSON.
    #[serde(rename = "ms", serialize_with = "as_millis")]
    pub took: Duration,
    /// Its result.
    #[serde(flatten)]
    pub scene: Scene,
}

/// The result of a step.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Scene {
    /// A relay runs.
    Relay {
        /// Its URL.
        url: RelayUrl,
    },
    /// The daemon serves, and the relay has accepted its subscription.
    Daemon {
        /// Its public key.
        public_key: PublicKey,
        /// Its Unix socket.
        socket: PathBuf,
        /// Its TCP socket.
        listen: SocketAddr,
        /// The file with the API token for TCP.
        token_file: PathBuf,
    },
    /// A login was opened.
    Login {
        /// The URL in the QR code.
        url: String,
        /// The stream of its events.
        stream_id: String,
    },
    /// A step about this user.
    User {
        /// The user's key.
        user_key: PublicKey,
    },
    /// The challenge has reached the user.
    Challenge {
        /// Its expiry, in seconds since the Unix epoch.
        expires_at: u64,
    },
    /// The verified claims of the session token.
    Claims(WalletClaims),
    /// The daemon refused.
    Refused(RefusedAttack),
    /// A stranger answered instead of the user, and was ignored.
    Unheard {
        /// The stranger.
        stranger: PublicKey,
        /// The user's own answer, which the business received.
        heard: &'static str,
    },
}

/// The daemon's refusal.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedAttack {
    /// The HTTP status.
    pub status: u16,
    /// The code, for programs.
    pub code: String,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// A relay runs.
    Relay,
    /// The daemon serves, and the relay has accepted its subscription.
    Daemon,
    /// A business has opened a login.
    Login,
    /// The wallet has scanned the code, and the service knows the user.
    Scanned,
    /// The challenge has reached the user.
    Challenged,
    /// The user's approval has reached the business.
    Approved,
    /// The session token has the right claims.
    Claims,
    /// The service verified the session token, and learned the user.
    Verified,
    /// A token with a claim altered was refused.
    AlteredToken,
    /// A well-formed token for this service, signed by a key that never logged in, was refused.
    StrangersToken,
    /// A stranger who knew the challenge approved instead of the user, and was ignored.
    StrangersApproval,
}

impl StepName {
    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Relay => "relay up",
            Self::Daemon => "daemon ready",
            Self::Login => "login opened",
            Self::Scanned => "scanned",
            Self::Challenged => "challenged",
            Self::Approved => "approved",
            Self::Claims => "claims verified",
            Self::Verified => "token verified",
            Self::AlteredToken => "altered token",
            Self::StrangersToken => "stranger's token",
            Self::StrangersApproval => "stranger's approval",
        }
    }
}

/// To the microsecond: more digits would not be meaningful.
fn as_millis<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_micros() as f64 / 1000.0)
}
