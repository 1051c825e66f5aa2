//! Deliveries verify with the libraries of Standard Webhooks, and what was altered or is old does not.

use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::support::daemon::Daemon;
use crate::support::program::command_of;
use crate::support::{now, soon};
use crate::verifiers::installed;

const TEXT: &str = "a secret of the operator's, as text";

/// The headers that the libraries look at, and the body.
type Came = (Value, String);

/// Takes a delivery at this address.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, came) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tell = tell.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let tell = tell.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
                    let headers: serde_json::Map<_, _> = names
                        .map(|name| (name.to_owned(), head.headers[name].to_str().unwrap().into()))
                        .into_iter()
                        .collect();
                    tell.send((headers.into(), String::from_utf8(body.to_vec()).unwrap())).unwrap();
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, came)
}

/// What a daemon with this secret delivers.
async fn delivered(secret: &str) -> Came {
    let (address, mut came) = receiver().await;
    let config = format!("[webhook]\nurl = \"http://{address}/hook\"\nsecret = \"{secret}\"\n");
    let daemon = Daemon::offline().with_config(&config).start().await;
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    daemon.rest().delete(&format!("/key-handshake/{stream}"), Value::Null).await.data();
    soon("a delivery", came.recv()).await.unwrap()
}

/// The event that a library makes of each, or null.
async fn read(mut library: Command, secret: &str, cases: &[Came]) -> Vec<Value> {
    let cases: Vec<_> =
        cases.iter().map(|(headers, body)| json!({ "headers": headers, "body": body })).collect();
    library.env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::piped());
    let mut running = library.spawn().expect(".ci/run tells what has to be installed");
    let asked = json!({ "secret": secret, "cases": cases }).to_string();
    running.stdin.take().unwrap().write_all(asked.as_bytes()).await.unwrap();
    let output = soon("a library's answer", running.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn libraries() -> [Command; 2] {
    let mut node = command_of(Path::new("node"), &installed());
    node.args(["--input-type=module", "--eval", include_str!("webhooks.mjs")]);
    let mut python = command_of(&installed().join("venv/bin/python"), &installed());
    python.args(["-I", "-c", include_str!("webhooks.py")]);
    [node, python]
}

#[tokio::test]
async fn a_delivery_verifies_with_every_library_and_an_altered_one_with_none() {
    let encoded = format!("whsec_{}", STANDARD.encode(TEXT));
    // What the library is given for a secret that is plain text.
    let secrets = [(&*encoded, encoded.clone()), (TEXT, encoded.clone())];
    for (ours, theirs) in secrets {
        let (headers, body) = delivered(ours).await;
        let altered = |name: &str, value: Value| {
            let mut headers = headers.clone();
            headers[name] = value;
            (headers, body.clone())
        };
        let at = headers["webhook-timestamp"].as_str().unwrap().parse::<u64>().unwrap();
        assert!(now().abs_diff(at) < 60);
        let cases = [
            (headers.clone(), body.clone()),
            (headers.clone(), body.replace("cancelled", "timed_out")),
            altered("webhook-id", "another/1".into()),
            altered("webhook-timestamp", (at + 1).to_string().into()),
            altered("webhook-timestamp", (at - 3600).to_string().into()),
            altered("webhook-signature", format!("v1,{}", STANDARD.encode([7; 32])).into()),
        ];
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_ne!(cases[1].1, body);
        for library in libraries() {
            let read = read(library, &theirs, &cases).await;
            assert_eq!(read[0], event);
            assert!(read[1..].iter().all(Value::is_null), "{read:?}");
        }
    }
}
