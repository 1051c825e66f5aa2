//! Answers gateways that ask before they let a request through: nginx `auth_request`, Traefik ForwardAuth, Envoy.

use std::borrow::Cow;
use std::fmt::Write;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use super::offered::{Malformed, Source};
use super::sign_in;
use crate::access_token::AccessError;
use crate::api::Api;
use crate::api::caller::{Asker, Calling};
use crate::api::user_request::{self, Visit};
use crate::http::envelope::{self, ApiError};
use crate::http::peer::Peer;
use crate::quoted::quoted;
use crate::session::{Checked, Offered, Reason, SessionError, User};
use crate::tokens::wrapped_token;
use crate::wallet::{Credential, WebRequest, nip98};

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const WALLET: HeaderName = HeaderName::from_static("x-auth-wallet");
const PROVIDER: HeaderName = HeaderName::from_static("x-auth-provider");
const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
const PERMISSIONS: HeaderName = HeaderName::from_static("x-auth-permissions");
const SESSION: HeaderName = HeaderName::from_static("x-auth-session");
/// The path that a browser comes back to after it signed in, as the value of a parameter.
const RETURN_TO: HeaderName = HeaderName::from_static("x-auth-return-to");
/// The reason of a refusal, for gateways that show different error pages.
const ERROR: HeaderName = HeaderName::from_static("x-auth-error");

