//! Sign-ins on the page for web apps, and the codes that they end with.
//!
//! The page may be served by another process than the one that opened a sign-in, so all that it must know is here. The
//! store keeps neither the browser's secret nor a code, only their hashes.

use async_trait::async_trait;

use super::{Result, StreamId, WebSignInId};
use crate::clock::Timestamp;

/// The SHA-256 of a secret that only a browser or an app holds.
pub type SecretDigest = [u8; 32];

/// A sign-in that a browser has opened for a web app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSignIn {
    /// Its id, which is in the address of its page and is no secret.
    pub id: WebSignInId,
    /// The browser: the hash of the secret in its cookie.
    pub browser: SecretDigest,
    /// The id of the app.
    pub app: String,
    /// Where the browser returns to.
    pub return_url: String,
    /// What the app gets back with the code.
    pub state: Option<String>,
    /// The language that the app asked for.
    pub language: Option<String>,
    /// The login whose code is shown.
    pub stream: StreamId,
    /// The content of that code.
    pub url: String,
    /// Until when it can be scanned.
    pub shown_until: Timestamp,
    /// How many codes came by themselves.
    pub renewals: u32,
    /// When the sign-in is forgotten.
    pub expires_at: Timestamp,
}

/// What became of a code that an app showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenCode {
    /// It is valid, and is used up now.
    Good(Box<WebSignIn>),
    /// No sign-in has it.
    Unknown,
    /// It was used before.
    Used,
    /// It is for this app, and cannot be used any more.
    OfOtherApp(String),
    /// It was valid until then.
    Expired,
}

impl TakenCode {
    /// What a code is worth that nobody used before: `app` shows it at `now`.
    pub(super) fn of(sign_in: WebSignIn, expires_at: Timestamp, app: &str, now: Timestamp) -> Self {
        if sign_in.app != app {
            Self::OfOtherApp(sign_in.app)
        } else if expires_at < now {
            Self::Expired
        } else {
            Self::Good(Box::new(sign_in))
        }
    }
}

/// Sign-ins on the page.
#[async_trait]
pub trait WebSignIns: std::fmt::Debug + Send + Sync {
    /// Stores a new sign-in, and deletes some that are forgotten before `forgotten`.
    async fn open_web_sign_in(&self, sign_in: &WebSignIn, forgotten: Timestamp) -> Result<()>;

    /// A sign-in. The second value says whether an app has used its code up.
    async fn web_sign_in(&self, id: WebSignInId) -> Result<Option<(WebSignIn, bool)>>;

    /// Gives a sign-in the login, the URL and the times of `renewed`. Returns `false`, and does nothing, if it shows
    /// another login than `instead_of` by now.
    async fn renew_web_sign_in(&self, renewed: &WebSignIn, instead_of: StreamId) -> Result<bool>;

    /// Gives a sign-in a code in place of the one that it has. Returns `false`, and does nothing, if an app has used
    /// its code up.
    async fn offer_web_code(
        &self,
        id: WebSignInId,
        code: &SecretDigest,
        expires_at: Timestamp,
    ) -> Result<bool>;

    /// Uses a code up, if it is valid at `now`. Any app uses it up, but only the app of the sign-in gets it.
    async fn take_web_code(&self, code: &SecretDigest, app: &str, now: Timestamp) -> Result<TakenCode>;
}
