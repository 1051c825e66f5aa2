//! `GET /openapi.json`: what it promises is what a daemon does.

mod sessions;
mod wallets;

use std::collections::BTreeSet;

use boon::{Compiler, Schemas};
use hyper::Method;
use serde_json::{Value, json};

use crate::sessions::with_sessions;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};
use crate::wallets::thirdweb::with_issuing;
use crate::web::{PAGE, code_of};

const AT: &str = "http://portico/openapi.json";

/// The document, and what of it was seen.
struct Contract {
    document: Value,
    seen: BTreeSet<(String, String)>,
}

impl Contract {
    async fn of(daemon: &Daemon) -> Self {
        let document = daemon.rest().get("/openapi.json").await.json();
        Self { document, seen: BTreeSet::new() }
    }

    /// Whether a value is as the schema at this place of the document says.
    fn check(&self, pointer: &str, value: &Value) {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(AT, self.document.clone()).unwrap();
        let place = compiler.compile(&format!("{AT}#{pointer}"), &mut schemas);
        let place = place.unwrap_or_else(|error| panic!("{pointer}: {error}"));
        if let Err(error) = schemas.validate(value, place) {
            panic!("{pointer}: {error:#}: {value}");
        }
    }

    /// Holds an answer to the document.
    fn hold(&mut self, path: &str, method: &Method, answer: &Answer) {
        let status = answer.status.as_u16();
        assert!(status != 404 || answer.refusal().1 != "not_found", "{method} {path} is not there");
        let mut at = format!("{}/responses/{status}", place(path, method));
        let mut response = self.document.pointer(&at).unwrap_or_else(|| panic!("{at} is not documented"));
        if let Some(target) = response["$ref"].as_str() {
            at = target.trim_start_matches('#').to_owned();
            response = self.document.pointer(&at).unwrap();
        }
        if answer.status.is_success() {
            for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
                assert!(answer.headers.contains_key(name), "{method} {path}: no {name} in {answer:?}");
            }
        }
        let kinds = response["content"].as_object().into_iter().flat_map(|kinds| kinds.keys());
        let kind = kinds.into_iter().find(|kind| kind.ends_with("json"));
        let is_json = answer.header("content-type").is_some_and(|sent| sent.contains("json"));
        assert!(kind.is_some() || !is_json, "{method} {path}: no content for {answer:?}");
        // What gateways are told stands in headers, unless they are refused themselves.
        let is_bare = answer.text.is_empty() && answer.headers.contains_key("x-auth-error");
        if let Some(kind) = kind.filter(|_| !is_bare) {
            let sent = answer.header("content-type").unwrap_or_default();
            assert!(sent.starts_with(kind.as_str()), "{method} {path}: {sent}");
            self.check(&format!("{at}/content/{}/schema", escaped(kind)), &answer.json());
        }
        self.seen.insert((path.to_owned(), method.to_string()));
    }

    /// Sends a request whose body is as documented, and holds the answer to the document.
    async fn send(
        &mut self,
        rest: &Rest,
        method: Method,
        path: &str,
        filled: &str,
        body: Option<Value>,
    ) -> Answer {
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let answer = rest.send(method.clone(), filled, text).await;
        self.hold(path, &method, &answer);
        if let Some(body) = body.filter(|_| answer.status.is_success()) {
            let body_is = "requestBody/content/application~1json/schema";
            self.check(&format!("{}/{body_is}", place(path, &method)), &body);
        }
        answer
    }
}

/// The place of a route in the document (RFC 6901).
fn place(path: &str, method: &Method) -> String {
    format!("/paths/{}/{}", escaped(path), method.as_str().to_lowercase())
}

fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

