//! Every route and every command × every right and none, over real sockets: what `security` of the document says is what
//! a caller gets.

use std::collections::BTreeMap;

use hyper::Method;
use nix::unistd::geteuid;
use nostr_sdk::Keys;
use serde_json::{Value, json};

use crate::sessions::with_sessions;
use crate::support::daemon::{Daemon, Plan};
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};
use crate::support::socket::Socket;
use crate::wallets::thirdweb::with_issuing;
use crate::web::PAGE;

pub(super) const RIGHTS: [&str; 4] = ["check", "login", "issue", "operate"];

/// Methods that a caller may try.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What a route needs, as the document says.
#[derive(Clone, Debug, PartialEq)]
enum Needs {
    Nothing,
    /// Some right; each command then needs its own.
    SomeRight,
    Right(String),
}

/// Everything is on, so that no route answers that it is off.
fn plan(relay: &TestRelay) -> Plan {
    with_issuing(with_sessions(relay), PAGE).with_tcp()
}

async fn needs_of(daemon: &Daemon) -> BTreeMap<(String, String), Needs> {
    let document = daemon.rest().get("/openapi.json").await.json();
    let mut table = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let ways = operation["security"].as_array().unwrap();
            let needs = match ways.iter().find_map(|way| way["token"].as_array()) {
                None => Needs::Nothing,
                Some(rights) if rights.is_empty() => Needs::SomeRight,
                Some(rights) => Needs::Right(rights[0].as_str().unwrap().to_owned()),
            };
            table.insert((path.clone(), method.to_uppercase()), needs);
        }
    }
    assert!(table.len() > 50, "these are not all");
    table
}

/// A path that names nothing which there is.
fn filled(path: &str) -> String {
    path.replace(['{', '}', '*'], "")
}

/// Whether this is a refusal with this code, which gateways get in a header.
fn is_refusal(answer: &Answer, status: u16, code: &str) -> bool {
    let is_named =
        answer.header("x-auth-error") == Some(code) || answer.text.contains(&format!("\"{code}\""));
    answer.status == status && is_named
}

fn is_missing_right(answer: &Answer) -> bool {
    is_refusal(answer, 403, "missing_right")
}

fn is_unknown(answer: &Answer) -> bool {
    is_refusal(answer, 401, "unauthorized")
}

/// Tries every route as a caller with this right alone, with every method.
async fn try_every_route(rest: &Rest, right: &str, table: &BTreeMap<(String, String), Needs>) {
    for ((path, method), needs) in table {
        let answer = rest.send(Method::from_bytes(method.as_bytes()).unwrap(), &filled(path), "{}").await;
        let refused = matches!(needs, Needs::Right(needed) if needed != right);
        assert_eq!(is_missing_right(&answer), refused, "{right}: {method} {path}: {answer:?}");
        if let (true, Needs::Right(needed)) = (refused, needs) {
            let is_gateways = answer.header("x-auth-error").is_some();
            assert!(is_gateways || answer.text.contains(needed.as_str()), "{answer:?}");
        }
        assert!(!is_unknown(&answer), "{right}: {method} {path}: {answer:?}");
        for other in METHODS {
            if table.contains_key(&(path.clone(), other.to_owned())) {
                continue;
            }
            let of_path = table.iter().filter(|((known, _), _)| known == path);
            let may_some =
                of_path.clone().any(|(_, needs)| !matches!(needs, Needs::Right(it) if it != right));
            let answer = rest.send(Method::from_bytes(other.as_bytes()).unwrap(), &filled(path), "").await;
            assert!(may_some || !answer.status.is_success(), "{right}: {other} {path}: {answer:?}");
        }
    }
}

/// A token with this right alone.
pub(super) async fn token(daemon: &Daemon, name: &str, may: &[&str]) -> String {
    let made = daemon.rest().post("/tokens", json!({ "name": name, "may": may })).await;
    made.data()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn over_tcp_a_token_opens_the_routes_of_its_right_and_no_other() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let table = needs_of(&daemon).await;
    for right in RIGHTS {
        let rest = Rest::tcp(daemon.address(), token(&daemon, right, &[right]).await);
        try_every_route(&rest, right, &table).await;
    }
}

#[tokio::test]
async fn over_tcp_without_a_token_that_is_valid_only_public_routes_answer() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    let table = needs_of(&daemon).await;
    let gone = token(&daemon, "gone", &["all"]).await;
    daemon.rest().delete("/tokens/gone", json!({})).await.data();
    let nobody = Rest::tcp(daemon.address(), gone.clone());
    for rest in [nobody.clone(), nobody.without("authorization"), Rest::tcp(daemon.address(), gone + "0")] {
        for ((path, method), needs) in &table {
            let answer = rest.send(Method::from_bytes(method.as_bytes()).unwrap(), &filled(path), "{}").await;
            // A WebSocket may show its token later.
            let is_open = *needs == Needs::Nothing || (path == "/ws" && answer.status == 426);
            assert_eq!(is_unknown(&answer), !is_open, "{method} {path}: {answer:?}");
        }
    }
}

