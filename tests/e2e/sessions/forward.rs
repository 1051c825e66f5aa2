//! What gateways ask.

use hyper::Method;
use serde_json::json;

use super::{SESSIONS, daemon};
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest, refused};

/// A user's request, as a gateway hands it on.
fn of(rest: &Rest, member: &Member) -> Rest {
    rest.clone()
        .with("authorization", &format!("Bearer {}", member.access_token()))
        .with("x-wallet-session", &member.credential)
}

fn told(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (answer.status.as_u16(), answer.header("www-authenticate"), answer.header("x-auth-error"))
}

#[tokio::test]
async fn a_user_who_is_let_through_is_named_in_headers() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let change = json!({ "roles": ["editor", "admin"], "permissions": ["pay:read"] });
    rest.patch(&format!("/users/{}", member.id()), change).await.data();
    let answer = of(&rest, &member).with("x-auth-user", "root").get("/auth/forward").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    for (name, value) in [
        ("x-auth-user", member.id()),
        ("x-auth-wallet", &member.phone.key().to_hex()),
        ("x-auth-provider", "portal"),
        ("x-auth-roles", "admin,editor"),
        ("x-auth-permissions", "pay:read"),
        ("x-auth-session", member.session()),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_user_who_is_not_let_through_is_challenged_as_rfc_6750_wants_it() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let rest = daemon.rest();
    let nothing = rest.get("/auth/forward").await;
    assert_eq!(told(&nothing), (401, Some("Bearer"), Some("access_token_required")));
    let mixed = of(&rest, &member).without("x-wallet-session").with("x-wallet-session", &other.credential);
    let challenge = "Bearer error=\"invalid_token\", error_description=\"session_mismatch\"";
    let mixed = mixed.get("/auth/forward").await;
    assert_eq!(told(&mixed), (401, Some(challenge), Some("session_mismatch")));
    let twice = of(&rest, &member).and("authorization", "Bearer other").get("/auth/forward").await;
    assert_eq!(twice.header("x-auth-error"), Some("malformed_request"));
    // What stands around the token is named, for either layer.
    let (token, wallet) = (member.access_token(), &member.credential);
    for (name, value, code, description) in [
        (
            "authorization",
            format!("Bearer Bearer {token}"),
            "invalid_token",
            "invalid_token: it begins with 'Bearer'; give the token alone",
        ),
        (
            "authorization",
            format!("Bearer \"{token}\""),
            "invalid_token",
            "invalid_token: it contains quotes; give the token alone",
        ),
        ("authorization", "Bearer eyJ0".into(), "invalid_token", "invalid_token"),
        (
            "x-wallet-session",
            format!("Bearer Bearer {wallet}"),
            "malformed_token",
            "malformed_token: it begins with 'Bearer'; give the token alone",
        ),
    ] {
        let answer = of(&rest, &member).without(name).with(name, &value).get("/auth/forward").await;
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{description}\"");
        assert_eq!(told(&answer), (401, Some(&*challenge), Some(code)), "{name}");
    }
}

