//! A session ends at once, everywhere, and for good.

use serde_json::{Value, json};

use super::daemon;
use crate::support::beginning::Member;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};

async fn assert_ended(rest: &Rest, member: &Member, code: &str, status: u16) {
    for path in ["/auth/verify", "/auth/refresh"] {
        assert_eq!(rest.post(path, member.both()).await.refusal(), refused(status, code), "{path}");
    }
    let form = format!("token={}", member.access_token());
    let told = rest.send(hyper::Method::POST, "/oauth/introspect", form).await;
    assert_eq!(told.json(), json!({ "active": false }));
    let forward = rest
        .clone()
        .with("authorization", &format!("Bearer {}", member.access_token()))
        .with("x-wallet-session", &member.credential)
        .get("/auth/forward")
        .await;
    assert_eq!((forward.status.as_u16(), forward.header("x-auth-error")), (401, Some(code)));
}

#[tokio::test]
async fn a_logout_holds_at_the_next_check_and_after_a_restart() {
    let relay = TestRelay::start().await;
    let mut daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    rest.post("/auth/verify", member.both()).await.data();
    let logout = json!({ "access_token": member.access_token() });
    assert_eq!(rest.post("/auth/logout", logout.clone()).await.data(), json!({ "revoked": 1 }));
    assert_ended(&rest, &member, "session_revoked", 401).await;
    assert_eq!(rest.post("/auth/logout", logout).await.data(), json!({ "revoked": 0 }));
    let nothing = rest.post("/auth/logout", json!({ "all": true })).await;
    assert_eq!(nothing.refusal(), refused(400, "bad_request"));
    let events = daemon.ended(member.session()).await;
    assert_eq!((&events[1]["type"], &events[1]["reason"]), (&json!("session_revoked"), &json!("logout")));

    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_ended(&daemon.rest(), &member, "session_revoked", 401).await;
}

#[tokio::test]
async fn a_logout_ends_one_session_or_all_of_the_user_and_nobody_elses() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let rest = daemon.rest();
    let again = rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    let second = json!({ "access_token": again["access_token"], "credential": member.credential });
    rest.post("/auth/logout", json!({ "access_token": member.access_token() })).await.data();
    rest.post("/auth/verify", second.clone()).await.data();
    rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    let all = json!({ "access_token": again["access_token"], "all": true });
    assert_eq!(rest.post("/auth/logout", all).await.data(), json!({ "revoked": 2 }));
    assert_eq!(rest.post("/auth/verify", second).await.refusal(), refused(401, "session_revoked"));
    rest.post("/auth/verify", other.both()).await.data();
}

#[tokio::test]
async fn an_operator_ends_sessions_disables_and_deletes_and_each_holds_at_once() {
    type Act = (hyper::Method, fn(&Member) -> String, Value, &'static str, u16);
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let rest = daemon.rest();
    let acts: [Act; 4] = [
        (
            hyper::Method::DELETE,
            |it| format!("/sessions/{}", it.session()),
            json!({}),
            "session_revoked",
            401,
        ),
        (
            hyper::Method::POST,
            |it| format!("/users/{}/revoke-sessions", it.id()),
            json!({}),
            "session_revoked",
            401,
        ),
        (
            hyper::Method::PATCH,
            |it| format!("/users/{}", it.id()),
            json!({ "disabled": true }),
            "user_disabled",
            403,
        ),
        (hyper::Method::DELETE, |it| format!("/users/{}", it.id()), json!({}), "session_revoked", 401),
    ];
    for (method, path, body, code, status) in acts {
        let member = Member::of(&daemon).await;
        rest.post("/auth/verify", member.both()).await.data();
        rest.send(method, &path(&member), body.to_string()).await.data();
        assert_ended(&rest, &member, code, status).await;
        assert_eq!(daemon.ended(member.session()).await.len(), 2);
    }
}

#[tokio::test]
async fn a_user_who_is_let_in_again_has_to_log_in_again() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let (rest, path) = (daemon.rest(), format!("/users/{}", member.id()));
    for disabled in [true, false] {
        rest.patch(&path, json!({ "disabled": disabled })).await.data();
    }
    assert_ended(&rest, &member, "session_revoked", 401).await;
    rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
}
