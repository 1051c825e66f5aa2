//! The states of the page, and the way back to the app.

use nostr_sdk::Keys;

use super::*;
use crate::support::domain::domain;

#[tokio::test]
async fn a_user_signs_in_and_the_app_gets_the_login_for_the_code() {
    let site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let page = browser.open("/sign-in?app=shop&state=a%26b%3D%C3%BC").await;
    let html = page.until("scan").await;
    assert!(html.contains("Sign in to The &lt;Shop&gt;") && html.contains("<svg"), "{html}");
    phone.scan(&page.url().await).await;
    let html = page.until("scanned").await;
    assert!(html.contains("Approve in your wallet") && !html.contains("<svg"), "{html}");
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    page.until("approved").await;

    let url = page.returns_to().await;
    assert!(url.as_str().starts_with(BACK), "{url}");
    assert_eq!(parameter(&url, "state").as_deref(), Some("a&b=ü"));
    let data = site.redeem("shop", &parameter(&url, "code").unwrap()).await.data();
    assert_eq!(data["user_key"], phone.key().to_hex());
    assert_eq!(data["session"]["subject"], phone.key().to_hex());
    let shown = json!({ "access_token": data["login"]["access_token"], "credential": data["session_token"] });
    assert_eq!(site.daemon.rest().post("/auth/verify", shown).await.status, 200);
    let html = page.html().await;
    assert!(html.contains("data-state=\"finished\"") && html.contains("href=\"https://shop.example/\""));
}

#[tokio::test]
async fn a_page_that_is_loaded_again_goes_on_where_it_was() {
    let site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let page = browser.open(&start("shop")).await;
    let url = page.url().await;
    assert_eq!(page.url().await, url, "the same code");
    phone.scan(&url).await;
    page.until("scanned").await;
    assert_eq!(page.state().await, "scanned");
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    page.until("approved").await;
    let lost = page.code().await;
    let code = page.code().await;
    assert_eq!(site.redeem("shop", &lost).await.refusal(), (400, "unknown_code".into()), "replaced");
    site.redeem("shop", &code).await.data();
}

#[tokio::test]
async fn two_tabs_are_two_sign_ins_of_one_browser() {
    let site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let first = browser.open(&start("shop")).await;
    let cookie = browser.cookie.clone();
    let second = browser.open("/sign-in?app=blog").await;
    assert_eq!(browser.cookie, cookie, "the browser keeps its cookie");
    assert_ne!(first.path, second.path);
    second.approve(&mut phone).await;
    assert_eq!(first.state().await, "scan");
    site.redeem("blog", &second.code().await).await.data();
}

#[tokio::test]
async fn a_user_who_declines_gets_a_new_code_and_can_go_back() {
    let site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let page = browser.open("/sign-in?app=shop&state=s").await;
    let url = page.url().await;
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.decline(&asked, None).await;
    let html = page.until("declined").await;
    assert!(html.contains("https://shop.example/signed-in?lang=de&amp;error=declined&amp;state=s"), "{html}");
    assert_eq!(page.press("new-code").await.header("location"), Some(page.path.as_str()));
    let again = page.url().await;
    assert_ne!(again, url);
    page.approve(&mut phone).await;
    site.redeem("shop", &page.code().await).await.data();
}

#[tokio::test]
async fn a_code_that_nobody_scans_is_renewed_three_times_and_then_on_request() {
    let site = Site::with("[auth]\nhandshake_ttl = \"1s\"\n").await;
    let mut browser = site.browser();
    let page = browser.open(&start("shop")).await;
    let mut urls = vec![page.url().await];
    let mut tag = attribute(&page.html().await, "data-tag");
    loop {
        let answer = page.ask(&tag).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if attribute(&answer.text, "data-state") != "scan" {
            assert!(answer.text.contains("Nobody scanned the code in time."), "{answer:?}");
            break;
        }
        tag = attribute(&answer.text, "data-tag");
        urls.push(attribute(&answer.text, "class=\"button\" href"));
    }
    urls.dedup();
    assert_eq!(urls.len(), 4, "{urls:?}");
    page.press("new-code").await;
    assert_eq!(page.state().await, "scan");
}

