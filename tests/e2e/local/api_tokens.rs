//! API tokens with names: made, shown once, used, revoked, expired.

use nix::unistd::Uid;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::table::{RIGHTS, token};
use crate::cli::at;
use crate::sessions::with_sessions;
use crate::support::daemon::Daemon;
use crate::support::program::finished;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};
use crate::support::soon;

async fn daemon() -> Daemon {
    Daemon::offline().with_tcp().start().await
}

fn with(daemon: &Daemon, token: &str) -> Rest {
    Rest::tcp(daemon.address(), token.to_owned())
}

async fn revoke(daemon: &Daemon, name: &str) {
    daemon.rest().delete(&format!("/tokens/{name}"), json!({})).await.data();
}

#[tokio::test]
async fn the_command_line_makes_lists_and_revokes_a_token() {
    let daemon = daemon().await;
    let made =
        finished(at(&daemon, &["tokens", "add", "shop", "--may", "login,check", "--expires", "90d"])).await;
    assert_eq!(made.code, 0, "{made:?}");
    let text = made.stdout.trim();
    assert!(text.starts_with("portico_") && made.stdout.lines().count() == 1, "{made:?}");
    assert!(made.stderr.contains("may check,login") && !made.stderr.contains(text), "{made:?}");
    assert_eq!(with(&daemon, text).get("/info").await.status, 200);

    let listed = finished(at(&daemon, &["tokens", "list"])).await;
    assert!(
        listed.stdout.contains("shop  may check,login") && listed.stdout.contains("until "),
        "{listed:?}"
    );
    let secret = text.rsplit('_').next().unwrap();
    assert!(!listed.stdout.contains(secret), "shown once");
    let again = finished(at(&daemon, &["tokens", "add", "shop", "--may", "check"])).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("token_exists") && again.stderr.contains("\"shop\""), "{again:?}");

    let revoked = finished(at(&daemon, &["tokens", "revoke", "shop"])).await;
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(with(&daemon, text).get("/info").await.refusal(), refused(401, "unauthorized"));
    let none = finished(at(&daemon, &["tokens", "revoke", "shop"])).await;
    assert!(none.code == 1 && none.stderr.contains("no_such_token"), "{none:?}");
}

