//! Reads what a caller sent: bounded in size and time, and every error names what is wrong.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use sha2::{Digest, Sha256};

use super::MAX_BODY;
use super::envelope::ApiError;
use super::mistake::without_values;
use super::object::Object;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Portico keeps reading the rest of a refused body.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a refused body Portico reads and drops, so that the sender can read the refusal.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// Whether the sender may still call, asked again once the body is there. A body can take seconds to arrive, and in
/// that time the sender's token can be revoked or expire.
#[derive(Clone)]
pub(crate) struct MayStillCall(pub(crate) Arc<dyn Fn() -> Result<(), ApiError> + Send + Sync>);

/// A body of at most `LIMIT` bytes. An empty body counts as `{}`. The content type is ignored.
pub(crate) struct TextBody<const LIMIT: usize>(pub(crate) Vec<u8>);

impl<S: Sync, const LIMIT: usize> FromRequest<S> for TextBody<LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = in_time(request, LIMIT).await?;
        Ok(Self(if bytes.is_empty() { b"{}".to_vec() } else { bytes }))
    }
}

/// A JSON object of at most [`MAX_BODY`] bytes.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let TextBody::<MAX_BODY>(text) = TextBody::from_request(request, state).await?;
        read(&text).map(Self)
    }
}

/// The same, and the SHA-256 of its text if there was any.
pub(crate) struct HashedBody<T>(pub(crate) T, pub(crate) Option<[u8; 32]>);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for HashedBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let text = in_time(request, MAX_BODY).await?;
        if text.is_empty() {
            Ok(Self(read(b"{}")?, None))
        } else {
            Ok(Self(read(&text)?, Some(Sha256::digest(&text).into())))
        }
    }
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    let read = serde_json::from_slice(text).map(|Object(value)| value);
    read.map_err(|error| match error.classify() {
        Category::Syntax | Category::Eof => ApiError::bad_request("the body must be JSON"),
        _ => ApiError::bad_request(format!("body: {}", without_values(&error.to_string()))),
    })
}

async fn in_time(request: Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    let sender = request.extensions().get::<MayStillCall>().cloned();
    let body = tokio::time::timeout(BODY_TIMEOUT, collect(request, limit)).await.map_err(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body took too long")
    })??;
    sender.map_or(Ok(()), |MayStillCall(asked)| asked())?;
    Ok(body)
}

async fn collect(request: Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    let announced = announced(&request);
    let mut body = request.into_body();
    if announced > limit {
        discard(&mut body, announced).await;
        return Err(ApiError::too_large(limit));
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::bad_request("the body ended early"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            discard(&mut body, announced).await;
            return Err(ApiError::too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads the body of a request that was refused before it was read. If a connection is closed with unread data, the
/// client can lose the answer (RFC 9112 §9.6).
pub(crate) async fn read_off(request: Request) {
    let announced = announced(&request);
    discard(&mut request.into_body(), announced).await;
}

/// A request with its whole body read, where handlers may not read it, for the same reason.
pub(crate) async fn complete(request: Request) -> Result<Request, ApiError> {
    if request.body().is_end_stream() || !matches!(*request.method(), Method::GET | Method::DELETE) {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    let bytes = in_time(Request::from_parts(head.clone(), body), MAX_BODY).await?;
    Ok(Request::from_parts(head, Body::from(bytes)))
}

fn announced(request: &Request) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// Reads on for a while, unless the announced length is too large to read.
async fn discard(body: &mut Body, announced: usize) {
    let read_on = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, |data| data.len());
            if discarded > MAX_DISCARDED {
                return;
            }
        }
    };
    if announced <= MAX_DISCARDED {
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, read_on).await;
    }
}

/// Parameters in the path.
pub(crate) struct PathParam<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParam<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|error| wrong("path", &error))
    }
}

/// Parameters in the query.
pub(crate) struct QueryParam<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParam<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|error| wrong("query", &error))
    }
}

/// A query parameter that may be empty, which is the same as missing: forms send empty fields in this way.
pub(crate) fn unless_empty<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// What is wrong with a part of the URL, without the words that axum adds.
fn wrong(part: &str, error: &dyn Error) -> ApiError {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    ApiError::bad_request(format!("{part}: {}", without_values(&reason)))
}
