//! The codes that sign-ins end with. An app redeems one for the result of the login.

use std::sync::Arc;
use std::time::Duration;

use super::cookie::{Secret, digest};
use crate::clock::SharedClock;
use crate::config::WebApp;
use crate::events::{Event, EventBody, Events, LoggedIn, WalletClaims};
use crate::protocol::{AuthStatus, SessionToken};
use crate::store::{StoreError, TakenCode, WebSignIn, WebSignIns};

/// How long an app has to redeem a code.
pub(super) const CODE_TTL: Duration = Duration::from_secs(60);

/// Makes and redeems the codes of the web apps.
#[derive(Debug)]
pub struct WebCodes {
    apps: Vec<WebApp>,
    store: Arc<dyn WebSignIns>,
    events: Events,
    clock: SharedClock,
}

/// Who wants to redeem a code.
#[derive(Debug, Clone, Copy)]
pub struct Redeemer<'a> {
    /// The app that it says it is.
    pub app: &'a str,
    /// Its user, on the Unix socket.
    pub uid: Option<u32>,
    /// The name of the API token that it has shown.
    pub token: Option<&'a str>,
}

/// What an app gets for a code.
#[derive(Debug)]
pub struct Redeemed {
    /// The user's key, in hex.
    pub user_key: String,
    /// The wallet's credential.
    pub session_token: SessionToken,
    /// Its verified claims.
    pub claims: Option<WalletClaims>,
    /// The session, if sessions are on.
    pub login: Option<Box<LoggedIn>>,
}

/// Why a code is not redeemed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The configuration has no such app.
    #[error("no such app in [[web.app]]")]
    UnknownApp,
    /// The app belongs to other callers.
    #[error("this caller is not listed in uids or tokens of this app in [[web.app]]")]
    NotYourApp,
    /// No sign-in has this code, or its sign-in is forgotten.
    #[error("the code is unknown")]
    Unknown,
    /// It was redeemed, or refused, before.
    #[error("the code was used before")]
    Used,
    /// It is for another app.
    #[error("the code is for another app")]
    OfOtherApp,
    /// It came too late.
    #[error("the code has expired: redeem it within 60 seconds")]
    Expired,
    /// The login of the code was deleted.
    #[error("the login of this code is gone")]
    NoResult,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CodeError {
    /// The reason as a code for programs and the audit, if the code is to blame.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some("unknown_code"),
            Self::Used => Some("used_code"),
            Self::OfOtherApp => Some("code_of_other_app"),
            Self::Expired => Some("expired_code"),
            Self::NoResult => Some("no_result"),
            Self::UnknownApp | Self::NotYourApp | Self::Store(_) => None,
        }
    }
}

impl WebCodes {
    /// Codes for these apps.
    pub fn new(
        apps: Vec<WebApp>,
        store: Arc<dyn WebSignIns>,
        events: Events,
        clock: SharedClock,
    ) -> Arc<Self> {
        Arc::new(Self { apps, store, events, clock })
    }

    /// The app with this id.
    pub(super) fn app(&self, id: &str) -> Option<&WebApp> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// A new code for a sign-in that was approved. `None`: its app has the result.
    pub(super) async fn offer(&self, sign_in: &WebSignIn) -> Result<Option<Secret>, StoreError> {
        let code = Secret::new();
        let expires_at = self.clock.now().plus(CODE_TTL);
        let offered = self.store.offer_web_code(sign_in.id, &code.digest, expires_at).await?;
        Ok(offered.then_some(code))
    }

    /// The result of the login for this code, once.
    ///
    /// # Errors
    /// [`CodeError`].
    pub async fn redeem(&self, code: &str, by: Redeemer<'_>) -> Result<Redeemed, CodeError> {
        let app = self.app(by.app).ok_or(CodeError::UnknownApp)?;
        if !is_of(app, by) {
            return Err(CodeError::NotYourApp);
        }
        match self.store.take_web_code(&digest(code), &app.id, self.clock.now()).await? {
            TakenCode::Good(sign_in) => self.result(&sign_in).await,
            TakenCode::Unknown => Err(CodeError::Unknown),
            TakenCode::Used => Err(CodeError::Used),
            TakenCode::OfOtherApp(_) => Err(CodeError::OfOtherApp),
            TakenCode::Expired => Err(CodeError::Expired),
        }
    }

    async fn result(&self, sign_in: &WebSignIn) -> Result<Redeemed, CodeError> {
        let page = self.events.read(sign_in.stream, 0).await?.ok_or(CodeError::NoResult)?;
        page.events.into_iter().find_map(approved).ok_or(CodeError::NoResult)
    }
}

/// Whether the caller may speak for the app. An app without a list belongs to every caller with the right `login`.
fn is_of(app: &WebApp, by: Redeemer<'_>) -> bool {
    let is_listed = by.uid.is_some_and(|uid| app.uids.contains(&uid))
        || by.token.is_some_and(|token| app.tokens.iter().any(|listed| listed == token));
    is_listed || app.uids.is_empty() && app.tokens.is_empty()
}

fn approved(event: Event) -> Option<Redeemed> {
    match event.body {
        EventBody::AuthenticateKey {
            user_key,
            status: AuthStatus::Approved { session_token, .. },
            session,
            login,
            ..
        } => Some(Redeemed { user_key: user_key.to_hex(), session_token, claims: session, login }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(uids: &[u32], tokens: &[&str]) -> WebApp {
        let tokens = tokens.iter().map(|name| (*name).to_owned()).collect();
        let (id, name) = ("shop".to_owned(), "Shop".to_owned());
        WebApp { id, name, return_urls: vec![], uids: uids.to_vec(), tokens }
    }

    #[test]
    fn an_app_with_a_list_belongs_to_the_callers_on_it_and_to_nobody_else() {
        let by = |uid, token| Redeemer { app: "shop", uid, token };
        let bound = app(&[33], &["shop"]);
        assert!(is_of(&bound, by(Some(33), None)) && is_of(&bound, by(None, Some("shop"))));
        for stranger in [by(Some(34), None), by(Some(0), None), by(None, Some("blog")), by(None, None)] {
            assert!(!is_of(&bound, stranger), "{stranger:?}");
            assert!(is_of(&app(&[], &[]), stranger));
        }
    }
}