#[tokio::test]
async fn the_command_line_names_what_is_wrong_with_a_token_that_it_is_to_make() {
    let daemon = daemon().await;
    for (args, told) in [
        (&["shop"][..], "--may"),
        (&["shop", "--may", "root"], "\"root\" is not a right"),
        (&["shop", "--may", ""], "at least one right"),
        (&["a/b", "--may", "check"], "name: must have"),
        (&["shop", "--may", "check", "--expires", "3M"], "write it like 90d"),
        (&["shop", "--may", "check", "--expires", "0s"], "at least 1s"),
        (&["shop", "--may", "check", "--expires", "99999d"], "36500 days"),
    ] {
        let refused = finished(at(&daemon, &[&["tokens", "add"], args].concat())).await;
        assert_ne!(refused.code, 0, "{args:?}");
        assert!(refused.stderr.contains(told) && refused.stdout.is_empty(), "{args:?}: {refused:?}");
    }
    assert_eq!(daemon.rest().get("/tokens").await.data()["tokens"], json!([]));
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_stays_so_when_the_daemon_dies_the_moment_after() {
    let mut daemon = daemon().await;
    let (gone, kept) = (token(&daemon, "gone", &["all"]).await, token(&daemon, "kept", &["check"]).await);
    assert_eq!(with(&daemon, &gone).get("/tokens").await.status, 200);
    revoke(&daemon, "gone").await;
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_eq!(with(&daemon, &gone).get("/info").await.refusal(), refused(401, "unauthorized"));
    assert_eq!(with(&daemon, &kept).get("/info").await.status, 200);
    assert_eq!(with(&daemon, &kept).get("/tokens").await.refusal(), refused(403, "missing_right"));
    let listed = daemon.rest().get("/tokens").await.data();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_was_acknowledged_is_there_after_a_kill() {
    let mut daemon = daemon().await;
    let made = token(&daemon, "shop", &["login", "check"]).await;
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_eq!(with(&daemon, &made).get("/info").await.status, 200);
}

#[tokio::test]
async fn the_last_use_is_known_at_once_and_outlives_a_stop() {
    let mut daemon = daemon().await;
    let made = token(&daemon, "shop", &["check"]).await;
    let last_used = async |daemon: &Daemon| {
        daemon.rest().get("/tokens").await.data()["tokens"][0]["last_used_at"].clone()
    };
    assert_eq!(last_used(&daemon).await, Value::Null);
    with(&daemon, &made).get("/info").await;
    let used = last_used(&daemon).await;
    assert!(used.is_string());
    assert!(daemon.terminate().await.success());
    let daemon = daemon.restart().await;
    assert_eq!(last_used(&daemon).await, used);
}

/// Whoever copies the database has the hashes, and every name.
#[tokio::test]
async fn what_is_in_a_stolen_database_opens_nothing() {
    let mut daemon = daemon().await;
    let made = token(&daemon, "shop", &["all"]).await;
    assert!(daemon.terminate().await.success());
    let secret = made.rsplit('_').next().unwrap().to_owned();
    let public = made.strip_suffix(&secret).unwrap().to_owned();
    let stolen = std::fs::read(daemon.database()).unwrap();
    let holds = |needle: &[u8]| stolen.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(secret.as_bytes()) && !holds(&hex::decode(&secret).unwrap()), "the secret is not there");
    let hash = {
        let db = rusqlite::Connection::open(daemon.database()).unwrap();
        db.query_row("SELECT secret_hash FROM api_tokens", [], |row| row.get::<_, Vec<u8>>(0)).unwrap()
    };
    let daemon = daemon.restart().await;
    for shown in
        [hex::encode(&hash), format!("{public}{}", hex::encode(&hash)), public.clone(), "shop".into()]
    {
        assert_eq!(
            with(&daemon, &shown).get("/info").await.refusal(),
            refused(401, "unauthorized"),
            "{shown}"
        );
    }
    assert_eq!(with(&daemon, &made).get("/info").await.status, 200);
}

#[tokio::test]
async fn an_expired_token_is_refused_and_said_to_have_expired() {
    let daemon = daemon().await;
    let new = json!({ "name": "brief", "may": ["login"], "expires_in": 3 });
    let brief = daemon.rest().post("/tokens", new).await.data()["token"].as_str().unwrap().to_owned();
    // Its WebSocket is closed when it expires, which is what is waited for.
    let mut socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": brief })).await;
    let (_, frame) = socket.until_closed().await;
    assert_eq!(u16::from(frame.unwrap().code), 1008);
    let refusal = with(&daemon, &brief).get("/providers").await;
    assert_eq!(refusal.refusal(), refused(401, "unauthorized"));
    assert!(refusal.json()["error"].as_str().unwrap().contains("expired"), "{refusal:?}");
    assert_eq!(daemon.rest().get("/tokens").await.data()["tokens"][0]["expired"], true);
}

#[tokio::test]
async fn a_revocation_ends_websockets_server_sent_events_and_long_polls_of_that_token_alone() {
    let daemon = daemon().await;
    let (gone, kept) = (token(&daemon, "gone", &["login"]).await, token(&daemon, "kept", &["login"]).await);
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    let path = format!("/events/{stream}");
    let mut sockets = Vec::new();
    for token in [&gone, &kept] {
        let mut socket = daemon.websocket_over_tcp().await;
        socket.data("Auth", json!({ "token": token })).await;
        socket.subscribe(&stream, 0).await;
        sockets.push(socket);
    }
    let (mut kept_socket, gone_socket) = (sockets.pop().unwrap(), sockets.pop().unwrap());
    let follow = |token: &str| {
        let (rest, path) = (with(&daemon, token).with("accept", "text/event-stream"), path.clone());
        tokio::spawn(async move { rest.get(&path).await })
    };
    let poll = {
        let (rest, path) = (with(&daemon, &gone), format!("{path}?after=0&wait=60"));
        tokio::spawn(async move { rest.get(&path).await })
    };
    let (gone_follower, kept_follower) = (follow(&gone), follow(&kept));
    // Five follow it: two sockets, two followers, a poll.
    let all_follow = async {
        while daemon.metric("portico_followers").await < 5.0 {
            tokio::task::yield_now().await;
        }
    };
    soon("all to follow", all_follow).await;

    revoke(&daemon, "gone").await;
    let (_, frame) = gone_socket.until_closed().await;
    let frame = frame.unwrap();
    assert_eq!((u16::from(frame.code), frame.reason.contains("revoked")), (1008, true));
    assert_eq!(soon("the end of the poll", poll).await.unwrap().refusal(), refused(401, "unauthorized"));
    assert!(soon("the end of the events", gone_follower).await.unwrap().text.is_empty());
    assert!(!kept_follower.is_finished());
    kept_socket.data("Unsubscribe", json!({ "stream_id": stream })).await;
    kept_follower.abort();
}

#[tokio::test]
async fn a_caller_cannot_give_a_token_more_than_it_has_or_a_longer_life() {
    let daemon = daemon().await;
    let new = json!({ "name": "ops", "may": ["operate", "check"], "expires_in": 3600 });
    let ops = with(&daemon, daemon.rest().post("/tokens", new).await.data()["token"].as_str().unwrap());
    for right in ["login", "issue", "all"] {
        let refusal = ops.post("/tokens", json!({ "name": "more", "may": ["check", right] })).await;
        assert_eq!(refusal.refusal(), refused(403, "missing_right"), "{right}");
    }
    let longer = ops.post("/tokens", json!({ "name": "more", "may": ["check"], "expires_in": 7200 })).await;
    assert_eq!(longer.refusal(), refused(400, "bad_request"));
    let made = ops.post("/tokens", json!({ "name": "less", "may": ["check"] })).await.data();
    assert!(made["api_token"]["created_by"].as_str().unwrap().starts_with("token:ops#"), "{made}");
    let listed = daemon.rest().get("/tokens").await.data();
    assert_eq!(listed["tokens"][0]["name"], "less");
    assert_eq!(listed["tokens"][0]["expires_at"], listed["tokens"][1]["expires_at"], "as long as its maker");
}

/// The head of a request is judged when it comes; its body can be held back for seconds.
#[tokio::test]
async fn a_holder_who_keeps_a_body_back_until_after_the_revocation_gets_nothing() {
    let daemon = daemon().await;
    let target = daemon.public_key().await;
    for (route, body) in [
        ("POST /tokens", json!({ "name": "for-ever", "may": ["check"] })),
        ("POST /jwt/issue", json!({ "target_key": target, "duration_hours": 1 })),
        ("POST /oauth/revoke", json!({})),
        ("DELETE /tokens/other", json!({})),
    ] {
        let new = json!({ "name": "rv", "may": ["all"] });
        let token = daemon.rest().post("/tokens", new).await.data()["token"].as_str().unwrap().to_owned();
        let body = body.to_string();
        let mut held = TcpStream::connect(daemon.address()).await.unwrap();
        let head = format!(
            "{route} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        held.write_all(head.as_bytes()).await.unwrap();
        // The daemon asks for the body once the head has passed.
        let mut go_on = [0; 25];
        held.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "{route}");
        revoke(&daemon, "rv").await;
        held.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        held.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("was revoked"), "{route}: {answer}");
    }
    assert_eq!(daemon.rest().get("/tokens").await.data()["tokens"], json!([]));
}

