//! The check before every route of the operator's page.
//!
//! The caller is a browser, so neither the kernel's answer on the Unix socket nor an address on loopback says who asks:
//! any web page can make the operator's browser send a request here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::sessions::PageSession;
use super::{Ui, cookie, files, origin};
use crate::api::Api;
use crate::api::guard::{refuse, with_place};
use crate::api::host::check_form;
use crate::api::needs::PageNeeds;
use crate::http::body::{MayStillCall, complete};
use crate::http::envelope::{ApiError, code_of};
use crate::http::observe::by_holder_of;
use crate::http::peer::Peer;

/// Lets a request of the page in, or refuses it.
pub(in crate::api) async fn door(
    api: &Api,
    ui: &Ui,
    request: Request,
    next: Next,
    needs: PageNeeds,
) -> Response {
    files::hardened(pass(api, ui, request, next, needs).await)
}

async fn pass(api: &Api, ui: &Ui, mut request: Request, next: Next, needs: PageNeeds) -> Response {
    let checked = check_form(&request)
        // A web page that makes its name resolve to this machine (DNS rebinding) still sends that name.
        .and_then(|()| api.guard.check_host(&request))
        .and_then(|()| check_peer(api, ui, &request))
        .and_then(|()| match needs {
            PageNeeds::File => Ok(()),
            _ => origin::check(request.method(), request.headers()),
        });
    if let Err(error) = checked {
        return refuse(request, error).await;
    }
    let session = match needs {
        PageNeeds::File | PageNeeds::SignIn => None,
        PageNeeds::Read | PageNeeds::Write => match session(api, ui, request.headers()).await {
            Ok(session) => Some(session),
            Err(error) => return refuse(request, error).await,
        },
    };
    if needs == PageNeeds::Write && !ui.rules.writes {
        return refuse(request, read_only()).await;
    }
    let label = session.as_ref().and_then(|session| session.label());
    let mut change = None;
    if let Some(session) = session {
        change = match api.guard.change_by(&request, &session.actor(), || session.may_change()) {
            Ok(change) => change,
            Err(error) => return refuse(request, error).await,
        };
        with_place(&request, |place| place.vouch(Some(Arc::clone(&session) as _)));
        let asked_again = Arc::clone(&session);
        request.extensions_mut().insert(MayStillCall(Arc::new(move || asked_again.check())));
        request.extensions_mut().insert(SignedIn(session));
    }
    let response = match complete(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(change) = change {
        change.answered(response.status(), code_of(&response));
    }
    by_holder_of(label, response)
}

/// Who may connect at all: on the Unix socket the users of the configuration, on TCP programs of this machine.
fn check_peer(api: &Api, ui: &Ui, request: &Request) -> Result<(), ApiError> {
    let peer = request.extensions().get::<Peer>().copied().ok_or_else(ApiError::internal)?;
    match peer {
        Peer::Unix { uid, rights } if rights.are_none() => Err(api.guard.unlisted_user(peer, uid)),
        Peer::Unix { .. } => Ok(()),
        Peer::Tcp(ip) => check_address(ip, ui.rules.allow_remote),
    }
}

/// A daemon that other machines may call does not show them the page by that alone.
fn check_address(ip: IpAddr, allow_remote: bool) -> Result<(), ApiError> {
    let message = "the operator's page is only for callers on this machine (ui.allow_remote)";
    if ip.is_loopback() || allow_remote { Ok(()) } else { Err(ApiError::forbidden(message)) }
}

/// The session of a request: its cookie and its key belong together, and whoever signed in may still do so.
///
/// # Errors
/// 401: nobody is signed in.
pub(super) async fn session(api: &Api, ui: &Ui, headers: &HeaderMap) -> Result<Arc<PageSession>, ApiError> {
    let key = origin::key(headers).ok_or_else(nobody)?;
    let name = cookie::session_name(api);
    let found = cookie::values(headers, &name).find_map(|value| ui.sessions.find(value, key));
    let session = found.ok_or_else(nobody)?;
    session.check()?;
    if session.stands(api, &ui.rules.role).await? { Ok(session) } else { Err(nobody()) }
}

fn nobody() -> ApiError {
    ApiError::unauthorized("nobody is signed in, or no longer: sign in at /ui/")
}

fn read_only() -> ApiError {
    let message = "the operator's page is read-only: set ui.writes = true to change that";
    ApiError::new(StatusCode::FORBIDDEN, "read_only", message)
}

/// Whoever is signed in. Only [`door`] makes this value.
#[derive(Debug, Clone)]
pub(super) struct SignedIn(pub(super) Arc<PageSession>);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_from_other_machines_see_no_page_unless_the_configuration_says_so() {
        let check = |ip: &str, allow_remote| check_address(ip.parse().unwrap(), allow_remote).is_ok();
        for here in ["127.0.0.1", "127.8.8.8", "::1"] {
            assert!(check(here, false), "{here}");
        }
        for other in ["192.0.2.1", "10.0.0.1", "172.17.0.1", "2001:db8::1", "fe80::1"] {
            assert!(!check(other, false) && check(other, true), "{other}");
        }
    }
}
