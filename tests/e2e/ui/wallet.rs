//! Operators who sign in with their wallet.

use super::*;
use crate::support::beginning::Member;
use crate::support::phone::Phone;
use crate::support::rest::refused;
use crate::support::soon;

/// A browser that has opened a login: its page, with the cookie and the key of the login, and the URL.
async fn opened(daemon: &Daemon) -> (Rest, String) {
    let page = browser(daemon);
    let answer = page.post("/ui/login", json!({})).await;
    let data = answer.data();
    let url = data["url"].as_str().unwrap().to_owned();
    assert!(data["code"]["size"].as_u64().unwrap() >= 21, "{data}");
    (signed_in(&page, &answer), url)
}

/// Approves what the phone is asked, and waits until that is stored.
async fn approve(daemon: &Daemon, phone: &mut Phone, url: &str) {
    phone.scan(url).await;
    let asked = phone.challenge().await;
    let before = approvals(daemon).await;
    phone.approve(&asked).await;
    soon("the approval", async { while approvals(daemon).await == before {} }).await;
}

/// How many logins were approved, once they are stored.
async fn approvals(daemon: &Daemon) -> usize {
    let metrics = daemon.rest().get("/metrics").await.text;
    let count =
        metrics.lines().find(|line| line.starts_with("portico_challenges_ended_total{outcome=\"approved\""));
    count.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

async fn progress(page: &Rest) -> (String, Answer) {
    let answer = page.get("/ui/login").await;
    (answer.data()["state"].as_str().unwrap().to_owned(), answer)
}

async fn give_roles(daemon: &Daemon, member: &Member, roles: &[&str]) {
    daemon.rest().patch(&format!("/users/{}", member.id()), json!({ "roles": roles })).await.data();
}

/// The page of an operator who signed in with the wallet.
async fn entered(daemon: &Daemon, member: &mut Member) -> Rest {
    let (page, url) = opened(daemon).await;
    approve(daemon, &mut member.phone, &url).await;
    let (state, answer) = progress(&page).await;
    assert_eq!(state, "signed_in");
    signed_in(&page, &answer)
}

async fn admin(daemon: &Daemon) -> Member {
    let member = Member::of(daemon).await;
    give_roles(daemon, &member, &["portico:admin"]).await;
    member
}

#[tokio::test]
async fn a_user_with_the_role_signs_in_and_is_named_in_the_audit() {
    let (_relay, daemon) = daemon("writes = true\n").await;
    let (mut member, victim) = (admin(&daemon).await, Member::of(&daemon).await);
    let (page, url) = opened(&daemon).await;
    assert_eq!(progress(&page).await.0, "waiting");
    assert!(!is_signed_in(&page).await);
    approve(&daemon, &mut member.phone, &url).await;
    let (state, answer) = progress(&page).await;
    assert_eq!(state, "signed_in");
    assert_eq!(progress(&page).await.0, "gone", "the result is there once");
    let page = signed_in(&page, &answer);
    assert!(is_signed_in(&page).await);
    let name = format!("user:{}", member.id());
    assert_eq!(page.get("/ui/session").await.data()["name"], name);
    page.post(&format!("/ui/users/{}/end-sessions", victim.id()), json!({})).await.data();
    let told = page.get("/ui/audit?kind=sessions_revoked").await.data()["records"][0].clone();
    assert_eq!((&told["actor"], &told["user"]), (&json!(name), &json!(victim.id())));
}

#[tokio::test]
async fn a_phone_shows_no_more_than_a_login_that_is_scanned_before_it_is_approved() {
    let (_relay, daemon) = daemon("").await;
    let mut phone = Phone::new();
    let (page, url) = opened(&daemon).await;
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    assert_eq!(progress(&page).await.0, "scanned");
    phone.decline(&asked, None).await;
    daemon.until_logged("\"outcome\":\"declined\"").await;
    assert_eq!(progress(&page).await.0, "declined");
    assert_eq!(progress(&page).await.0, "gone");
    assert!(!is_signed_in(&page).await);
}

#[tokio::test]
async fn a_user_without_the_role_stays_out_and_keeps_no_session() {
    let (_relay, daemon) = daemon("role = \"chief\"\n").await;
    let mut member = admin(&daemon).await;
    let (page, url) = opened(&daemon).await;
    approve(&daemon, &mut member.phone, &url).await;
    let (state, answer) = progress(&page).await;
    assert_eq!(state, "no_role");
    assert!(answer.header("set-cookie").is_none() && !is_signed_in(&page).await);
    let sessions = daemon.rest().get(&format!("/users/{}/sessions", member.id())).await.data();
    assert_eq!(sessions["sessions"][0]["reason"], "logout", "{sessions}");
    assert_eq!(sessions["sessions"][1]["reason"], Value::Null, "the one from before stays");
}

#[tokio::test]
async fn login_theft_whoever_saw_the_code_or_has_only_half_of_the_browsers_secrets_gets_nothing() {
    let (_relay, daemon) = daemon("").await;
    let mut member = admin(&daemon).await;
    let ((page, url), (other, _)) = (opened(&daemon).await, opened(&daemon).await);
    approve(&daemon, &mut member.phone, &url).await;
    let thieves = [
        browser(&daemon),
        page.clone().with("x-portico-ui", "1"),
        page.clone().without("cookie"),
        page.clone().with("cookie", other.header("cookie").unwrap()),
        page.clone().with("x-portico-ui", other.header("x-portico-ui").unwrap()),
    ];
    for thief in thieves {
        assert_eq!(progress(&thief).await.0, "gone");
    }
    assert_eq!(progress(&other).await.0, "waiting");
    assert_eq!(progress(&page).await.0, "signed_in", "the browser that opened it");
}

#[tokio::test]
async fn an_operator_is_out_as_soon_as_the_role_the_user_or_the_session_is_gone() {
    let (_relay, daemon) = daemon("").await;
    let mut member = admin(&daemon).await;
    let path = format!("/users/{}", member.id());

    let page = entered(&daemon, &mut member).await;
    give_roles(&daemon, &member, &["other"]).await;
    assert!(!is_signed_in(&page).await, "without the role");
    give_roles(&daemon, &member, &["other", "portico:admin"]).await;
    assert!(is_signed_in(&page).await);

    daemon.rest().post(&format!("{path}/revoke-sessions"), json!({})).await.data();
    assert!(!is_signed_in(&page).await, "an operator ended the sessions");

    let page = entered(&daemon, &mut member).await;
    daemon.rest().patch(&path, json!({ "disabled": true })).await.data();
    daemon.rest().patch(&path, json!({ "disabled": false })).await.data();
    assert!(!is_signed_in(&page).await, "disabled for a moment");
}

#[tokio::test]
async fn signing_out_ends_the_session_of_the_user_that_the_sign_in_began() {
    let (_relay, daemon) = daemon("").await;
    let mut member = admin(&daemon).await;
    let page = entered(&daemon, &mut member).await;
    let active = || async { daemon.metric("portico_sessions_active").await };
    assert_eq!(active().await, 2.0);
    page.send(Method::DELETE, "/ui/session", "").await.data();
    assert_eq!(active().await, 1.0, "the one from before stays");
}

#[tokio::test]
async fn a_cancelled_login_is_over_for_the_wallet_too() {
    let (_relay, daemon) = daemon("").await;
    let (page, _) = opened(&daemon).await;
    let stranger = browser(&daemon);
    stranger.send(Method::DELETE, "/ui/login", "").await.data();
    assert_eq!(progress(&page).await.0, "waiting", "a stranger cancels nothing");
    page.send(Method::DELETE, "/ui/login", "").await.data();
    assert_eq!(progress(&page).await.0, "gone");
    assert_eq!(daemon.metric("portico_handshakes_ended_total{outcome=\"cancelled\"}").await, 1.0);
}

#[tokio::test]
async fn whoever_reaches_the_page_can_open_only_so_many_logins() {
    let (_relay, daemon) = daemon("").await;
    let mut pages = Vec::new();
    for _ in 0..16 {
        pages.push(opened(&daemon).await.0);
    }
    let refusal = browser(&daemon).post("/ui/login", json!({})).await;
    assert_eq!(refusal.refusal(), refused(429, "limit_reached"));
    assert!((1..=600).contains(&refusal.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"page_logins\"}").await, 1.0);
    pages[0].send(Method::DELETE, "/ui/login", "").await.data();
    opened(&daemon).await;
}

#[tokio::test]
async fn where_no_role_may_there_is_no_sign_in_with_a_wallet() {
    let daemon = quiet("role = \"\"\n").await;
    assert_eq!(browser(&daemon).get("/ui/session").await.data()["with_wallet"], false);
    let answer = browser(&daemon).post("/ui/login", json!({})).await;
    assert_eq!(answer.refusal(), refused(403, "forbidden"));
}