/// The ways in which a caller without `operate` could get more rights, or read events of others.
#[tokio::test]
async fn nobody_without_operate_makes_or_revokes_anything_or_follows_without_login() {
    let relay = TestRelay::start().await;
    let daemon = with_sessions(&relay).with_tcp().start_subscribed(&[&relay]).await;
    let victim = token(&daemon, "victim", &["all"]).await;
    let (_, stream) = daemon.rest().login(json!({})).await;
    let issued = json!({ "target_key": daemon.public_key().await, "duration_hours": 1 });
    let issued = daemon.rest().post("/jwt/issue", issued).await.data()["token"].as_str().unwrap().to_owned();
    for right in RIGHTS.into_iter().filter(|right| *right != "operate") {
        let rest = with(&daemon, &token(&daemon, right, &[right]).await);
        for may in [json!(["all"]), json!([right])] {
            let refusal = rest.post("/tokens", json!({ "name": "more", "may": may })).await;
            assert_eq!(refusal.refusal(), refused(403, "missing_right"), "{right}");
        }
        assert_eq!(rest.get("/tokens").await.refusal(), refused(403, "missing_right"));
        let refusal = rest.delete("/tokens/victim", json!({})).await;
        assert_eq!(refusal.refusal(), refused(403, "missing_right"));
        for (path, body) in [
            ("/oauth/revoke", format!("token={issued}")),
            ("/jwt/revoke", json!({ "token": issued }).to_string()),
        ] {
            let refusal = rest.send(hyper::Method::POST, path, body).await;
            assert!(refusal.status == 403 && refusal.text.contains("missing_right"), "{path}: {refusal:?}");
        }
        if right != "login" {
            for rest in [rest.clone(), rest.clone().with("accept", "text/event-stream")] {
                let refusal = rest.get(&format!("/events/{stream}")).await;
                assert_eq!(refusal.refusal(), refused(403, "missing_right"), "{right}");
            }
        }
    }
    assert_eq!(with(&daemon, &victim).get("/tokens").await.status, 200);
    let us = daemon.public_key().await;
    daemon.rest().verify(&us, &issued).await.data();
}

