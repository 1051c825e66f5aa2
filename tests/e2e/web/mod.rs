//! The sign-in page for web apps, as browsers, apps and attackers see it.

mod bounds;
mod page;
mod restart;
mod threats;

use hyper::Method;
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::{Daemon, Plan};
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};

const COOKIE: &str = "__Host-portico";
const ORIGIN: &str = "https://login.example";
const BACK: &str = "https://shop.example/signed-in?lang=de";

/// The page for a shop and a blog. It takes sessions.
pub(crate) const PAGE: &str = r#"
[web]
listen = "127.0.0.1:0"
public_url = "https://login.example"
proxies = ["127.0.0.1"]
name = "Example"
[[web.app]]
id = "shop"
name = "The <Shop>"
return_urls = ["https://shop.example/signed-in?lang=de", "https://shop.example/other"]
sessions = true
[[web.app]]
id = "blog"
return_urls = ["https://blog.example/"]
"#;

/// A daemon with its page and a relay.
struct Site {
    relay: TestRelay,
    daemon: Daemon,
}

/// A browser: what it sends with every request, and its cookie.
#[derive(Clone)]
struct Browser {
    rest: Rest,
    cookie: Option<String>,
}

fn with_page(relay: &TestRelay, config: &str) -> Plan {
    Daemon::on(&[relay]).with_config(&format!("{config}{SESSIONS}{PAGE}"))
}

impl Site {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With these lines before the page's.
    async fn with(config: &str) -> Self {
        let relay = TestRelay::start().await;
        let daemon = with_page(&relay, config).start_subscribed(&[&relay]).await;
        Self { relay, daemon }
    }

    /// A browser that is here for the first time.
    fn browser(&self) -> Browser {
        browser(&self.daemon)
    }

    /// What an app gets for a code.
    async fn redeem(&self, app: &str, code: &str) -> Answer {
        self.daemon.rest().post("/web/redeem", json!({ "app": app, "code": code })).await
    }

    /// A sign-in for the shop that a new wallet has approved, in its browser.
    async fn approved(&self) -> Page {
        let page = self.browser().open(&start("shop")).await;
        page.approve(&mut Phone::new()).await;
        page
    }
}

fn browser(daemon: &Daemon) -> Browser {
    let rest = Rest::tcp(daemon.web(), String::new()).without("authorization");
    let rest = rest.with("host", "login.example").with("sec-fetch-dest", "document");
    Browser { rest: rest.with("x-forwarded-for", "192.0.2.1"), cookie: None }
}

/// The code of a sign-in for the shop that a new wallet has approved.
pub(crate) async fn code_of(daemon: &Daemon) -> String {
    let page = browser(daemon).open(&start("shop")).await;
    page.approve(&mut Phone::new()).await;
    page.code().await
}

/// The address of a sign-in for this app.
fn start(app: &str) -> String {
    format!("/sign-in?app={app}")
}

impl Browser {
    fn client(&self) -> Rest {
        match &self.cookie {
            Some(cookie) => self.rest.clone().with("cookie", &format!("{COOKIE}={cookie}")),
            None => self.rest.clone(),
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let answer = self.client().get(path).await;
        if let Some(set) = answer.header("set-cookie") {
            let value = set.strip_prefix(&format!("{COOKIE}=")).expect("the page's own cookie");
            self.cookie = Some(value.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// Presses a button of the page.
    async fn press(&self, path: &str) -> Answer {
        let client = self.client().with("origin", ORIGIN).with("sec-fetch-site", "same-origin");
        client.send(Method::POST, path, "").await
    }

    /// Follows the app's link to a page.
    async fn open(&mut self, path: &str) -> Page {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let path = answer.header("location").unwrap().to_owned();
        assert!(path.starts_with("/sign-in/"), "{path}");
        Page { browser: self.clone(), path }
    }
}

/// The page of a sign-in in its browser.
#[derive(Clone)]
struct Page {
    browser: Browser,
    path: String,
}

impl Page {
    async fn load(&self) -> Answer {
        self.browser.clone().get(&self.path).await
    }

    /// What the page says, as HTML.
    async fn html(&self) -> String {
        let answer = self.load().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text
    }

    /// The URL in the code.
    async fn url(&self) -> String {
        attribute(&self.html().await, "class=\"button\" href").replace("&amp;", "&")
    }

    async fn state(&self) -> String {
        attribute(&self.html().await, "data-state")
    }

    /// Asks what comes after a state that it has seen.
    async fn ask(&self, seen: &str) -> Answer {
        let client = self.browser.client().with("sec-fetch-dest", "empty");
        client.with("sec-fetch-site", "same-origin").get(&format!("{}/wait?seen={seen}", self.path)).await
    }

    /// Waits as the page's module does, until it is in this state.
    async fn until(&self, state: &str) -> String {
        let mut seen = String::new();
        loop {
            let answer = self.ask(&seen).await;
            if answer.status == 204 {
                continue;
            }
            assert_eq!(answer.status, 200, "{answer:?}");
            if attribute(&answer.text, "data-state") == state {
                return answer.text;
            }
            seen = attribute(&answer.text, "data-tag");
        }
    }

    /// Scans the code, and approves.
    async fn approve(&self, phone: &mut Phone) {
        phone.scan(&self.url().await).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        self.until("approved").await;
    }

    async fn press(&self, button: &str) -> Answer {
        let answer = self.browser.press(&format!("{}/{button}", self.path)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer
    }

    /// Where the browser is sent to.
    async fn returns_to(&self) -> url::Url {
        let answer = self.load().await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.header("location").unwrap().parse().unwrap()
    }

    /// The code that it is sent to the app with.
    async fn code(&self) -> String {
        parameter(&self.returns_to().await, "code").unwrap()
    }
}

fn attribute(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split_once('"').unwrap().0.to_owned()
}

fn parameter(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The audit records of refused codes, the latest first: the reason and the app.
async fn refused_codes(daemon: &Daemon, count: usize) -> Vec<(Value, Value)> {
    loop {
        let records = daemon.rest().get("/audit?kind=web_code_refused").await.data()["records"].take();
        let records = records.as_array().unwrap();
        if records.len() >= count {
            let told =
                records.iter().map(|record| (record["reason"].clone(), record["detail"]["app"].clone()));
            return told.collect();
        }
        // Refusals are recorded in batches.
        tokio::task::yield_now().await;
    }
}
