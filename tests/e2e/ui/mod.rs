//! The operator's page, as a browser uses it, and as other web pages and programs try to.

mod overview;
mod sign_in;
mod threats;
mod users;
mod wallet;

use hyper::Method;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Plan};
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};

/// A daemon with the page, on TCP too, to be started.
fn with_page(relay: &TestRelay, more: &str) -> Plan {
    let toml = format!("[sessions]\nenabled = true\n[ui]\nenabled = true\n{more}");
    Daemon::on(&[relay]).with_config(&toml).with_tcp()
}

/// A relay, and a daemon with the page that is subscribed there.
async fn daemon(more: &str) -> (TestRelay, Daemon) {
    let relay = TestRelay::start().await;
    let daemon = with_page(&relay, more).start_subscribed(&[&relay]).await;
    (relay, daemon)
}

/// The same without a relay that answers, for what needs no login.
async fn quiet(more: &str) -> Daemon {
    let plan = Daemon::offline().with_tcp();
    plan.with_config(&format!("[sessions]\nenabled = true\n[ui]\nenabled = true\n{more}")).start().await
}

/// An API token with these rights.
async fn token(daemon: &Daemon, name: &str, may: &[&str]) -> String {
    let made = daemon.rest().post("/tokens", json!({ "name": name, "may": may })).await.data();
    made["token"].as_str().unwrap().to_owned()
}

/// What the page in a browser sends, before anybody has signed in.
fn page(rest: Rest, host: &str) -> Rest {
    rest.without("authorization")
        .with("host", host)
        .with("origin", &format!("http://{host}"))
        .with("sec-fetch-site", "same-origin")
        .with("x-portico-ui", "1")
}

/// The page of this daemon over TCP.
fn browser(daemon: &Daemon) -> Rest {
    page(Rest::tcp(daemon.address(), String::new()), &daemon.address().to_string())
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    set.split(';').next().unwrap().to_owned()
}

/// The page after an answer that signed it in.
fn signed_in(before: &Rest, answer: &Answer) -> Rest {
    let key = answer.data()["key"].as_str().unwrap().to_owned();
    before.clone().with("cookie", &cookie(answer)).with("x-portico-ui", &key)
}

/// The page of somebody who signed in with this token.
async fn enter(daemon: &Daemon, token: &str) -> Rest {
    let page = browser(daemon);
    let answer = page.post("/ui/session", json!({ "token": token })).await;
    signed_in(&page, &answer)
}

/// The page of an operator.
async fn operator(daemon: &Daemon) -> Rest {
    let token = token(daemon, "ops", &["operate"]).await;
    enter(daemon, &token).await
}

async fn is_signed_in(page: &Rest) -> bool {
    let told = page.get("/ui/session").await.data()["signed_in"].clone();
    assert_eq!(told == true, page.get("/ui/data").await.status == 200);
    told == true
}

/// Every route of the page that is not a file, with a body that it takes.
fn routes(user: &str) -> Vec<(Method, String, Value)> {
    let user = |rest: &str| format!("/ui/users/{user}{rest}");
    vec![
        (Method::GET, "/ui/session".into(), Value::Null),
        (Method::POST, "/ui/session".into(), json!({ "token": "x" })),
        (Method::DELETE, "/ui/session".into(), Value::Null),
        (Method::GET, "/ui/login".into(), Value::Null),
        (Method::POST, "/ui/login".into(), Value::Null),
        (Method::DELETE, "/ui/login".into(), Value::Null),
        (Method::GET, "/ui/data".into(), Value::Null),
        (Method::GET, "/ui/audit".into(), Value::Null),
        (Method::GET, "/ui/users".into(), Value::Null),
        (Method::GET, user(""), Value::Null),
        (Method::POST, user("/end-sessions"), json!({})),
        (Method::POST, user("/disable"), json!({ "disabled": true, "revision": 1 })),
    ]
}

async fn send(page: &Rest, (method, path, body): &(Method, String, Value)) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    page.send(method.clone(), path, body).await
}

const FILES: [&str; 4] = ["/ui/", "/ui/ui.css", "/ui/ui.js", "/ui/icon.svg"];
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";