/// `nobody`, on most systems.
const SOMEBODY_ELSE: u32 = 65534;

/// `None`: only root can be another user.
async fn for_somebody_else(relay: &TestRelay, rows: &str) -> Option<Daemon> {
    if !geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return None;
    }
    let config = format!("[local]\nsocket_mode = \"0666\"\n{rows}");
    let plan = with_issuing(Daemon::on(&[relay]), &config);
    Some(plan.with_tcp().where_others_can_look().start_subscribed(&[relay]).await)
}

fn row(right: &str) -> String {
    format!("[[local.allow]]\nuid = {SOMEBODY_ELSE}\nmay = [\"{right}\"]\n")
}

#[tokio::test]
async fn on_the_unix_socket_a_user_gets_the_routes_of_its_right_and_no_other_whatever_token_it_shows() {
    let relay = TestRelay::start().await;
    for right in RIGHTS {
        let Some(daemon) = for_somebody_else(&relay, &row(right)).await else { return };
        let table = needs_of(&daemon).await;
        let rest = Rest::unix_as(SOMEBODY_ELSE, daemon.socket());
        try_every_route(&rest, right, &table).await;
        let strong = format!("Bearer {}", token(&daemon, "strong", &["all"]).await);
        try_every_route(&rest.with("authorization", &strong), right, &table).await;
    }
}

#[tokio::test]
async fn on_the_unix_socket_a_user_whom_no_row_names_gets_nothing() {
    let relay = TestRelay::start().await;
    let Some(daemon) = for_somebody_else(&relay, "").await else { return };
    let strong = format!("Bearer {}", token(&daemon, "strong", &["all"]).await);
    let rest = Rest::unix_as(SOMEBODY_ELSE, daemon.socket());
    for rest in [rest.clone(), rest.with("authorization", &strong)] {
        for (path, method) in needs_of(&daemon).await.keys() {
            let answer = rest.send(Method::from_bytes(method.as_bytes()).unwrap(), &filled(path), "{}").await;
            assert!(is_refusal(&answer, 403, "forbidden"), "{method} {path}: {answer:?}");
        }
    }
}

/// Each command with the right that it needs.
fn commands() -> Vec<(&'static str, Value, &'static str)> {
    let key = Keys::generate().public_key().to_hex();
    let nothing = "00000000-0000-0000-0000-000000000000";
    vec![
        ("VerifyJwt", json!({ "pubkey": key, "token": "x" }), "check"),
        ("IssueJwt", json!({ "target_key": key, "duration_hours": 1 }), "issue"),
        ("SetProfile", json!({ "profile": {} }), "operate"),
        ("AddRelay", json!({ "relay": "not a relay" }), "operate"),
        ("RemoveRelay", json!({ "relay": "not a relay" }), "operate"),
        ("NewKeyHandshakeUrl", json!({}), "login"),
        ("AuthenticateKey", json!({ "main_key": "not a key" }), "login"),
        ("FetchProfile", json!({ "main_key": "not a key" }), "login"),
        ("FetchNip05Profile", json!({ "nip05": "not a name" }), "login"),
        ("ListenClosedRecurringPayment", json!({}), "login"),
        ("Subscribe", json!({ "stream_id": nothing }), "login"),
        ("Unsubscribe", json!({ "stream_id": nothing }), "login"),
    ]
}

async fn try_every_command(socket: &mut Socket, right: &str) {
    for (command, params, needed) in commands() {
        let answer = socket.command(command, params).await;
        let is_refused = answer["code"] == "missing_right";
        assert_eq!(is_refused, needed != right, "{right}: {command}: {answer}");
        assert_ne!(answer["code"], "unauthorized", "{answer}");
        // The right comes before the parameters: who lacks it does not learn what they would have to be.
        if needed != right {
            let answer = socket.command(command, json!({ "no": ["such", "parameter"] })).await;
            assert_eq!(answer["code"], "missing_right", "{right}: {command}: {answer}");
        }
    }
}

#[tokio::test]
async fn each_command_of_a_websocket_needs_its_right_over_tcp() {
    let relay = TestRelay::start().await;
    let daemon = plan(&relay).start_subscribed(&[&relay]).await;
    for right in RIGHTS {
        let mut socket = daemon.websocket_over_tcp().await;
        socket.data("Auth", json!({ "token": token(&daemon, right, &[right]).await })).await;
        try_every_command(&mut socket, right).await;
        // A stronger token, shown later, changes nothing.
        socket.data("Auth", json!({ "token": daemon.api_token() })).await;
        try_every_command(&mut socket, right).await;
    }
}

#[tokio::test]
async fn each_command_of_a_websocket_needs_its_right_on_the_unix_socket() {
    let relay = TestRelay::start().await;
    for right in RIGHTS {
        let Some(daemon) = for_somebody_else(&relay, &row(right)).await else { return };
        let mut socket = Socket::unix_as(SOMEBODY_ELSE, &daemon.socket()).await;
        try_every_command(&mut socket, right).await;
        socket.data("Auth", json!({ "token": token(&daemon, "strong", &["all"]).await })).await;
        try_every_command(&mut socket, right).await;
    }
}
