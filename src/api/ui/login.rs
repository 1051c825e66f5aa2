//! Signs an operator in with a wallet. The login belongs to the browser that opened it: it has the cookie and the key,
//! and the code that the wallet scans has neither.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::progress::Progress;
use super::session::signed_in;
use super::sessions::{Who, hash, secret};
use super::{Ui, cookie, origin, qr};
use crate::api::Api;
use crate::events::LoggedIn;
use crate::http::envelope::{ApiError, ok};
use crate::metrics::Limit;
use crate::portal::{PortalError, StreamId};
use crate::session::{Actor, EndReason};

/// The most logins that are open at once: anybody who reaches the page can open one.
const MOST: usize = 16;

type Hash = [u8; 32];

/// A login that one browser opened.
#[derive(Clone, Copy)]
struct Open {
    key: Hash,
    stream: StreamId,
    since: Instant,
}

/// All logins that are open.
pub(super) struct PageLogins {
    patience: Duration,
    open: Mutex<HashMap<Hash, Open>>,
}

/// Leaves out the hashes and the streams.
impl fmt::Debug for PageLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageLogins").field("open", &self.open().len()).finish_non_exhaustive()
    }
}

impl PageLogins {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, open: Mutex::default() }
    }

    /// Forgets the logins that nobody asked about until their end.
    pub(super) fn sweep(&self) {
        self.open().retain(|_, login| login.since.elapsed() < self.patience);
    }

    /// How long until there is room for one more, if there is none now.
    fn full_for(&self) -> Option<Duration> {
        self.sweep();
        let open = self.open();
        let oldest = open.values().map(|login| login.since.elapsed()).max().unwrap_or_default();
        (open.len() >= MOST).then(|| self.patience.saturating_sub(oldest))
    }

    fn find(&self, headers: &HeaderMap, name: &str) -> Option<(Hash, Open)> {
        let key = hash(origin::key(headers)?);
        let open = self.open();
        cookie::values(headers, name).find_map(|value| {
            let id = hash(value);
            let login = open.get(&id)?;
            let is_its_key: bool = login.key.ct_eq(&key).into();
            is_its_key.then_some((id, *login))
        })
    }

    fn add(&self, id: Hash, login: Open) {
        self.open().insert(id, login);
    }

    /// Returns whether it was still open: of two that ask at once, one gets the result.
    fn take(&self, id: &Hash) -> bool {
        self.open().remove(id).is_some()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Hash, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a login: its code and link for the wallet, and the cookie and the key for the browser.
pub(super) async fn begin(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let ui = with_wallet(&api)?;
    if let Some(wait) = ui.logins.full_for() {
        let message = "too many logins are open at the operator's page";
        return Err(ApiError::limit_reached(Limit::PageLogins, message, Some(wait)));
    }
    api.may_open()?;
    let opened = api.portal.login(None).await?;
    let (id, key) = (secret(), secret());
    ui.logins.add(hash(&id), Open { key: hash(&key), stream: opened.stream, since: Instant::now() });
    let set = cookie::set(&cookie::login_name(&api), &id, ui.logins.patience, origin::is_over_tls(&headers));
    let body = json!({ "url": opened.url, "code": qr::outline(&opened.url), "key": key });
    Ok(([(header::SET_COOKIE, set.ok_or_else(ApiError::internal)?)], ok(body)).into_response())
}

/// How far the login is. The answer to an approval signs the browser in.
pub(super) async fn progress(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let ui = with_wallet(&api)?;
    let Some((id, login)) = ui.logins.find(&headers, &cookie::login_name(&api)) else {
        return Ok(state("gone", None));
    };
    let Some(page) = api.events.read(login.stream, 0).await? else { return Ok(state("gone", None)) };
    match Progress::of(page.events) {
        Progress::Waiting => Ok(state("waiting", None)),
        Progress::Scanned => Ok(state("scanned", None)),
        ended if !ui.logins.take(&id) => {
            drop(ended);
            Ok(state("gone", None))
        }
        Progress::Declined => Ok(state("declined", None)),
        Progress::Failed(code) => Ok(state("failed", Some(code.as_str()))),
        Progress::Approved(login) => approved(&api, ui, &headers, &login).await,
    }
}

/// Cancels the login.
pub(super) async fn cancel(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let ui = with_wallet(&api)?;
    if let Some((id, login)) = ui.logins.find(&headers, &cookie::login_name(&api))
        && ui.logins.take(&id)
    {
        match api.portal.cancel(login.stream).await {
            // It has ended in the meantime.
            Ok(()) | Err(PortalError::NothingOpen) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(state("gone", None))
}

async fn approved(api: &Api, ui: &Ui, headers: &HeaderMap, login: &LoggedIn) -> Result<Response, ApiError> {
    let (id, session) = (login.user.id, login.session.id);
    let user = api.sessions()?.user_of_open(session).await?;
    if user.is_some_and(|user| user.roles.contains(&ui.rules.role)) {
        return signed_in(api, headers, Who::User { id, session });
    }
    tracing::warn!(user_id = %id, "a user without the role ui.role tried to sign in at the operator's page");
    let actor = Actor::peer(&format_args!("user:{id}"));
    api.sessions()?.revoke_session(session, EndReason::Logout, actor).await?;
    Ok(state("no_role", None))
}

fn state(state: &str, code: Option<&str>) -> Response {
    ok(json!({ "state": state, "code": code.map_or(Value::Null, Value::from) }))
}

/// The page, if operators may sign in with a wallet.
fn with_wallet(api: &Api) -> Result<&Ui, ApiError> {
    api.sessions()?;
    let ui = api.ui()?;
    if ui.rules.role.is_empty() {
        return Err(ApiError::forbidden("no role may sign in with a wallet (ui.role)"));
    }
    Ok(ui)
}