#[tokio::test]
async fn roles_and_permissions_are_asked_for_one_by_one_and_a_misspelt_question_lets_nobody_in() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let ask = of(&rest, &member);
    let scope = Some("Bearer error=\"insufficient_scope\"");
    let refused = ask.get("/auth/forward?role=admin").await;
    assert_eq!(told(&refused), (403, scope, Some("role_missing")));
    let change = json!({ "roles": ["admin"], "permissions": ["pay"] });
    rest.patch(&format!("/users/{}", member.id()), change).await.data();
    for (query, status) in [
        ("role=admin", 200),
        ("role=admin&permission=pay", 200),
        ("role=admin&role=editor", 403),
        ("permission=refund", 403),
        ("role=Admin", 403),
        ("role=", 403),
        ("rol=admin", 400),
    ] {
        let answer = ask.get(&format!("/auth/forward?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn a_slash_too_many_in_a_gateways_address_lets_nobody_in() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let answer = of(&daemon.rest(), &member).get("/auth/forward/?role=admin").await;
    assert_eq!(answer.status.as_u16(), 404);
}

#[tokio::test]
async fn envoy_asks_by_any_method_below_the_path_and_the_users_query_asks_for_nothing() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let ask = of(&daemon.rest(), &member);
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = ask.send(method.clone(), "/auth/envoy/app/page?role=nobody&x=1", "").await;
        assert_eq!(answer.status.as_u16(), 200, "{method}");
    }
    for path in ["/auth/envoy/app", "/auth/envoy/", "/auth/envoy/?role=nobody"] {
        assert_eq!(ask.send(Method::HEAD, path, "").await.status.as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_gateway_may_hand_on_cookies_or_headers_of_other_names() {
    let relay = TestRelay::start().await;
    let forward = "[forward]\naccess_token_header = \"X-Access-Token\"\ncredential_header = \"X-Wallet\"\n\
                   access_token_cookie = \"at\"\ncredential_cookie = \"ws\"\n";
    let config = format!("{SESSIONS}{forward}");
    let daemon = Daemon::on(&[&relay]).with_tcp().with_config(&config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let (token, wallet) = (member.access_token(), member.credential.as_str());
    let rest = daemon.rest();
    let by_cookie = rest.clone().with("cookie", &format!("a=b; at={token}; ws={wallet}"));
    assert_eq!(by_cookie.get("/auth/forward").await.status.as_u16(), 200);
    let foreign = by_cookie.clone().and("cookie", "name=José").with("x-access-token", "");
    assert_eq!(foreign.get("/auth/forward").await.status.as_u16(), 200, "what is not ours is not judged");
    let twice = rest.clone().with("cookie", &format!("at={token}; ws={wallet}; at=other"));
    assert_eq!(twice.get("/auth/forward").await.status.as_u16(), 401);
    // Over TCP, too, as Authorization is free for the API token.
    let over_tcp = daemon.rest_over_tcp().with("x-access-token", token).with("x-wallet", wallet);
    assert_eq!(over_tcp.get("/auth/forward").await.status.as_u16(), 200);
}

#[tokio::test]
async fn the_authorization_of_other_programs_beside_good_cookies_is_not_judged() {
    let relay = TestRelay::start().await;
    let forward = "[forward]\naccess_token_cookie = \"at\"\ncredential_cookie = \"ws\"\n";
    let config = format!("{SESSIONS}{forward}");
    let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let (token, wallet) = (member.access_token(), member.credential.as_str());
    let browser = daemon.rest().with("cookie", &format!("at={token}; ws={wallet}"));
    for values in [
        &["Nostr abc"][..],
        &["Nostr"],
        &["Basic"],
        &["Basic a", "Basic a"],
        &["Digest username=\"x\"", "DPoP y"],
        &["\u{e9}"],
        &["Token \u{e9}"],
    ] {
        let ask = values.iter().fold(browser.clone(), |ask, value| ask.and("authorization", value));
        let answer = ask.get("/auth/forward").await;
        assert_eq!(answer.status.as_u16(), 200, "{values:?}: {answer:?}");
    }
    for value in ["Bearer x", "eyJ0.a.b", "Bearer tok\u{e9}n"] {
        let answer = browser.clone().and("authorization", value).get("/auth/forward").await;
        assert_eq!(answer.status.as_u16(), 401, "{value}: {answer:?}");
    }
}

#[tokio::test]
async fn where_sessions_are_off_every_question_about_them_is_told_so_whatever_it_says() {
    let rest = Daemon::offline().start().await;
    let us = rest.public_key().await;
    let rest = rest.rest();
    let bad_token = &format!("{{\"pubkey\":\"{us}\",\"token\":\"x\",\"session\":true}}");
    for (method, path, body) in [
        (Method::POST, "/auth/login", "{}"),
        (Method::POST, "/auth/login", "nonsense"),
        (Method::POST, "/auth/refresh", "{}"),
        (Method::POST, "/auth/verify", "{\"x\":1}"),
        (Method::POST, "/auth/logout", ""),
        (Method::GET, "/users?limit=0", ""),
        (Method::PATCH, "/users/x", "[]"),
        (Method::GET, "/auth/forward?role=x", ""),
        (Method::GET, "/auth/forward?rol=x", ""),
        (Method::GET, "/users?x=1", ""),
        (Method::POST, "/jwt/verify", bad_token),
        (Method::GET, "/audit", ""),
    ] {
        let answer = rest.send(method, path, body.to_owned()).await;
        assert_eq!(answer.refusal(), refused(404, "sessions_off"), "{path} {body}");
    }
    let answer = rest.send(Method::POST, "/thirdweb/payload", "{}").await;
    assert_eq!(answer.refusal(), refused(404, "thirdweb_off"));
}

#[tokio::test]
async fn over_tcp_nobody_asks_with_the_users_token_in_the_place_of_the_api_token() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_tcp().with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let stranger = daemon.rest_over_tcp().without("authorization");
    assert_eq!(of(&stranger, &member).get("/auth/forward").await.status.as_u16(), 401);
    let caller = daemon.rest_over_tcp().with("x-wallet-session", &member.credential);
    assert_eq!(caller.get("/auth/forward").await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_browser_is_sent_to_the_page_that_the_gateway_names_and_to_no_other_site() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let browser = |target: &str| {
        let rest = daemon.rest().with("accept", "text/html,*/*;q=0.8");
        rest.with("x-forwarded-method", "GET").with("x-forwarded-uri", target)
    };
    let with_page = "/auth/forward?role=admin&sign_in=/in";
    for (target, back) in [("/a?x=1&y=2", "%2Fa%3Fx%3D1%26y%3D2"), ("//evil.example", "%2F")] {
        let sent = browser(target).get(with_page).await;
        assert_eq!((sent.status.as_u16(), sent.header("x-auth-return-to")), (302, Some(back)));
        assert_eq!(sent.header("location"), Some(&*format!("/in?return_to={back}")));
        // Where the gateway names no page, it sees to that itself.
        let told = browser(target).get("/auth/forward").await;
        assert_eq!((told.status.as_u16(), told.header("x-auth-return-to")), (401, Some(back)));
        assert_eq!(told.header("location"), None);
    }
    // What browsers of today encode, some clients send as it is: a header of any bytes, or two of them.
    for (target, back) in
        [("/caf\u{e9}?x=\u{e9}", "%2Fcaf%25C3%25A9%3Fx%3D%25C3%25A9"), ("//evil.example/\u{e9}", "%2F")]
    {
        let sent = browser(target).with("accept", "x/\u{e9}, text/html").get(with_page).await;
        assert_eq!((sent.status.as_u16(), sent.header("x-auth-return-to")), (302, Some(back)));
    }
    let twice = browser("/a").and("x-forwarded-uri", "/b").get(with_page).await;
    assert_eq!((twice.status.as_u16(), twice.header("location")), (302, Some("/in?return_to=%2F")));
    // Who lacks a role is not helped by signing in; programs and forms are not sent to a page.
    assert_eq!(of(&browser("/a"), &member).get(with_page).await.status.as_u16(), 403);
    for program in [browser("/a").with("accept", "*/*"), browser("/a").with("x-forwarded-method", "POST")] {
        let answer = program.get(with_page).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-auth-return-to")), (401, None));
    }
    // A page that is not a path of the site admits nobody, not even a valid user.
    for page in ["//evil.example", "https://evil.example", "in", "/a&sign_in=/b"] {
        let answer = of(&browser("/a"), &member).get(&format!("/auth/forward?sign_in={page}")).await;
        assert_eq!(answer.refusal(), refused(400, "bad_request"), "{page}");
    }
}

/// A gateway passes the answer on to a user, or reads its header: it must not look like a refusal of that user, nor
/// show them what the operator has to mend.
#[tokio::test]
async fn a_gateway_that_may_not_ask_gets_an_answer_of_the_same_form_as_every_refusal() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_tcp().with_config(SESSIONS).start_subscribed(&[&relay]).await;
    let made = daemon.rest().post("/tokens", json!({ "name": "gate", "may": ["login"] })).await.data();
    let without_right = Rest::tcp(daemon.address(), made["token"].as_str().unwrap().to_owned());
    let without_token = without_right.clone().without("authorization");
    for path in ["/auth/forward", "/auth/forward?role=x", "/auth/envoy/", "/auth/envoy/app?x=1"] {
        for (rest, status, code) in
            [(&without_right, 403, "missing_right"), (&without_token, 401, "unauthorized")]
        {
            let answer = rest.get(path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("x-auth-error")),
                (status, Some(code)),
                "{path}"
            );
            assert_eq!((answer.text.as_str(), answer.header("content-type")), ("", None), "{path}");
        }
    }
    // What the operator has to mend is said in the body, and named in the header too.
    let wrong = daemon.rest().get("/auth/forward?rol=x").await;
    assert_eq!(
        (wrong.header("x-auth-error"), wrong.refusal()),
        (Some("bad_request"), refused(400, "bad_request"))
    );
    let off = Daemon::offline().start().await.rest().get("/auth/forward").await;
    assert_eq!(
        (off.header("x-auth-error"), off.refusal()),
        (Some("sessions_off"), refused(404, "sessions_off"))
    );
}
