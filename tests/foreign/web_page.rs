//! The sign-in page in a real browser, with a wallet that scans its code.

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::browser::{Chromium, pictures};
use crate::support::daemon::Daemon;
use crate::support::domain::domain;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::with_sessions;

/// A daemon with its page behind a proxy, a shop, and a browser.
struct Visit {
    chromium: Chromium,
    daemon: Daemon,
    origin: String,
    shop: String,
    _relay: TestRelay,
    _proxy: JoinHandle<()>,
}

impl Visit {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With these lines before the page's.
    async fn with(config: &str) -> Self {
        let relay = TestRelay::start().await;
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://localhost:{}", proxy.local_addr().unwrap().port());
        let html = format!(
            "<!doctype html><title>Shop</title><h1>Shop</h1>\
             <a id=in href=\"{origin}/sign-in?app=shop&state=xyz\">Sign in</a>"
        );
        let shop = domain("200 OK", &["Content-Type: text/html"], html).await;
        let shop = format!("http://shop.localhost:{}", shop.port());
        let page = format!(
            "{config}[web]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{origin}\"\nname = \"Example & Sons\"\n\
             wallet_url = \"https://wallet.example/get\"\n[[web.app]]\nid = \"shop\"\nname = \"The Shop\"\n\
             return_urls = [\"{shop}/signed-in\"]\nsessions = true\n"
        );
        let daemon = with_sessions(&relay, &page).start_subscribed(&[&relay]).await;
        let behind = daemon.web();
        let forwarding = tokio::spawn(async move {
            while let Ok((mut outer, _)) = proxy.accept().await {
                tokio::spawn(async move {
                    let mut inner = TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut outer, &mut inner).await
                });
            }
        });
        let mut visit = Self {
            chromium: Chromium::start().await,
            daemon,
            origin,
            shop,
            _relay: relay,
            _proxy: forwarding,
        };
        visit.open("a", json!({})).await;
        visit
    }

    /// A fresh browser with one tab, under this name.
    async fn open(&mut self, name: &str, options: Value) {
        const OPEN: &str = r#"
            const context = await browser.newContext({ locale: "en-US", ...args.options });
            await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: args.origin });
            kept[args.name] = { context, page: await context.newPage() };
        "#;
        let args = json!({ "name": name, "options": options, "origin": self.origin });
        self.chromium.run(OPEN, args).await;
    }

    /// Runs a script about the page of this browser.
    async fn on(&mut self, name: &str, script: &str) -> Value {
        let script = format!("const {{ context, page }} = kept[args.name]; {script}");
        let args = json!({ "name": name, "origin": self.origin, "shop": self.shop });
        self.chromium.run(&script, args).await
    }

    async fn text_of(&mut self, name: &str, selector: &str) -> String {
        let text = self.on(name, &format!("return await page.innerText({selector:?})")).await;
        text.as_str().unwrap().to_owned()
    }

    /// Goes from the shop to the page: the URL in the code.
    async fn sign_in(&mut self, name: &str) -> String {
        let script = "await page.goto(args.shop); await page.click('#in');
                      return await page.getAttribute('[data-open]', 'href')";
        self.on(name, script).await.as_str().unwrap().to_owned()
    }

    async fn until(&mut self, name: &str, state: &str) {
        self.on(name, &format!("await page.waitForSelector('main[data-state={state}]')")).await;
    }

    /// Waits until the browser is back at the shop: what it brings.
    async fn returned(&mut self, name: &str) -> url::Url {
        let script = "await page.waitForURL(args.shop + '/signed-in?**'); return page.url()";
        self.on(name, script).await.as_str().unwrap().parse().unwrap()
    }

    /// What the shop gets for the code that the browser brought.
    async fn redeem(&self, url: &url::Url) -> Value {
        let code = url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let body = json!({ "app": "shop", "code": code });
        self.daemon.rest().post("/web/redeem", body).await.data()
    }

    async fn picture(&mut self, name: &str, file: &str) {
        let path = pictures().join(format!("{file}.png"));
        self.on(name, &format!("await page.screenshot({{ path: {path:?}, fullPage: true }})")).await;
    }

    /// What axe-core finds serious on the page.
    async fn faults(&mut self, name: &str) -> Value {
        // The page's own policy forbids scripts of others, so axe gets in as a debugger.
        let script = "
            const client = await context.newCDPSession(page);
            await client.send('Runtime.evaluate', { expression: axe });
            const expression = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
              JSON.stringify(violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html])))`;
            const { result } = await client.send('Runtime.evaluate', { expression, awaitPromise: true });
            return JSON.parse(result.value);";
        let found = self.on(name, script).await;
        let serious = |fault: &&Value| matches!(fault[1].as_str(), Some("serious" | "critical"));
        found.as_array().unwrap().iter().filter(serious).cloned().collect()
    }
}

async fn approve(phone: &mut Phone) {
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
}

#[tokio::test]
async fn somebody_signs_in_on_the_page_and_goes_back() {
    let mut visit = Visit::start().await;
    let mut phone = Phone::new();
    let url = visit.sign_in("a").await;
    assert_eq!(visit.text_of("a", "h1").await, "Sign in to The Shop");
    let copied = "await page.click('[data-copy]'); await page.waitForFunction(() => say.textContent !== '');
                  return [await page.innerText('#say'), await page.evaluate(() => navigator.clipboard.readText())]";
    assert_eq!(visit.on("a", copied).await, json!(["The link is copied.", url]));
    phone.scan(&url).await;
    visit.until("a", "scanned").await;
    let focused = visit.on("a", "return await page.evaluate(() => document.activeElement.textContent)").await;
    assert_eq!(focused, "Approve in your wallet");
    approve(&mut phone).await;
    let back = visit.returned("a").await;
    assert!(back.query().unwrap().ends_with("&state=xyz"), "{back}");
    assert_eq!(visit.redeem(&back).await["user_key"], phone.key().to_hex());
    let before = visit.on("a", "await page.goBack(); return page.url()").await;
    assert_eq!(before, format!("{}/", visit.shop), "the page is not in the history any more");
    let seen = visit.on("a", "return await context.cookies(args.origin)").await;
    assert_eq!(
        (&seen[0]["httpOnly"], &seen[0]["secure"], &seen[0]["sameSite"]),
        (&json!(true), &json!(true), &json!("Lax"))
    );
}

#[tokio::test]
async fn a_reload_in_the_middle_and_a_second_tab_change_nothing() {
    let mut visit = Visit::start().await;
    let mut phone = Phone::new();
    let url = visit.sign_in("a").await;
    visit.on("a", "kept.b = { context, page: await context.newPage() }").await;
    let other = visit.sign_in("b").await;
    assert_ne!(url, other);
    visit.on("a", "await page.reload()").await;
    assert_eq!(visit.on("a", "return await page.getAttribute('[data-open]', 'href')").await, json!(url));
    phone.scan(&url).await;
    visit.until("a", "scanned").await;
    visit.on("a", "await page.reload()").await;
    visit.until("a", "scanned").await;
    approve(&mut phone).await;
    let back = visit.returned("a").await;
    visit.redeem(&back).await;
    visit.until("b", "scan").await;
    let mut phone = Phone::new();
    phone.scan(&other).await;
    approve(&mut phone).await;
    let back = visit.returned("b").await;
    visit.redeem(&back).await;
}

#[tokio::test]
async fn a_user_who_declines_gets_a_new_code_by_a_button() {
    let mut visit = Visit::start().await;
    let mut phone = Phone::new();
    phone.scan(&visit.sign_in("a").await).await;
    let asked = phone.challenge().await;
    phone.decline(&asked, None).await;
    visit.until("a", "declined").await;
    visit.on("a", "await page.click('text=Show a new code')").await;
    visit.until("a", "scan").await;
    let again = visit.on("a", "return await page.getAttribute('[data-open]', 'href')").await;
    phone.scan(again.as_str().unwrap()).await;
    approve(&mut phone).await;
    visit.returned("a").await;
}

#[tokio::test]
async fn a_new_code_comes_by_itself_three_times_and_takes_the_focus_from_nobody() {
    let mut visit = Visit::with("[auth]\nhandshake_ttl = \"2s\"\n").await;
    visit.sign_in("a").await;
    let watch = "
        await page.focus('[data-open]');
        await page.waitForFunction(() => say.textContent !== '');
        return [await page.innerText('#say'), await page.evaluate(() => document.activeElement.localName)]";
    let told = visit.on("a", watch).await;
    assert_eq!(told[0], "There is a new code.");
    assert_ne!(told[1], "h1");
    visit.until("a", "timed_out").await;
    assert_eq!(visit.text_of("a", "h1").await, "That took too long");
    visit.on("a", "await page.click('text=Show a new code')").await;
    visit.until("a", "scan").await;
}

#[tokio::test]
async fn a_lost_network_is_told_and_made_up_for() {
    let mut visit = Visit::start().await;
    let mut phone = Phone::new();
    let url = visit.sign_in("a").await;
    // A phone closes the connections of a page in the background; when it comes back, the page asks at once.
    visit
        .on(
            "a",
            "await context.setOffline(true);
                   await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
                   await page.waitForSelector('#net:not([hidden])')",
        )
        .await;
    assert_eq!(visit.text_of("a", "#net").await, "No connection. Trying again…");
    phone.scan(&url).await;
    approve(&mut phone).await;
    visit.on("a", "await context.setOffline(false)").await;
    let back = visit.returned("a").await;
    visit.redeem(&back).await;
}

#[tokio::test]
async fn without_javascript_the_page_reloads_itself_to_the_end() {
    let mut visit = Visit::start().await;
    visit.open("plain", json!({ "javaScriptEnabled": false })).await;
    let mut phone = Phone::new();
    let url = visit.sign_in("plain").await;
    visit.picture("plain", "no-javascript").await;
    phone.scan(&url).await;
    visit.until("plain", "scanned").await;
    approve(&mut phone).await;
    let back = visit.returned("plain").await;
    visit.redeem(&back).await;
}

#[tokio::test]
async fn another_browser_and_another_site_get_nothing() {
    let mut visit = Visit::start().await;
    visit.sign_in("a").await;
    let path = visit.on("a", "return page.url()").await;
    visit.open("thief", json!({})).await;
    let stolen = format!(
        "const answer = await page.goto({path}); return [answer.status(), await page.innerText('h1')]"
    );
    assert_eq!(visit.on("thief", &stolen).await, json!([404, "This sign-in is not here"]));
    let evil = format!(
        "await context.route('http://evil.localhost/**', (route) => route.fulfill({{ contentType: 'text/html', body:
           `<iframe src={path}></iframe><form method=post action={path}/cancel target=out><button>x</button></form>` }}));
         const evil = await context.newPage();
         await evil.goto('http://evil.localhost/');
         const framed = evil.frames()[1].url();
         const answers = [];
         context.on('response', (answer) => answers.push(answer.status()));
         const [out] = await Promise.all([context.waitForEvent('page'), evil.click('button')]);
         await out.waitForLoadState();
         const read = await evil.evaluate((path) => fetch(path + '/wait?seen=', {{ credentials: 'include' }})
           .then((answer) => answer.text(), () => 'refused'), {path});
         return [framed.startsWith('chrome-error://'), answers[0], read]"
    );
    assert_eq!(visit.on("a", &evil).await, json!([true, 403, "refused"]));
    visit.until("a", "scan").await;
}

#[tokio::test]
async fn every_state_is_accessible_in_both_themes_and_its_picture_is_kept() {
    let phone = json!({ "viewport": { "width": 320, "height": 640 }, "hasTouch": true, "isMobile": true,
        "deviceScaleFactor": 2 });
    let desktop = json!({ "viewport": { "width": 1100, "height": 800 } });
    let mut visit = Visit::start().await;
    for (device, options) in [("phone", phone), ("desktop", desktop)] {
        for theme in ["light", "dark"] {
            let name = format!("{device}-{theme}");
            let mut options = options.clone();
            options["colorScheme"] = json!(theme);
            visit.open(&name, options).await;
            let mut wallet = Phone::new();
            let url = visit.sign_in(&name).await;
            for state in ["scan", "scanned", "declined", "cancelled"] {
                match state {
                    "scanned" => drop(wallet.scan(&url).await),
                    "declined" => {
                        let asked = wallet.challenge().await;
                        wallet.decline(&asked, None).await;
                    }
                    "cancelled" => {
                        visit
                            .on(
                                &name,
                                "await page.click('text=Show a new code');
                                         await page.click('text=Cancel')",
                            )
                            .await;
                    }
                    _ => {}
                }
                visit.until(&name, state).await;
                visit.picture(&name, &format!("{name}-{state}")).await;
                assert_eq!(visit.faults(&name).await, json!([]), "{name} {state}");
                let wide =
                    "return await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)";
                assert!(
                    visit.on(&name, wide).await.as_i64().unwrap() <= 0,
                    "{name} {state} needs no scrolling sideways"
                );
            }
            visit.on(&name, "await page.goto(args.origin + '/sign-in?app=nobody')").await;
            visit.picture(&name, &format!("{name}-problem")).await;
            assert_eq!(visit.faults(&name).await, json!([]), "{name} problem");
        }
    }
}