/// Why a request is not let through.
enum Refusal {
    /// RFC 6750 §3: no token, an invalid one, or one with too few rights.
    Challenge { status: StatusCode, challenge: String, code: &'static str },
    /// The same as 401, for a browser that can sign in and come back.
    SignIn { challenge: String, code: &'static str, return_to: String, page: Option<String> },
    /// There is no answer now.
    Trouble(ApiError),
}

/// Whether a gateway asks, whose answers name their reason in a header.
pub(in crate::api) fn is_for_gateways(path: &str) -> bool {
    path == "/auth/forward" || path.starts_with("/auth/envoy/")
}

/// Refuses a gateway. One that may not ask gets no body, as with all refusals of these routes that a gateway passes on
/// to a user. A mistake in the question keeps its text for the operator.
pub(in crate::api) fn refused(error: ApiError) -> Response {
    let may_not_ask = matches!(error.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let mut response = error.into_response();
    if may_not_ask {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    response
}

/// The answer with its reason in a header, if it is a refusal.
pub(in crate::api) fn named(mut response: Response) -> Response {
    if let Some(code) = envelope::code_of(&response) {
        response.headers_mut().entry(ERROR).or_insert(HeaderValue::from_static(code));
    }
    response
}

/// For gateways that state their conditions: `?role=admin&permission=…`. The user must have each of them.
pub(in crate::api) async fn forward(
    State(api): State<Api>,
    Asker(actor): Asker,
    Calling(peer): Calling,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let wanted = uri.query().unwrap_or_default();
    let request = user_request::forwarded(&headers);
    let page = match sign_in::page_in(wanted) {
        Ok(page) => page,
        Err(message) => return ApiError::bad_request(message).into_response(),
    };
    let return_to = sign_in::return_to(&headers, user_request::visited(&headers));
    let checked = let_through(&api, peer, &headers, request, wanted, actor).await;
    let checked = checked.map_err(|refusal| refusal.for_browser(return_to, page));
    checked.map_or_else(IntoResponse::into_response, |checked| admit(&checked))
}

/// Envoy appends the path and query of the user's request. The user controls this query, so it sets no conditions.
pub(in crate::api) async fn envoy(
    State(api): State<Api>,
    Asker(actor): Asker,
    Calling(peer): Calling,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let request = user_request::behind("/auth/envoy", &method, &uri);
    let return_to = sign_in::return_to(&headers, request.as_ref().map(Visit::of));
    let checked = let_through(&api, peer, &headers, request, "", actor).await;
    let checked = checked.map_err(|refusal| refusal.for_browser(return_to, None));
    checked.map_or_else(IntoResponse::into_response, |checked| admit(&checked))
}

async fn let_through(
    api: &Api,
    peer: Peer,
    headers: &HeaderMap,
    request: Option<WebRequest<'_>>,
    wanted: &str,
    actor: crate::session::Actor,
) -> Result<Checked, Refusal> {
    let rules = &api.forward;
    let names = [&rules.access_token_header, &rules.credential_header];
    if matches!(peer, Peer::Tcp(_)) && names.contains(&&header::AUTHORIZATION) {
        let message = "over TCP, Authorization has the API token: use the Unix socket, or set another \
                       header for the user's (forward.access_token_header, forward.credential_header)";
        return Err(Refusal::Trouble(ApiError::forbidden(message)));
    }
    let sessions = api.sessions().map_err(Refusal::Trouble)?;
    let token = Source {
        header: &rules.access_token_header,
        cookie: rules.access_token_cookie.as_deref(),
        takes_nostr: false,
    };
    let credential = Source {
        header: &rules.credential_header,
        cookie: rules.credential_cookie.as_deref(),
        takes_nostr: sessions.providers().0.any(|name| name == nip98::NAME),
    };
    let (token, credential) = (token.read(headers)?, credential.read(headers)?);
    let offered = Offered {
        access_token: token,
        credential: credential.map(|text| Credential { text, request }),
        provider: None,
    };
    let checked = sessions.check("forward", offered, &actor).await;
    let checked = checked.map_err(|error| Refusal::of(error, token, credential))?;
    require(&checked.user, wanted)?;
    Ok(checked)
}

/// An unknown parameter is an error, so that a misspelt condition does not admit everybody.
fn require(user: &User, wanted: &str) -> Result<(), Refusal> {
    for (name, value) in form_urlencoded::parse(wanted.as_bytes()) {
        let has = |list: &[String]| list.iter().any(|one| Cow::Borrowed(one.as_str()) == value);
        let holds = match &*name {
            "role" => has(&user.roles),
            "permission" => has(&user.permissions),
            name if sign_in::is_page(name) => continue,
            other => {
                let other = quoted(other);
                let message =
                    format!("query: unknown parameter {other}; this route has role, permission and sign_in");
                return Err(Refusal::Trouble(ApiError::bad_request(message)));
            }
        };
        if !holds {
            return Err(Refusal::Challenge {
                status: StatusCode::FORBIDDEN,
                challenge: "Bearer error=\"insufficient_scope\"".into(),
                code: if name == "role" { "role_missing" } else { "permission_missing" },
            });
        }
    }
    Ok(())
}

/// The answer that admits a request: the user in headers.
fn admit(checked: &Checked) -> Response {
    let Checked { user, session, .. } = checked;
    let mut headers = HeaderMap::with_capacity(8);
    let names = [
        (USER, user.id.to_string()),
        (WALLET, in_ascii(&user.wallet_id)),
        (PROVIDER, user.provider.clone()),
        (ROLES, user.roles.join(",")),
        (PERMISSIONS, user.permissions.join(",")),
        (SESSION, session.id.to_string()),
    ];
    for (name, value) in names {
        let Ok(value) = HeaderValue::from_maybe_shared(value.into_bytes()) else {
            return ApiError::internal().into_response();
        };
        headers.insert(name, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (headers, ()).into_response()
}

/// A wallet's id as the value of a header (RFC 9110 §5.5). Other characters than visible ASCII are percent-encoded in
/// UTF-8, and so is `%`, so that two different ids never look the same.
fn in_ascii(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut encoded, byte| {
        match byte {
            b'%' | 0..=0x20 | 0x7f.. => {
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(char::from(byte)),
        }
        encoded
    })
}

impl Refusal {
    /// The refusal for this access token and this credential.
    fn of(error: SessionError, token: Option<&str>, credential: Option<&str>) -> Self {
        let SessionError::Refused(reason) = error else { return Self::Trouble(error.into()) };
        let challenge = match reason {
            // Without a token the answer has no error code (RFC 6750 §3.1).
            Reason::NoAccessToken => "Bearer".into(),
            _ => {
                let unreadable = match &reason {
                    Reason::InvalidToken(AccessError::MalformedToken) => token,
                    Reason::Credential { code, .. } if code.starts_with("malformed_") => credential,
                    _ => None,
                };
                // A description has no quotes in it (RFC 6750 §3).
                let hint = unreadable.and_then(wrapped_token).map(|hint| hint.replace('"', "'"));
                let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
                let code = reason.code();
                format!("Bearer error=\"invalid_token\", error_description=\"{code}{hint}\"")
            }
        };
        Self::Challenge { status: StatusCode::UNAUTHORIZED, challenge, code: reason.code() }
    }

    /// The refusal for a browser that asked for a page and can come back to it.
    fn for_browser(self, return_to: Option<String>, page: Option<String>) -> Self {
        match (self, return_to) {
            (Self::Challenge { status: StatusCode::UNAUTHORIZED, challenge, code }, Some(return_to)) => {
                Self::SignIn { challenge, code, return_to, page }
            }
            (refusal, _) => refusal,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::Challenge {
            status: StatusCode::UNAUTHORIZED,
            challenge: "Bearer error=\"invalid_request\"".into(),
            code: "malformed_request",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, challenge, code, return_to, page) = match self {
            Self::Challenge { status, challenge, code } => (status, challenge, code, None, None),
            Self::SignIn { challenge, code, return_to, page } => {
                let status = if page.is_some() { StatusCode::FOUND } else { StatusCode::UNAUTHORIZED };
                (status, challenge, code, Some(return_to), page)
            }
            Self::Trouble(error) => return error.into_response(),
        };
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if let Some(return_to) = return_to {
            let location = page.map(|page| (header::LOCATION, sign_in::location(&page, &return_to)));
            for (name, value) in [Some((RETURN_TO, return_to)), location].into_iter().flatten() {
                headers.extend(HeaderValue::try_from(value).map(|value| (name, value)));
            }
        }
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers.insert(ERROR, HeaderValue::from_static(code));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        envelope::because(response, code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_look_the_same_in_a_header() {
        for (name, header) in [
            ("npub1x", "npub1x"),
            ("auth0|7", "auth0|7"),
            ("josé", "jos%C3%A9"),
            ("jos%C3%A9", "jos%25C3%25A9"),
            ("a b\r\n", "a%20b%0D%0A"),
        ] {
            assert_eq!(in_ascii(name), header);
        }
    }
}
