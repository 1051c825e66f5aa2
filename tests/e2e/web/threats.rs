//! What attackers try on the page, each by the name of the threat.

use std::net::SocketAddr;

use super::*;
use crate::support::soon;

#[tokio::test]
async fn open_redirect_only_a_listed_url_is_returned_to_and_nothing_like_it() {
    let site = Site::start().await;
    let mut browser = site.browser();
    for hostile in [
        "https://evil.example/",
        "https://shop.example/",
        "https://shop.example/signed-in",
        "https://shop.example/signed-in?lang=de&x=1",
        "https://shop.example/signed-in?lang=de/../evil",
        "https://shop.example.evil.example/signed-in?lang=de",
        "https://shop.example@evil.example/signed-in?lang=de",
        "HTTPS://shop.example/signed-in?lang=de",
        "//evil.example",
        "javascript:alert(1)",
        "https://blog.example/",
        "",
    ] {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("app", "shop")
            .append_pair("return_url", hostile)
            .finish();
        let answer = browser.get(&format!("/sign-in?{query}")).await;
        assert_eq!(answer.status, 400, "{hostile}");
        assert!(answer.header("location").is_none() && !answer.text.contains("evil.example"), "{hostile}");
    }
    let two = "/sign-in?app=shop&return_url=https://shop.example/other&return_url=https://evil.example/";
    assert_eq!(browser.get(two).await.status, 400);
    assert_eq!(browser.get("/sign-in?app=shop&state=a%00b").await.status, 400);
    let listed = browser.open("/sign-in?app=shop&return_url=https://shop.example/other").await;
    assert!(listed.html().await.contains("https://shop.example/other?error=cancelled"));
}

#[tokio::test]
async fn clickjacking_no_site_shows_the_page_within_its_own() {
    let site = Site::start().await;
    let mut browser = site.browser();
    let page = browser.open(&start("shop")).await;
    let answer = page.load().await;
    let policy = answer.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self' https://shop.example",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for frame in ["iframe", "frame", "embed", "object", "image", "script"] {
        let framed = page.browser.client().with("sec-fetch-dest", frame);
        for path in [&page.path, &start("shop")] {
            assert_eq!(framed.get(path).await.status, 403, "{frame} {path}");
        }
    }
}

#[tokio::test]
async fn another_browser_with_the_url_or_the_id_of_a_sign_in_gets_nothing() {
    let site = Site::start().await;
    let page = site.approved().await;
    let mut other = site.browser();
    other.open(&start("shop")).await;
    for thief in [site.browser(), other] {
        let stolen = Page { browser: thief, path: page.path.clone() };
        assert_eq!(stolen.load().await.status, 404);
        assert_eq!(stolen.ask("").await.status, 404);
        for button in ["new-code", "cancel"] {
            let pressed = stolen.browser.press(&format!("{}/{button}", page.path)).await;
            assert_eq!(pressed.status, 404, "{button}");
        }
    }
    site.redeem("shop", &page.code().await).await.data();
}

#[tokio::test]
async fn another_browser_with_the_code_that_it_saw_gets_nothing() {
    let site = Site::start().await;
    let page = site.browser().open(&start("shop")).await;
    let html = page.html().await;
    page.approve(&mut Phone::new()).await;
    let cookie = page.browser.cookie.clone().unwrap();
    assert!(!html.contains(&cookie), "neither the page nor its code holds the browser's secret");
    let thief = Page { browser: site.browser(), path: page.path.clone() };
    assert_eq!(thief.load().await.status, 404);
}

