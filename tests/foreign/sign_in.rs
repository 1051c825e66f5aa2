//! Browsers without a session: to the sign-in page of the documentation, and back to where they were.

use hyper::Method;
use serde_json::json;

use crate::app::{App, seen, told_of_user};
use crate::forged;
use crate::gateways::Gateway;
use crate::guarding::{named, refusal};
use crate::paths::get;
use crate::site::{ACCESS, Site, WALLET};
use crate::support::beginning::Member;
use crate::support::rest::Answer;

for_every_gateway! {
    a_browser_whose_token_has_run_out_is_back_where_it_was_without_the_phone,
    a_browser_without_a_session_lands_on_the_page_and_comes_back_to_this_site_alone,
    a_browser_that_sends_a_path_beyond_ascii_lands_on_the_page,
    a_program_is_not_sent_to_a_page,
}

fn sent_to(answer: &Answer) -> &str {
    assert!(matches!(answer.status.as_u16(), 302 | 303), "{answer:?}");
    answer.header("location").unwrap()
}

async fn a_browser_whose_token_has_run_out_is_back_where_it_was_without_the_phone(gateway: Gateway) {
    let site = Site::of(gateway, App::Express).await;
    let member = Member::of(&site.daemon).await;
    let expired = forged::run_out(&site.daemon, member.access_token());
    for tokens in
        [vec![(ACCESS, &*expired), (WALLET, &member.credential)], vec![(WALLET, &member.credential)]]
    {
        let browser = site.browser(&tokens);
        let there = "/notes/1?x=1&y=%26%2F";
        let page = browser.get(there).await;
        let page = sent_to(&page);
        assert_eq!(page, "/public/sign-in?return_to=%2Fnotes%2F1%3Fx%3D1%26y%3D%2526%252F");
        let renewed = browser.get(page).await;
        assert_eq!(sent_to(&renewed), there);
        let cookie = renewed.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly; Secure; SameSite=Lax"), "{cookie}");
        assert!(cookie.contains("; Expires="), "it outlives the access token: {cookie}");
        let token = cookie.split_once('=').unwrap().1.split(';').next().unwrap();
        let back = site.browser(&[(ACCESS, token), (WALLET, &member.credential)]).get(there).await;
        assert_eq!(told_of_user(&back), named(&member, ""));
        assert_eq!(seen(&back)["path"], "/notes/1");
    }
}

async fn a_browser_without_a_session_lands_on_the_page_and_comes_back_to_this_site_alone(gateway: Gateway) {
    let site = Site::of(gateway, App::Express).await;
    let member = Member::of(&site.daemon).await;
    let (page, away) = ("/public/sign-in?return_to=", "%2F");
    assert_eq!(sent_to(&site.browser(&[]).get("/notes").await), format!("{page}%2Fnotes"));
    assert_eq!(site.browser(&[]).get(&format!("{page}%2Fnotes")).await.status.as_u16(), 200);
    // Who asks for a page of another site, as browsers read the path, comes back to this one.
    for target in ["//evil.example", "//evil.example/x", "///evil.example"] {
        let sent = site.browser(&[]).get(target).await;
        assert_eq!(sent_to(&sent), format!("{page}{away}"), "{target}");
    }
    // A link to the page itself may come from anybody.
    let browser = site.browser(&[(WALLET, &member.credential)]);
    for target in [
        "//evil.example",
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%5C%5Cevil.example",
        "%2F%09%2Fevil.example",
        "%2F%0A%2Fevil.example",
        "%09%2F%2Fevil.example",
        "javascript%3Aalert(1)",
        "",
        "%2Fa%0D%0ASet-Cookie%3A%20x%3D1",
        "/a&return_to=//evil.example",
    ] {
        assert_eq!(sent_to(&browser.get(&format!("{page}{target}")).await), "/", "{target}");
    }
    // A user without the role is told so: signing in would change nothing.
    let browser = site.browser(&[(ACCESS, member.access_token()), (WALLET, &member.credential)]);
    assert_eq!(refusal(&browser.get("/admin/").await).0, 403);
}

async fn a_browser_that_sends_a_path_beyond_ascii_lands_on_the_page(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    let socket = site.socket();
    // HAProxy refuses such a request line itself.
    let expected = if gateway == Gateway::Haproxy { 400 } else { 302 };
    let ask = move || get(&socket, "/caf\u{e9}?x=\u{e9}", "Accept: x/\u{e9}, text/html\r\n").0;
    assert_eq!(tokio::task::spawn_blocking(ask).await.unwrap(), expected);
}

async fn a_program_is_not_sent_to_a_page(gateway: Gateway) {
    let site = Site::of(gateway, App::Wsgi).await;
    for accept in ["*/*", "application/json", "application/xhtml+xml, text/plain"] {
        let answer = site.stranger().with("accept", accept).get("/notes").await;
        assert_eq!(refusal(&answer).0, 401, "{accept}");
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(refusal(&site.stranger().get("/notes").await).0, 401);
    // A form that was sent is lost on the way; its page shows that.
    let answer = site.browser(&[]).send(Method::POST, "/notes", json!({}).to_string()).await;
    assert_eq!(refusal(&answer).0, 401);
}
