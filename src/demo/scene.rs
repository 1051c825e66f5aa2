//! The steps of the story, as the audience sees them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nostr_sdk::{PublicKey, RelayUrl};
use serde::{Serialize, Serializer};

use crate::events::WalletClaims;

/// A step that held.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Which step.
    pub step: StepName,
    /// How long it took; milliseconds in JSON.
    #[serde(rename = "ms", serialize_with = "as_millis")]
    pub took: Duration,
    /// What it showed.
    #[serde(flatten)]
    pub scene: Scene,
}

/// What a step showed.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Scene {
    /// A relay runs.
    Relay {
        /// Where.
        url: RelayUrl,
    },
    /// The daemon serves, and the relay has subscribed it.
    Daemon {
        /// Who it is.
        public_key: PublicKey,
        /// Its Unix socket.
        socket: PathBuf,
        /// Its TCP socket.
        listen: SocketAddr,
        /// Where the API token for that lies.
        token_file: PathBuf,
    },
    /// A login was opened.
    Login {
        /// What the QR code holds.
        url: String,
        /// The stream that tells how it goes on.
        stream_id: String,
    },
    /// What happened, happened to this user.
    User {
        /// The user's key.
        user_key: PublicKey,
    },
    /// The question has reached the user.
    Challenge {
        /// Up to when it can be answered, in seconds since the Unix epoch.
        expires_at: u64,
    },
    /// The verified claims of the session token.
    Claims(WalletClaims),
    /// The daemon said no.
    Refused(RefusedAttack),
    /// A stranger answered in the user's place and was not heard.
    Unheard {
        /// The stranger.
        stranger: PublicKey,
        /// What the business heard instead: the user's own answer.
        heard: &'static str,
    },
}

/// How the daemon said no.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedAttack {
    /// The HTTP status.
    pub status: u16,
    /// The reason, as programs read it.
    pub code: String,
}

/// The steps, in the order of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// A relay runs.
    Relay,
    /// The daemon serves, and the relay has subscribed it.
    Daemon,
    /// A business has opened a login.
    Login,
    /// The wallet has scanned the code, and the service knows who it is.
    Scanned,
    /// The question has reached the user.
    Challenged,
    /// The user's yes has reached the business.
    Approved,
    /// The session token says what it should.
    Claims,
    /// The session token, shown to the service later, names the user.
    Verified,
    /// A token with a claim altered was refused.
    AlteredToken,
    /// A well-formed token for this service, signed by a key that never logged in, was refused.
    StrangersToken,
    /// A stranger who had got hold of the challenge approved in the user's place, and was not heard.
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

/// To the microsecond: more digits would only look precise.
fn as_millis<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_micros() as f64 / 1000.0)
}