#[tokio::test]
async fn the_audit_and_the_log_name_the_token_of_the_caller_and_never_its_secret() {
    let relay = TestRelay::start().await;
    let plan = with_sessions(&relay).with_tcp().with_env("PORTICO_LOG__LEVEL", "debug");
    let daemon = plan.start_subscribed(&[&relay]).await;
    let text = token(&daemon, "ops", &["all"]).await;
    let ops_name = format!("token:ops#{}", text.split('_').nth(1).unwrap());
    let ops = with(&daemon, &text);
    ops.post("/users", json!({ "wallet_id": "3b".repeat(32) })).await.data();
    ops.post("/tokens", json!({ "name": "shop", "may": ["check"] })).await.data();
    ops.delete("/tokens/shop", json!({})).await.data();
    let records = daemon.rest().get("/audit").await.data();
    let told =
        |record: &Value| (record["kind"].clone(), record["actor"].clone(), record["detail"]["name"].clone());
    let told: Vec<_> = records["records"].as_array().unwrap().iter().map(told).collect();
    let us = format!("unix uid {}", Uid::current());
    assert_eq!(
        told,
        [
            (json!("api_token_revoked"), json!(ops_name), json!("shop")),
            (json!("api_token_made"), json!(ops_name), json!("shop")),
            (json!("user_invited"), json!(ops_name), Value::Null),
            (json!("api_token_made"), json!(us), json!("ops")),
        ]
    );
    daemon.until_logged(&format!("\"caller\":\"{ops_name}\"")).await;
    let secret = text.rsplit('_').next().unwrap();
    assert!(!daemon.log().contains(secret) && !records.to_string().contains(secret));
}

#[tokio::test]
async fn without_sessions_there_is_no_audit_and_the_log_says_who_made_and_revoked_a_token() {
    let daemon = daemon().await;
    token(&daemon, "shop", &["check"]).await;
    revoke(&daemon, "shop").await;
    daemon.until_logged("API token revoked").await;
    let (log, us) = (daemon.log(), format!("\"by\":\"unix uid {}\"", Uid::current()));
    for change in ["API token made", "API token revoked"] {
        let line = log.lines().find(|line| line.contains(change)).unwrap();
        assert!(line.contains("\"name\":\"shop\"") && line.contains(&us), "{line}");
    }
}

#[tokio::test]
async fn tokens_beyond_the_bound_are_refused_and_counted() {
    let daemon = daemon().await;
    for n in 0..256 {
        token(&daemon, &format!("t{n}"), &["check"]).await;
    }
    let refusal = daemon.rest().post("/tokens", json!({ "name": "more", "may": ["check"] })).await;
    assert_eq!(refusal.refusal(), refused(409, "limit_reached"));
    assert_eq!(daemon.metric("portico_limit_reached_total{limit=\"api_tokens\"}").await, 1.0);
    revoke(&daemon, "t7").await;
    token(&daemon, "more", &["check"]).await;
}
