//! Web apps redeem the codes that the sign-in page gives to browsers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::api::caller::{Asker, Caller};
use crate::events::{LoggedIn, WalletClaims};
use crate::http::body::JsonBody;
use crate::http::envelope::{ApiError, secret};
use crate::http::peer::Peer;
use crate::session::Actor;
use crate::web::{CodeError, Redeemed, Redeemer, SignInPage};

/// A code, and the app that it is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ShownCode {
    app: String,
    code: String,
}

/// The result of a login on the page.
#[derive(Serialize)]
struct Result<'a> {
    user_key: &'a str,
    session_token: &'a str,
    session: Option<WalletClaims>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a LoggedIn>,
}

impl Api {
    /// The sign-in page, if it is on.
    pub(in crate::api) fn page(&self) -> std::result::Result<&SignInPage, ApiError> {
        self.page.as_ref().ok_or_else(|| {
            let message = "the sign-in page is off: set web.listen to switch it on";
            ApiError::new(StatusCode::NOT_FOUND, "web_off", message)
        })
    }

    /// Records a refused code in the audit, if there is one, and in the log.
    fn note_refused_code(&self, app: &str, reason: &'static str, actor: &Actor) {
        tracing::warn!(app, reason, %actor, "refused the code of a sign-in");
        if let Some(sessions) = &self.sessions {
            sessions.note_refused_code(app, reason, actor);
        }
    }
}

pub(in crate::api) async fn redeem(
    State(api): State<Api>,
    caller: Caller,
    Asker(actor): Asker,
    JsonBody(ShownCode { app, code }): JsonBody<ShownCode>,
) -> std::result::Result<Response, ApiError> {
    let uid = match caller.peer {
        Peer::Unix { uid, .. } => Some(uid),
        Peer::Tcp(_) => None,
    };
    let token = caller.token_name();
    let redeemed = api.page()?.codes().redeem(&code, Redeemer { app: &app, uid, token }).await;
    if let Some(reason) = redeemed.as_ref().err().and_then(CodeError::reason) {
        api.note_refused_code(&app, reason, &actor);
    }
    let Redeemed { user_key, session_token, claims, login } = redeemed?;
    let (session_token, login) = (session_token.expose(), login.as_deref());
    Ok(secret(Result { user_key: &user_key, session_token, session: claims, login }))
}
