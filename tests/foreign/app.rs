//! The app behind the gateway: it answers with what it was sent.

use std::convert::Infallible;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

use crate::support::rest::Answer;

/// The app. It stops when it is dropped.
pub(crate) struct App {
    _serving: AbortOnDropHandle<()>,
}

impl App {
    /// An app on this socket, which every user of the machine may speak to.
    pub(crate) fn on(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        std::fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo));
                tokio::spawn(connection);
            }
        });
        Self { _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = json!({ "path": head.uri.path(), "headers": headers, "body": text(&body) });
    Ok(Response::new(Full::new(seen.to_string().into())))
}

/// What the app saw of a request that reached it.
pub(crate) fn seen(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.json()
}

/// All that the app was told of the user, by any name that a CGI program would take for `X-Auth-…`.
pub(crate) fn told_of_user(answer: &Answer) -> Vec<(String, String)> {
    let headers: Vec<(String, String)> = serde_json::from_value(seen(answer)["headers"].take()).unwrap();
    let is_of_user = |name: &str| name.replace(|c: char| !c.is_alphanumeric(), "-").starts_with("x-auth-");
    let mut told: Vec<_> = headers.into_iter().filter(|(name, _)| is_of_user(name)).collect();
    told.sort();
    told
}