#[tokio::test]
async fn cookie_tossing_from_a_subdomain_binds_no_sign_in_to_the_attacker() {
    let site = Site::start().await;
    let page = site.approved().await;
    let mine = page.browser.cookie.clone().unwrap();
    let mut attacker = site.browser();
    attacker.open(&start("shop")).await;
    let tossed = attacker.cookie.clone().unwrap();
    let client = |cookies: String| page.browser.rest.clone().with("cookie", &cookies);
    for cookies in [
        format!("{COOKIE}={tossed}; {COOKIE}={mine}"),
        format!("{COOKIE}={mine}; {COOKIE}={tossed}"),
        format!("portico={mine}"),
        format!("__host-portico={mine}"),
    ] {
        assert_eq!(client(cookies.clone()).get(&page.path).await.status, 404, "{cookies}");
    }
    // A secret that the page did not make, or made long ago, is replaced.
    let fixed = "A".repeat(43);
    let answer = client(format!("{COOKIE}={fixed}")).get(&start("shop")).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(!set.contains(&fixed) && set.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
}

#[tokio::test]
async fn csrf_no_other_site_presses_a_button_of_the_page() {
    let site = Site::start().await;
    let page = site.browser().open(&start("shop")).await;
    let tag = attribute(&page.html().await, "data-tag");
    let client = page.browser.client();
    for hostile in [
        client.clone(),
        client.clone().with("origin", "https://evil.example"),
        client.clone().with("origin", "null"),
        client.clone().with("origin", "http://login.example"),
        client.clone().with("origin", "https://sub.login.example"),
        client.clone().with("sec-fetch-site", "cross-site"),
        client.clone().with("sec-fetch-site", "same-site").with("origin", ORIGIN),
        client.clone().with("sec-fetch-site", "same-origin").with("origin", "https://evil.example"),
        client.clone().with("origin", ORIGIN).and("origin", "https://evil.example"),
    ] {
        for button in ["new-code", "cancel"] {
            let path = format!("{}/{button}", page.path);
            let answer = hostile.send(Method::POST, &path, "").await;
            assert_eq!(answer.status, 403, "{button}: {answer:?}");
        }
    }
    for site in ["cross-site", "same-site", "none"] {
        let asked = client.clone().with("sec-fetch-site", site).with("sec-fetch-dest", "empty");
        assert_eq!(asked.get(&format!("{}/wait?seen=", page.path)).await.status, 403, "{site}");
    }
    assert_eq!(attribute(&page.html().await, "data-tag"), tag, "nothing has changed");
}

#[tokio::test]
async fn host_header_a_foreign_name_is_refused_and_repeated_nowhere() {
    let site = Site::start().await;
    let browser = site.browser();
    for host in ["evil.example", "login.example.evil.example", "127.0.0.1", "localhost", "evil.example:443"] {
        let answer = browser.client().with("host", host).get(&start("shop")).await;
        assert_eq!(answer.refusal(), (403, "forbidden".into()), "{host}");
        assert!(answer.header("location").is_none() && answer.header("set-cookie").is_none(), "{host}");
    }
    let two = browser.client().and("host", "evil.example").get(&start("shop")).await;
    assert!(matches!(two.status.as_u16(), 400 | 403), "{two:?}");
    for host in ["login.example", "LOGIN.example", "login.example:443"] {
        let answer = browser.client().with("host", host).with("x-forwarded-host", "evil.example");
        let answer = answer.get(&start("shop")).await;
        assert!(
            answer.status == 303 && answer.header("location").unwrap().starts_with("/sign-in/"),
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_code_that_is_used_twice_is_refused_and_audited() {
    let site = Site::start().await;
    let code = site.approved().await.code().await;
    site.redeem("shop", &code).await.data();
    assert_eq!(site.redeem("shop", &code).await.refusal(), (400, "used_code".into()));
    assert_eq!(site.redeem("shop", "guessed").await.refusal(), (400, "unknown_code".into()));
    let audited = soon("the audit", refused_codes(&site.daemon, 2)).await;
    assert_eq!(audited, [(json!("unknown_code"), json!("shop")), (json!("used_code"), json!("shop"))]);
    assert!(!site.daemon.log().contains(&code), "no code is in the log");
}

#[tokio::test]
async fn a_code_that_another_app_shows_is_refused_for_everybody_and_audited() {
    let site = Site::start().await;
    let code = site.approved().await.code().await;
    assert_eq!(site.redeem("blog", &code).await.refusal(), (400, "code_of_other_app".into()));
    assert_eq!(site.redeem("shop", &code).await.refusal(), (400, "used_code".into()));
    assert_eq!(site.redeem("nobody", &code).await.refusal(), (400, "bad_request".into()));
    let audited = soon("the audit", refused_codes(&site.daemon, 2)).await;
    assert_eq!(audited, [(json!("used_code"), json!("shop")), (json!("code_of_other_app"), json!("blog"))]);
}

#[tokio::test]
async fn an_app_with_a_list_of_callers_is_nobody_elses_to_speak_for() {
    let relay = TestRelay::start().await;
    let app = "[[web.app]]\nid = \"bound\"\nreturn_urls = [\"https://b.example/\"]\ntokens = [\"mine\"]\n";
    let config = format!("{SESSIONS}{PAGE}{app}");
    let plan = Daemon::on(&[&relay]).with_config(&config).with_tcp();
    let site = Site { daemon: plan.start_subscribed(&[&relay]).await, relay };
    let page = site.browser().open(&start("bound")).await;
    page.approve(&mut Phone::new()).await;
    let body = json!({ "app": "bound", "code": page.code().await });
    let token = async |name: &str| {
        let made = site.daemon.rest().post("/tokens", json!({ "name": name, "may": ["login"] })).await;
        Rest::tcp(site.daemon.address(), made.data()["token"].as_str().unwrap().to_owned())
    };
    for stranger in [site.daemon.rest(), site.daemon.rest_over_tcp(), token("other").await] {
        assert_eq!(stranger.post("/web/redeem", body.clone()).await.refusal(), (403, "forbidden".into()));
    }
    token("mine").await.post("/web/redeem", body).await.data();
}

#[tokio::test]
async fn the_api_is_not_on_the_page_and_the_page_is_not_on_the_api() {
    let relay = TestRelay::start().await;
    let daemon = with_page(&relay, "").with_tcp().start_subscribed(&[&relay]).await;
    let page = Rest::tcp(daemon.web(), daemon.api_token()).with("host", "login.example");
    for path in ["/info", "/login", "/web/redeem", "/health", "/openapi.json", "/metrics", "/ws", "/"] {
        assert_eq!(page.get(path).await.status, 404, "{path}");
    }
    assert_eq!(daemon.rest().get("/sign-in?app=shop").await.refusal(), (404, "not_found".into()));
    assert_eq!(daemon.rest_over_tcp().get("/sign-in?app=shop").await.refusal(), (404, "not_found".into()));
}

#[tokio::test]
async fn who_only_looks_at_the_address_opens_no_login() {
    let site = Site::start().await;
    let client = site.browser().client();
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT] {
        assert_eq!(client.send(method.clone(), &start("shop"), "").await.status, 405, "{method}");
    }
    assert_eq!(client.with("sec-purpose", "prefetch").get(&start("shop")).await.status, 503);
    assert_eq!(site.daemon.metric("portico_web_open").await, 0.0);
}

#[tokio::test]
async fn while_the_page_is_off_nothing_listens_and_no_code_is_redeemed() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let answer = daemon.rest().post("/web/redeem", json!({ "app": "shop", "code": "x" })).await;
    assert_eq!(answer.refusal(), (404, "web_off".into()));
    let line = daemon.log();
    let serving = line.lines().find(|line| line.contains("\"serving\"")).unwrap();
    let serving: Value = serde_json::from_str(serving).unwrap();
    assert_eq!(serving["web"].as_str().map(str::parse::<SocketAddr>), None);
}