#[tokio::test]
async fn every_route_answers_as_documented_when_it_goes_well_and_when_it_does_not() {
    let relay = TestRelay::start().await;
    let plan = with_issuing(with_sessions(&relay), PAGE).with_tcp();
    let daemon = plan.start_subscribed(&[&relay]).await;
    let (rest, mut api) = (daemon.rest(), Contract::of(&daemon).await);
    let us = daemon.public_key().await;
    for path in
        ["/health", "/ready", "/version", "/info", "/metrics", "/openapi.json", "/relays", "/webhooks"]
    {
        assert_eq!(api.send(&rest, Method::GET, path, path, None).await.status, 200, "{path}");
    }
    for path in ["/.well-known/nostr.json", "/well-known/nostr.json"] {
        api.send(&rest, Method::GET, path, &format!("{path}?name=_"), None).await;
    }

    // One login that is approved, one that is refused, one that is taken back.
    let opened = api.send(&rest, Method::POST, "/login", "/login", Some(json!({}))).await.data();
    let stream = opened["stream_id"].as_str().unwrap();
    let mut phone = Phone::new();
    phone.scan(opened["url"].as_str().unwrap()).await;
    let asked = phone.challenge().await;
    let token = phone.token_for(&asked.event.pubkey);
    phone.approve_with(&asked, token.clone()).await;
    daemon.ended(stream).await;
    let events = "/events/{stream_id}";
    let told = api.send(&rest, Method::GET, events, &format!("/events/{stream}"), None).await.data();
    assert_eq!(told["events"].as_array().unwrap().len(), 2);
    api.thirdweb(&rest).await;
    api.sessions(&rest, &token, &told["events"][1]["login"]["user"]).await;
    let who = json!({ "main_key": phone.key(), "subkeys": [] });
    for bad in [false, true] {
        let path = "/authenticate-key";
        let stream = api.send(&rest, Method::POST, path, path, Some(who.clone())).await.data();
        let asked = phone.challenge().await;
        if bad {
            phone.approve_with(&asked, "garbage".into()).await;
        } else {
            phone.decline(&asked, None).await;
        }
        let stream = stream["stream_id"].as_str().unwrap();
        daemon.ended(stream).await;
        api.send(&rest, Method::GET, events, &format!("/events/{stream}"), None).await.data();
    }
    let new = json!({ "static_token": "wall", "no_request": true });
    let opened = api.send(&rest, Method::POST, "/key-handshake", "/key-handshake", Some(new)).await.data();
    let (path, stream) = ("/key-handshake/{stream_id}", opened["stream_id"].as_str().unwrap());
    let poll = format!("/events/{stream}");
    for status in [200, 404] {
        let answer = api.send(&rest, Method::DELETE, path, &format!("/key-handshake/{stream}"), None).await;
        assert_eq!(answer.status, status);
    }

    assert_eq!(api.send(&rest, Method::GET, events, &poll, None).await.status, 410);
    for path in [format!("{poll}?after=0"), "/events/recurring-payment-close".to_owned()] {
        api.send(&rest, Method::GET, events, &path, None).await.data();
    }

    let new = json!({ "target_key": us, "duration_hours": 1 });
    api.send(&rest, Method::POST, "/jwt/issue", "/jwt/issue", Some(new)).await.data();
    let question = json!({ "pubkey": phone.key(), "token": token });
    let both = json!([question, { "pubkey": us, "token": "x" }]);
    for question in [question, both] {
        api.send(&rest, Method::POST, "/jwt/verify", "/jwt/verify", Some(question)).await.data();
    }
    api.send(&rest, Method::POST, "/jwt/revoke", "/jwt/revoke", Some(json!({ "token": token }))).await.data();
    let profile = format!("/profile/{us}");
    api.send(&rest, Method::GET, "/profile/{key}", &profile, None).await.data();
    let unreachable = api.send(&rest, Method::GET, "/nip05/{address}", "/nip05/a@127.0.0.1:1", None).await;
    assert_eq!(unreachable.status, 502, "{unreachable:?}");
    for method in [Method::POST, Method::DELETE] {
        let relay = json!({ "relay": "ws://127.0.0.1:9" });
        api.send(&rest, method, "/relays", "/relays", Some(relay)).await.data();
    }
    for (path, whose) in [("/webhooks/retry", json!({})), ("/webhooks/drop", json!({ "all": true }))] {
        api.send(&rest, Method::POST, path, path, Some(whose)).await.data();
    }
    api.send(&rest, Method::GET, "/ws", "/ws", None).await;
    api.sign_in_page(&daemon).await;
    api.api_tokens(&rest).await;
    api.refusals(&daemon).await;

    let paths = api.document["paths"].as_object().unwrap().iter();
    let documented = paths.flat_map(|(path, operations)| {
        operations.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
    });
    assert_eq!(api.seen, documented.collect(), "each was looked at");
}

