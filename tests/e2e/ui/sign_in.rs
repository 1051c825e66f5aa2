//! Who gets in with an API token, and for how long.

use serde_json::json;

use super::*;
use crate::support::rest::refused;

#[tokio::test]
async fn there_is_no_page_unless_the_configuration_turns_it_on() {
    let daemon = Daemon::offline().with_tcp().start().await;
    for path in FILES.into_iter().chain(["/ui", "/ui/session", "/ui/data"]) {
        let page = browser(&daemon).without("origin");
        assert_eq!(page.get(path).await.refusal(), refused(401, "unauthorized"), "{path}");
        assert_eq!(daemon.rest_over_tcp().get(path).await.refusal(), refused(404, "not_found"), "{path}");
        assert_eq!(daemon.rest().get(path).await.refusal(), refused(404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn the_page_comes_from_the_program_and_names_nothing_outside_of_it() {
    let daemon = quiet("").await;
    let moved = browser(&daemon).get("/ui").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, Some("/ui/")));
    for (path, kind) in FILES.into_iter().zip(["text/html", "text/css", "text/javascript", "image/svg+xml"]) {
        let file = Rest::tcp(daemon.address(), String::new()).without("authorization").get(path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("content-type").unwrap().starts_with(kind), "{path}");
        assert_eq!(file.header("cache-control"), Some("no-store"), "{path}: the next version comes at once");
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "url(", "@import", "target=", "style=", "innerHTML", "eval("] {
            assert!(!text.contains(outside), "{path} has {outside}");
        }
    }
}

#[tokio::test]
async fn a_token_with_the_right_operate_signs_in_and_no_other_text_does() {
    let daemon = quiet("").await;
    let page = browser(&daemon);
    assert_eq!(page.get("/ui/session").await.data()["signed_in"], false);
    let few = token(&daemon, "few", &["check", "login", "issue"]).await;
    let refused_few = page.post("/ui/session", json!({ "token": few })).await;
    assert_eq!(refused_few.refusal(), refused(403, "missing_right"));
    for wrong in ["", "x", &few[..few.len() - 1], "Bearer x"] {
        let answer = page.post("/ui/session", json!({ "token": wrong })).await;
        assert_eq!(answer.refusal(), refused(401, "unauthorized"), "{wrong}");
        assert!(answer.header("set-cookie").is_none());
    }
    assert_eq!(daemon.metric("portico_callers_refused_total{reason=\"wrong_token\"}").await, 4.0);
    for body in [json!({}), json!({ "token": 1 }), json!({ "token": few, "more": 1 }), json!([])] {
        assert_eq!(page.post("/ui/session", body).await.refusal(), refused(400, "bad_request"));
    }
    for good in [token(&daemon, "ops", &["operate"]).await, daemon.api_token()] {
        let page = enter(&daemon, &good).await;
        assert!(is_signed_in(&page).await);
    }
    let shown = operator_named(&daemon, "ada").await.get("/ui/session").await.data();
    assert!(shown["name"].as_str().unwrap().starts_with("token:ada#") && shown["writes"] == false, "{shown}");
    assert!((3500..=3600).contains(&shown["seconds_left"].as_u64().unwrap()), "{shown}");
}

async fn operator_named(daemon: &Daemon, name: &str) -> Rest {
    let token = token(daemon, name, &["operate"]).await;
    enter(daemon, &token).await
}

#[tokio::test]
async fn the_cookie_is_for_the_page_alone_and_the_token_is_nowhere_in_the_answer() {
    let daemon = quiet("session_lifetime = \"10m\"\n").await;
    let token = token(&daemon, "ops", &["operate"]).await;
    let page = browser(&daemon);
    let answer = page.post("/ui/session", json!({ "token": token })).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/ui/; HttpOnly; SameSite=Strict; Max-Age=600"), "{set}");
    let secret = token.rsplit('_').next().unwrap();
    assert!(!set.contains(secret) && !answer.text.contains(secret));
    let over_tls = page.with("origin", &format!("https://{}", daemon.address()));
    let answer = over_tls.post("/ui/session", json!({ "token": token })).await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
    assert!(!daemon.log().contains(secret));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_removes_the_cookie() {
    let daemon = quiet("").await;
    let (page, other) = (operator(&daemon).await, enter(&daemon, &daemon.api_token()).await);
    let out = page.send(Method::DELETE, "/ui/session", "").await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(!is_signed_in(&page).await && is_signed_in(&other).await);
    assert_eq!(page.send(Method::DELETE, "/ui/session", "").await.status, 200, "once more");
}

#[tokio::test]
async fn whoever_signed_in_with_a_token_is_out_the_moment_it_is_revoked() {
    let daemon = quiet("").await;
    let (page, other) = (operator(&daemon).await, operator_named(&daemon, "other").await);
    assert!(is_signed_in(&page).await);
    daemon.rest().delete("/tokens/ops", json!({})).await.data();
    for route in routes(NOBODY).into_iter().skip(6) {
        assert_eq!(send(&page, &route).await.refusal(), refused(401, "unauthorized"), "{route:?}");
    }
    assert!(!is_signed_in(&page).await && is_signed_in(&other).await);
}

#[tokio::test]
async fn a_restart_signs_everybody_out() {
    let mut daemon = quiet("").await;
    let page = operator(&daemon).await;
    assert!(is_signed_in(&page).await);
    daemon.terminate().await;
    let daemon = daemon.restart().await;
    let host = daemon.address().to_string();
    let same = Rest::tcp(daemon.address(), String::new()).without("authorization").with("host", &host);
    let data = same.with("cookie", "portico_ui_x=1").with("x-portico-ui", "1").get("/ui/data").await;
    assert_eq!(data.refusal(), refused(401, "unauthorized"));
}

#[tokio::test]
async fn the_sixty_fifth_who_signs_in_signs_the_first_out() {
    let daemon = quiet("").await;
    let token = token(&daemon, "ops", &["operate"]).await;
    let first = enter(&daemon, &token).await;
    let second = enter(&daemon, &token).await;
    for _ in 0..63 {
        enter(&daemon, &token).await;
    }
    assert!(!is_signed_in(&first).await && is_signed_in(&second).await);
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"page_sessions\"}").await, 1.0);
}

#[tokio::test]
async fn the_page_is_on_the_unix_socket_too_and_asks_for_a_token_there() {
    let daemon = quiet("").await;
    let page = page(Rest::unix(daemon.socket()), "localhost:8080");
    assert_eq!(page.get("/ui/").await.status, 200);
    assert_eq!(page.get("/ui/data").await.refusal(), refused(401, "unauthorized"));
    let token = token(&daemon, "ops", &["operate"]).await;
    let answer = page.post("/ui/session", json!({ "token": token })).await;
    assert!(is_signed_in(&signed_in(&page, &answer)).await);
}