#[tokio::test]
async fn a_sign_in_that_is_cancelled_ends_its_login() {
    let site = Site::start().await;
    let mut browser = site.browser();
    let page = browser.open(&start("shop")).await;
    let (url, mut phone) = (page.url().await, Phone::new());
    page.press("cancel").await;
    assert_eq!(page.state().await, "cancelled");
    phone.scan(&url).await;
    let other = browser.open(&start("shop")).await;
    phone.scan(&other.url().await).await;
    other.until("scanned").await;
    phone.challenge().await;
    assert_eq!(page.state().await, "cancelled");
}

#[tokio::test]
async fn a_user_who_may_not_log_in_is_told_so_and_gets_no_code() {
    let site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let page = browser.open(&start("shop")).await;
    page.approve(&mut phone).await;
    let users = site.daemon.rest().get("/users").await.data();
    let path = format!("/users/{}", users["users"][0]["id"].as_str().unwrap());
    site.daemon.rest().patch(&path, json!({ "disabled": true })).await.data();
    let page = browser.open(&start("shop")).await;
    phone.scan(&page.url().await).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let html = page.until("user_disabled").await;
    assert!(html.contains("This wallet may not sign in"), "{html}");
}

#[tokio::test]
async fn without_a_relay_the_page_says_so_and_no_code_is_shown() {
    let daemon = Daemon::offline().with_config(&format!("{SESSIONS}{PAGE}")).start().await;
    let site = Site { relay: TestRelay::start().await, daemon };
    let page = site.browser().open(&start("shop")).await;
    let html = page.html().await;
    assert!(html.contains("data-state=\"no_relay_yet\"") && !html.contains("<svg"), "{html}");
}

#[tokio::test]
async fn the_page_speaks_the_language_that_the_app_or_the_browser_asks_for() {
    let site = Site::start().await;
    let mut browser = site.browser();
    let german = browser.open("/sign-in?app=shop&ui_locales=de-AT%20en").await;
    assert!(german.html().await.contains("<html lang=\"de\">"));
    browser.rest = browser.rest.with("accept-language", "fr-CH, en;q=0.5");
    let french = browser.open(&start("shop")).await;
    let loaded = french.load().await;
    assert!(loaded.text.contains("Se connecter à The &lt;Shop&gt;"), "{}", loaded.text);
    assert_eq!(loaded.header("content-language"), Some("fr"));
    let unknown = browser.get("/sign-in?app=nobody").await;
    assert!(unknown.status == 400 && unknown.text.contains("Ce lien ne fonctionne pas"));
}

#[tokio::test]
async fn the_whole_page_is_small_and_loads_nothing_from_elsewhere() {
    let site = Site::start().await;
    let mut browser = site.browser();
    let html = browser.open(&start("shop")).await.html().await;
    let mut size = html.len();
    let assets: Vec<&str> =
        html.match_indices("\"/assets/").map(|(at, _)| html[at + 1..].split('"').next().unwrap()).collect();
    assert_eq!(assets.len(), 2, "style and module: {html}");
    for path in assets {
        let asset = browser.get(path).await;
        assert_eq!(asset.status, 200);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert!(!asset.text.contains("http://") && !asset.text.contains("https://"), "{path}");
        size += asset.text.len();
    }
    assert!(size < 30_000, "{size} bytes");
    for part in html.split(['"', '\'']).filter(|part| part.contains("://")) {
        assert!(part.starts_with("portal://") || part.starts_with("https://shop.example/"), "{part}");
    }
    assert!(html.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
}

#[tokio::test]
async fn the_page_names_what_wallets_show_or_warns() {
    let site = Site::start().await;
    site.daemon.until_logged("Unknown Service").await;
    let html = site.browser().open(&start("shop")).await.html().await;
    assert!(html.contains("class=\"warning\"") && html.contains("“Unknown Service”"), "{html}");

    let keys = Keys::generate();
    let document = json!({ "names": { "shop": keys.public_key() } }).to_string();
    let name = format!("shop@{}", domain("200 OK", &[], document).await);
    let relay = TestRelay::start().await;
    let profile = format!("[lookup]\nallow_private = true\n[profile]\nnip05 = \"{name}\"\n");
    let plan = with_page(&relay, &profile);
    portico::config::key::save(&plan.folder().join("service.key"), &keys).unwrap();
    let site = Site { daemon: plan.start_subscribed(&[&relay]).await, relay };
    site.daemon.until_logged("Portal's wallet shows").await;
    let html = site.browser().open(&start("shop")).await.html().await;
    assert!(html.contains(&format!("Your wallet will show {name}.")), "{html}");
    assert!(!html.contains("class=\"warning\""), "{html}");
}
