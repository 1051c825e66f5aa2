//! OAuth 2.0 for gateways and resource servers: introspection (RFC 7662) and revocation (RFC 7009). The standards
//! define the answers, so there is no envelope.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::access_token::Claims;
use crate::api::Api;
use crate::api::caller::Asker;
use crate::http::MAX_BODY;
use crate::http::body::TextBody;
use crate::http::envelope::{self, ApiError};
use crate::session::User;
use crate::tokens::{Inspected, VerifiedToken};

/// Why there is no answer (RFC 6749 §5.2).
pub(in crate::api) enum OauthError {
    /// The request is malformed.
    InvalidRequest(&'static str),
    /// There is no answer now.
    Trouble(ApiError),
}

impl From<ApiError> for OauthError {
    fn from(error: ApiError) -> Self {
        Self::Trouble(error)
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why.to_owned()),
            Self::Trouble(error) if error.status == StatusCode::TOO_MANY_REQUESTS => {
                (error.status, "temporarily_unavailable", error.message)
            }
            Self::Trouble(error) if error.status.is_client_error() => {
                (error.status, "invalid_request", error.message)
            }
            Self::Trouble(error) => (error.status, "server_error", error.message),
        };
        let body = Json(json!({ "error": error, "error_description": description }));
        envelope::because((status, [(header::CACHE_CONTROL, "no-store")], body).into_response(), error)
    }
}

pub(in crate::api) async fn introspect(
    State(api): State<Api>,
    headers: HeaderMap,
    TextBody(body): TextBody<MAX_BODY>,
) -> Result<Response, OauthError> {
    let token = token_in(&headers, &body)?;
    let inspected = api.tokens.inspect(&token).await.map_err(ApiError::from)?;
    // Of a token that is not active no more is said (RFC 7662 §2.2).
    let answer = inspected.map_or_else(|| json!({ "active": false }), to_json);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn to_json(inspected: Inspected) -> Value {
    match inspected {
        Inspected::Session(claims, user) => of_session(&claims, &user),
        Inspected::Service(claims) => of_service(&claims),
        Inspected::Portal(verified) => of_portal(&verified),
    }
}

pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    Asker(actor): Asker,
    headers: HeaderMap,
    TextBody(body): TextBody<MAX_BODY>,
) -> Result<Response, OauthError> {
    let token = token_in(&headers, &body)?;
    match api.tokens.revoke(&token, &actor).await.map_err(ApiError::from) {
        // A text that is not a token, or not a valid one any more, counts as revoked (RFC 7009 §2.2).
        Err(error) if error.status != StatusCode::BAD_REQUEST => return Err(error.into()),
        _ => {}
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], ()).into_response())
}

/// The parameter `token` of a form, exactly once. `token_type_hint` is ignored.
fn token_in(headers: &HeaderMap, body: &[u8]) -> Result<String, OauthError> {
    let form = "send application/x-www-form-urlencoded";
    // An empty one says as little as none.
    let kind = headers.get(header::CONTENT_TYPE).filter(|kind| !kind.as_bytes().trim_ascii().is_empty());
    if let Some(kind) = kind {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OauthError::InvalidRequest(form));
        }
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if !token.is_empty() => Ok(token.into_owned()),
        (Some(_), Some(_)) => Err(OauthError::InvalidRequest("token: given twice")),
        _ => Err(OauthError::InvalidRequest("token: missing")),
    }
}

/// With the current roles, which may differ from those in the token.
fn of_session(claims: &Claims, user: &User) -> Value {
    let mut answer = of_service(claims);
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("roles".into(), json!(user.roles));
        fields.insert("permissions".into(), json!(user.permissions));
        if let Some(username) = &user.username {
            fields.insert("username".into(), json!(username));
        }
    }
    answer
}

fn of_service(claims: &Claims) -> Value {
    let mut answer = json!(claims);
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("active".into(), json!(true));
        fields.insert("token_type".into(), json!("Bearer"));
    }
    answer
}

fn of_portal(verified: &VerifiedToken) -> Value {
    let claims = &verified.claims;
    json!({
        "active": true,
        "token_type": "Bearer",
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "iat": claims.issued_at,
        "nbf": claims.not_before,
        "exp": claims.expires_at,
        "target_key": verified.target_key,
    })
}
