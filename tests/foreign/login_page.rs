//! The login page of the documentation, on Express, with a wallet that scans its code.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
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
        Self::before("").await
    }

    /// The same with these lines more in the configuration of the daemon.
    async fn before(config: &str) -> Self {
        let relay = TestRelay::start().await;
        let daemon = with_sessions(&relay, config).start_subscribed(&[&relay]).await;
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        std::fs::write(folder.path().join("app.mjs"), app()).unwrap();
        std::fs::write(folder.path().join("index.html"), block("html")).unwrap();
        symlink(installed().join("node_modules"), folder.path().join("node_modules")).unwrap();
        let mut node = command_of(Path::new("node"), folder.path());
        node.arg("app.mjs").env("PATH", std::env::var_os("PATH").unwrap());
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
        assert_eq!(names(&told), ["after", "image", "url"], "the stream is told to no browser");
        assert!(told["image"].as_str().unwrap().starts_with("data:image/png;base64,"));
        (told["url"].as_str().unwrap().to_owned(), cookie(&opened, LOGIN).unwrap())
    }

    /// The cookies of a wallet that has logged in: the access token and the credential.
    async fn logged_in(&self, phone: &mut Phone) -> (String, String) {
        let (url, id) = self.login().await;
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        let done = self.browser(&[(LOGIN, &id)]).get("/login/state?after=1").await;
        assert_eq!(done.json(), json!({ "state": "done", "after": 2 }));
        (cookie(&done, ACCESS).unwrap(), cookie(&done, WALLET).unwrap())
    }
}

/// The one block of this language in docs/login-page.md.
fn block(language: &str) -> &'static str {
    let page = include_str!("../../docs/login-page.md");
    let (_, block) = page.split_once(&format!("\n```{language}\n")).expect(language);
    block.split_once("\n```\n").unwrap().0
}

fn app() -> &'static str {
    let app = block("js");
    assert!(app.lines().count() <= 80, "docs/login-page.md: 80 lines");
    app
}

/// The script of the page before these answers: what it asks, shows and waits.
async fn shown(answers: &Value) -> Vec<(String, Value)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/page.mjs");
    let mut node = command_of(Path::new("node"), &installed());
    node.arg(script).arg(answers.to_string()).env("PATH", std::env::var_os("PATH").unwrap());
    node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut running = node.spawn().expect("see .ci/run");
    running.stdin.take().unwrap().write_all(block("html").as_bytes()).await.unwrap();
    let finished = soon("the page", running.wait_with_output()).await.unwrap();
    assert!(finished.status.success(), "the page failed");
    serde_json::from_slice(&finished.stdout).unwrap()
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

#[tokio::test]
async fn the_page_is_served_and_shows_the_code_and_how_the_login_ends() {
    let page = Page::start().await;
    let served = page.browser(&[]).get("/").await;
    assert_eq!((served.status.as_u16(), served.text.as_str()), (200, block("html")));
    let login = json!({ "url": "portal://npub1", "image": "data:image/png;base64,AA==", "after": 0 });
    let answers = json!([
        [200, {}, null],
        [429, { "retry-after": "7" }, { "state": "busy" }],
        [200, {}, login],
        [200, {}, { "state": "scanned", "after": 1 }],
        null,
        [200, {}, { "state": "done", "after": 2 }],
    ]);
    let expected = [
        ("asked", json!("GET /me")),
        ("asked", json!("POST /login")),
        ("state.textContent", json!("Busy")),
        ("waited", json!(7_000)),
        ("asked", json!("POST /login")),
        ("code.src", login["image"].clone()),
        ("url.textContent", login["url"].clone()),
        ("url.href", login["url"].clone()),
        ("state.textContent", json!("Scan the code with your wallet")),
        ("asked", json!("GET /login/state?after=0")),
        ("state.textContent", json!("Approve the login on your phone")),
        ("asked", json!("GET /login/state?after=1")),
        ("state.textContent", json!("Temporarily unavailable")),
        ("waited", json!(5_000)),
        ("asked", json!("GET /login/state?after=1")),
        ("state.textContent", json!("Welcome")),
    ];
    let expected = expected.map(|(what, value)| (what.to_owned(), value));
    assert_eq!(shown(&answers).await, expected);
}

#[tokio::test]
async fn an_answer_that_got_lost_is_given_again() {
    let page = Page::start().await;
    let (url, id) = page.login().await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    for _ in 0..2 {
        let done = page.browser(&[(LOGIN, &id)]).get("/login/state?after=1").await;
        assert_eq!(done.json()["state"], "done");
        assert!(cookie(&done, WALLET).is_some());
    }
    let after = page.browser(&[(LOGIN, &id)]).get("/login/state?after=2").await;
    assert_eq!(after.json()["state"], "new_code", "no page waits for a login that has ended");
}

#[tokio::test]
async fn new_access_keys_log_nobody_out() {
    let mut page = Page::start().await;
    let (mut phone, mut other) = (Phone::new(), Phone::new());
    let (access, wallet) = page.logged_in(&mut phone).await;
    page.daemon.terminate().await;
    std::fs::remove_file(page.daemon.folder().join("data/access-keys.json")).unwrap();
    let page = Page { daemon: page.daemon.restart().await, ..page };
    for cookies in [vec![(ACCESS, access.as_str()), (WALLET, &wallet)], vec![(WALLET, &wallet)]] {
        let renewed = page.browser(&cookies).get("/me").await;
        assert_eq!(renewed.json()["wallet_id"], phone.key().to_hex());
        let verified =
            json!({ "access_token": cookie(&renewed, ACCESS), "credential": cookie(&renewed, WALLET) });
        assert_eq!(page.daemon.rest().post("/auth/verify", verified).await.status.as_u16(), 200);
    }
    let (other, _) = page.logged_in(&mut other).await;
    let mixed = page.browser(&[(ACCESS, &other), (WALLET, &wallet)]).get("/me").await;
    assert_eq!((mixed.json(), cookie(&mixed, ACCESS)), (Value::Null, None), "tokens of two wallets");
}

#[tokio::test]
async fn while_portico_is_busy_or_away_the_page_is_told_so_and_nobody_is_logged_out() {
    let mut page = Page::before("[auth]\nmax_open = 1\n").await;
    let mut phone = Phone::new();
    let (access, wallet) = page.logged_in(&mut phone).await;
    page.login().await;
    let busy = page.browser(&[]).send(Method::POST, "/login", "").await;
    assert_eq!((busy.status.as_u16(), busy.json()), (429, json!({ "state": "busy" })));
    assert!((1..=300).contains(&busy.header("retry-after").unwrap().parse::<u64>().unwrap()));
    page.daemon.terminate().await;
    let user = page.browser(&[(ACCESS, &access), (WALLET, &wallet)]);
    for (method, path) in [(Method::POST, "/login"), (Method::GET, "/me"), (Method::POST, "/logout")] {
        let away = user.send(method, path, "").await;
        assert_eq!((away.status.as_u16(), away.json()), (503, json!({ "state": "unavailable" })), "{path}");
        assert!(away.header("retry-after").is_some() && !away.headers.contains_key("set-cookie"));
    }
}
