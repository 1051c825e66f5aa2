//! Sign-ins and codes outlive the daemon.

use super::*;

#[tokio::test]
async fn a_sign_in_and_its_code_go_on_after_a_restart() {
    let mut site = Site::start().await;
    let (mut browser, mut phone) = (site.browser(), Phone::new());
    let page = browser.open(&start("shop")).await;
    let url = page.url().await;
    phone.scan(&url).await;
    page.until("scanned").await;
    let asked = phone.challenge().await;
    site.daemon.kill_9().await;
    let site = Site { daemon: site.daemon.restart().await, relay: site.relay };
    site.relay.until_subscribed(2).await;
    phone.approve(&asked).await;
    let page = Page { browser: Browser { cookie: browser.cookie, ..site.browser() }, path: page.path };
    page.until("approved").await;
    let code = page.code().await;

    let mut site = site;
    site.daemon.kill_9().await;
    let site = Site { daemon: site.daemon.restart().await, relay: site.relay };
    let data = site.redeem("shop", &code).await.data();
    assert_eq!(data["user_key"], phone.key().to_hex());
    assert_eq!(site.redeem("shop", &code).await.refusal(), (400, "used_code".into()));
}
