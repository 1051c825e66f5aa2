//! Strangers on the public listener: what they can open, and whose room it is not.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::*;
use crate::support::beginning::Member;

const TIGHT: &str = "
max_open = 5
max_open_per_app = 4
max_open_per_address = 3
max_open_per_browser = 2
";

async fn tight() -> Site {
    let relay = TestRelay::start().await;
    let page = PAGE.replacen("[web]\n", &format!("[web]{TIGHT}"), 1);
    let daemon =
        Daemon::on(&[&relay]).with_config(&format!("{SESSIONS}{page}")).start_subscribed(&[&relay]).await;
    Site { relay, daemon }
}

fn at(site: &Site, address: &str) -> Browser {
    let mut browser = site.browser();
    browser.rest = browser.rest.with("x-forwarded-for", address);
    browser
}

async fn reached(site: &Site, limit: &str) -> f64 {
    site.daemon.metric(&format!("portico_limit_reached_total{{limit=\"{limit}\"}}")).await
}

#[tokio::test]
async fn each_bound_is_reached_counted_and_leaves_room_for_others() {
    let site = tight().await;
    let mut one = at(&site, "192.0.2.1");
    one.open(&start("shop")).await;
    one.open(&start("shop")).await;
    let full = one.get(&start("shop")).await;
    assert_eq!(full.status, 429);
    assert!((1..=600).contains(&full.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert!(full.text.contains("Too many people are signing in") && full.text.contains("Try again"));
    assert_eq!(reached(&site, "web_open_per_browser").await, 1.0);

    at(&site, "192.0.2.1").open(&start("shop")).await;
    assert_eq!(at(&site, "192.0.2.1").get(&start("shop")).await.status, 429);
    assert_eq!(reached(&site, "web_open_per_address").await, 1.0);

    at(&site, "192.0.2.2").open(&start("shop")).await;
    assert_eq!(at(&site, "192.0.2.3").get(&start("shop")).await.status, 429);
    assert_eq!(reached(&site, "web_open_per_app").await, 1.0);

    at(&site, "192.0.2.3").open(&start("blog")).await;
    assert_eq!(at(&site, "192.0.2.4").get(&start("blog")).await.status, 429);
    assert_eq!(reached(&site, "web_open").await, 1.0);
    assert_eq!(site.daemon.metric("portico_web_open").await, 5.0);
    site.daemon.rest().login(json!({})).await;
}

#[tokio::test]
async fn a_browser_that_makes_up_addresses_or_cancels_opens_no_more_than_others() {
    let site = tight().await;
    for made_up in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        let page = at(&site, &format!("{made_up}, 192.0.2.1")).open(&start("shop")).await;
        page.press("cancel").await;
    }
    assert_eq!(at(&site, "203.0.113.4, 192.0.2.1").get(&start("shop")).await.status, 429);
    let mut same = at(&site, "192.0.2.9");
    let page = same.open(&start("shop")).await;
    page.press("cancel").await;
    let pressed = page.browser.press(&format!("{}/new-code", page.path)).await;
    assert_eq!(pressed.status, 429, "four codes of this app are the most");
}

#[tokio::test]
async fn a_login_with_a_result_makes_room() {
    let site = tight().await;
    for _ in 0..7 {
        site.approved().await;
    }
    assert_eq!(site.daemon.metric("portico_web_open").await, 0.0);
}

#[tokio::test]
async fn more_tabs_than_anybody_needs_wait_for_no_answer() {
    let site = Site::start().await;
    let page = site.browser().open(&start("shop")).await;
    let tag = attribute(&page.html().await, "data-tag");
    let mut waiting: FuturesUnordered<_> = (0..5).map(|_| page.ask(&tag)).collect();
    let refused = waiting.next().await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("5")));
    assert_eq!(reached(&site, "web_waiting").await, 1.0);
    let (answers, _) = tokio::join!(waiting.collect::<Vec<_>>(), page.press("cancel"));
    let states: Vec<_> = answers.iter().map(|answer| attribute(&answer.text, "data-state")).collect();
    assert_eq!(states, ["cancelled"; 4]);
}

#[tokio::test]
async fn visitors_of_the_page_take_no_place_of_the_api() {
    let relay = TestRelay::start().await;
    let page = PAGE.replacen("[web]\n", "[web]\nmax_connections = 2\n", 1);
    let config = format!("[local]\nmax_connections = 3\nmax_strangers = 3\n{SESSIONS}{page}");
    let plan = Daemon::on(&[&relay]).with_config(&config).with_tcp();
    let daemon = plan.start_subscribed(&[&relay]).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(tokio::net::TcpStream::connect(daemon.web()).await.unwrap());
    }
    assert_eq!(daemon.rest().get("/info").await.status, 200);
    assert_eq!(daemon.rest_over_tcp().get("/info").await.status, 200);
    Member::of(&daemon).await;
}