impl Contract {
    async fn sign_in_page(&mut self, daemon: &Daemon) {
        let shown = json!({ "app": "shop", "code": code_of(daemon).await });
        for (body, status) in
            [(shown.clone(), 200), (shown, 400), (json!({ "app": "nobody", "code": "x" }), 400)]
        {
            let path = "/web/redeem";
            let answer = self.send(&daemon.rest(), Method::POST, path, path, Some(body)).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
    }

    async fn api_tokens(&mut self, rest: &Rest) {
        let new = json!({ "name": "shop", "may": ["login", "check"], "expires_in": 60 });
        for status in [201, 409] {
            let made = self.send(rest, Method::POST, "/tokens", "/tokens", Some(new.clone())).await;
            assert_eq!(made.status, status, "{made:?}");
        }
        let listed = self.send(rest, Method::GET, "/tokens", "/tokens", None).await.data();
        assert_eq!(listed["tokens"][0]["may"], json!(["check", "login"]));
        for status in [200, 404] {
            let revoked = self.send(rest, Method::DELETE, "/tokens/{name}", "/tokens/shop", None).await;
            assert_eq!(revoked.status, status, "{revoked:?}");
        }
    }

    /// Asks everything wrongly, and without a token over TCP: no answer is of a kind that is not documented.
    async fn refusals(&mut self, daemon: &Daemon) {
        let (rest, stranger) = (daemon.rest(), daemon.rest_over_tcp().without("authorization"));
        let rebinding = daemon.rest_over_tcp().with("host", "evil.example");
        let paths = self.document["paths"].as_object().unwrap().iter();
        let operations: Vec<_> = paths
            .flat_map(|(path, operations)| {
                let operations = operations.as_object().unwrap().iter();
                operations.map(|(method, operation)| {
                    (path.clone(), method.to_uppercase(), operation.get("requestBody").is_some())
                })
            })
            .collect();
        for (path, method, takes_body) in operations {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let filled = path.replace(['{', '}'], "");
            if takes_body {
                let answer = self.send(&rest, method.clone(), &path, &filled, Some(json!(7))).await;
                assert!(answer.status.is_client_error(), "{path}");
                let huge = json!("x".repeat(1024 * 1024));
                assert_eq!(self.send(&rest, method.clone(), &path, &filled, Some(huge)).await.status, 413);
            }
            let answer = self.send(&rebinding, method.clone(), &path, &filled, None).await;
            assert_eq!(answer.status, 403, "{path}");
            self.refused_at_the_door(&rest, &path, &method, &filled).await;
            let is_public = self.needs_no_token(&path, &method);
            let answer = self.send(&stranger, method, &path, &filled, None).await;
            assert_eq!(answer.status == 401, !is_public, "{path}: {answer:?}");
        }
    }

    /// What is wrong whatever the route is.
    async fn refused_at_the_door(&mut self, rest: &Rest, path: &str, method: &Method, filled: &str) {
        let without_host = rest.clone().without("host");
        let with_much = rest.clone().with("cookie", &"x".repeat(40_000));
        // A copy of a document can be asked for past a cache, and what gateways add is their users'.
        let takes_any_query = path.starts_with("/auth/envoy/")
            || path.contains("well-known")
            || ["/health", "/version", "/openapi.json"].contains(&path);
        let unknown = format!("{filled}?no_such_parameter=1");
        let mut wrong = vec![
            (&without_host, method.clone(), filled, "", 400),
            (&with_much, method.clone(), filled, "", 431),
            (rest, Method::TRACE, filled, "", 405),
        ];
        if !takes_any_query {
            wrong.push((rest, method.clone(), &unknown, "", 400));
        }
        let huge = "x".repeat(70_000);
        if matches!(*method, Method::GET | Method::DELETE) {
            wrong.push((rest, method.clone(), filled, &huge, 413));
        }
        for (rest, sent_as, filled, body, status) in wrong {
            let answer = rest.send(sent_as, filled, body.to_owned()).await;
            assert_eq!(answer.status, status, "{method} {filled}: {answer:?}");
            self.hold(path, method, &answer);
        }
    }

    /// Whether the document says that no token is needed.
    fn needs_no_token(&self, path: &str, method: &Method) -> bool {
        let operation = &self.document["paths"][path][method.as_str().to_lowercase()];
        operation["security"].as_array().is_some_and(|ways| ways.contains(&json!({})))
    }
}
