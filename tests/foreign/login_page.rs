//! The login page of the documentation, on Express, with a wallet that scans its code.

use std::path::Path;
use std::process::Stdio;

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use crate::site::{ACCESS, WALLET, until_it_listens};
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::program::command_of;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};
use crate::support::soon;
use crate::verifiers::installed;
use crate::with_sessions;

const LOGIN: &str = "__Host-login";

/// The app of docs/login-page.md before a daemon. All of it ends when this is dropped.
struct Page {
    daemon: Daemon,
    _relay: TestRelay,
    folder: TempDir,
    _app: Child,
}

impl Page {
    async fn start() -> Self {
        let relay = TestRelay::start().await;
        let daemon = with_sessions(&relay, "").start_subscribed(&[&relay]).await;
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let mut node = command_of(Path::new("node"), &installed());
        node.args(["--input-type=module", "--eval", &example()]);
        node.env("PATH", std::env::var_os("PATH").unwrap());
        node.env("PORT", &socket).env("PORTICO_SOCKET", daemon.socket());
        let mut app = node.stderr(Stdio::inherit()).spawn().expect("see .ci/run");
        soon("the app", until_it_listens(&socket, &mut app)).await;
        Self { daemon, _relay: relay, folder, _app: app }
    }

    /// A browser with these cookies, on a page of the site.
    fn browser(&self, cookies: &[(&str, &str)]) -> Rest {
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let browser = Rest::unix(self.folder.path().join("app.sock"));
        browser.with("sec-fetch-site", "same-origin").with("cookie", &cookies.join("; "))
    }

    /// A login that a browser starts: its URL, and the cookie that says whose it is.
    async fn login(&self) -> (String, String) {
        let opened = self.browser(&[]).send(Method::POST, "/login", "").await;
        let told = opened.json();
        assert_eq!(names(&told), ["after", "url"], "the stream is told to no browser");
        (told["url"].as_str().unwrap().to_owned(), cookie(&opened, LOGIN).unwrap())
    }
}

/// The one block of JavaScript of the page.
fn example() -> String {
    let page = include_str!("../../docs/login-page.md");
    let (_, block) = page.split_once("\n```js\n").expect("docs/login-page.md: js");
    let block = block.split_once("\n```\n").unwrap().0;
    assert!(block.lines().count() <= 80, "docs/login-page.md: 80 lines");
    block.to_owned()
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A cookie that an answer sets, which no script may read.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = set.into_iter().find_map(|set| set.strip_prefix(&format!("{name}=")));
    found.map(|rest| {
        assert!(rest.contains("HttpOnly; Secure; SameSite=Lax"), "{rest}");
        rest.split(';').next().unwrap().to_owned()
    })
}

#[tokio::test]
async fn the_browser_that_started_the_login_gets_it_and_sees_no_token() {
    let page = Page::start().await;
    let (url, id) = page.login().await;
    let browser = page.browser(&[(LOGIN, &id)]);
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let scanned = browser.get("/login/state?after=0").await;
    assert_eq!(scanned.json(), json!({ "state": "scanned", "after": 1 }));
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let done = browser.get("/login/state?after=1").await;
    assert_eq!(done.json(), json!({ "state": "done", "after": 2 }));
    let (access, wallet) = (cookie(&done, ACCESS).unwrap(), cookie(&done, WALLET).unwrap());
    let user = page.browser(&[(ACCESS, &access), (WALLET, &wallet)]);
    assert_eq!(user.get("/me").await.json()["wallet_id"], phone.key().to_hex());
    let stranger = page.browser(&[(WALLET, &access)]);
    assert_eq!(stranger.get("/me").await.json(), Value::Null);
    let verified = json!({ "access_token": access, "credential": wallet });
    assert_eq!(page.daemon.rest().post("/auth/verify", verified.clone()).await.status.as_u16(), 200);
    assert_eq!(user.send(Method::POST, "/logout", "").await.status.as_u16(), 204);
    assert_eq!(page.daemon.rest().post("/auth/verify", verified).await.status.as_u16(), 401);
}

#[tokio::test]
async fn somebody_who_saw_the_code_or_runs_another_site_gets_nothing() {
    let page = Page::start().await;
    let (url, id) = page.login().await;
    let (_, other) = page.login().await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    for cookies in [vec![], vec![(LOGIN, "guessed")]] {
        let answer = page.browser(&cookies).get("/login/state?after=0").await;
        assert_eq!(answer.json()["state"], "new_code");
        assert_eq!(cookie(&answer, WALLET), None);
    }
    assert_ne!(id, other);
    for path in ["/login", "/logout"] {
        let elsewhere = page.browser(&[(LOGIN, &id)]).with("sec-fetch-site", "cross-site");
        assert_eq!(elsewhere.send(Method::POST, path, "").await.status.as_u16(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_user_who_declines_is_told_so() {
    let page = Page::start().await;
    let (url, id) = page.login().await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.decline(&asked, None).await;
    let browser = page.browser(&[(LOGIN, &id)]);
    let answer = browser.get("/login/state?after=1").await;
    assert_eq!(answer.json()["state"], "declined");
    assert_eq!(cookie(&answer, WALLET), None);
}
