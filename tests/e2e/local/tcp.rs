//! The TCP socket, which web pages and other users of the machine can reach.

use hyper::Method;
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::rest::{Rest, refused};

async fn daemon() -> Daemon {
    let config =
        "[local]\nallowed_origins = [\"https://app.example\"]\nallowed_hosts = [\"gate.internal\"]\n";
    Daemon::on(&[]).with_config(config).with_tcp().start().await
}

#[tokio::test]
async fn a_caller_without_the_token_is_told_nothing_but_what_is_public() {
    let daemon = daemon().await;
    let right = daemon.rest_over_tcp();
    let token = daemon.api_token();
    let wrong_tokens = ["", "Bearer", "Bearer x", "Basic dXNlcjpwYXNz", &format!("Bearer {}x", token)];
    for (method, path) in [
        (Method::GET, "/info"),
        (Method::POST, "/login"),
        (Method::POST, "/jwt/issue"),
        (Method::POST, "/relays"),
        (Method::GET, "/no/such/route"),
        (Method::GET, "/health/"),
    ] {
        for authorization in wrong_tokens {
            let answer =
                right.clone().with("authorization", authorization).send(method.clone(), path, "{}").await;
            assert_eq!(answer.refusal(), refused(401, "unauthorized"), "{path} {authorization}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        let answer = right.clone().without("authorization").send(method.clone(), path, "{}").await;
        assert_eq!(answer.refusal(), refused(401, "unauthorized"), "{path}");
    }
    for path in ["/health", "/version", "/.well-known/nostr.json"] {
        let answer = right.clone().without("authorization").get(path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(right.get("/info").await.status, 200);
}

#[tokio::test]
async fn a_hostile_web_page_that_rebinds_its_name_is_refused_by_host() {
    let daemon = daemon().await;
    let rest = daemon.rest_over_tcp();
    for host in ["evil.example", "localhost.evil.example", "169.254.169.254", "127.0.0.1.nip.io:3000"] {
        for path in ["/health", "/info", "/ws", "/no/such/route"] {
            let answer = rest.clone().with("host", host).get(path).await;
            assert_eq!(answer.refusal(), refused(403, "forbidden"), "{host} {path}");
        }
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]", "gate.internal:8443"] {
        assert_eq!(rest.clone().with("host", host).get("/info").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_hostile_web_page_is_refused_by_origin_and_a_listed_one_gets_cors() {
    let daemon = daemon().await;
    let rest = daemon.rest_over_tcp();
    for origin in ["https://evil.example", "null", "http://app.example", "http://localhost:3000"] {
        let answer = rest.clone().with("origin", origin).get("/info").await;
        assert_eq!(answer.refusal(), refused(403, "forbidden"), "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("Origin"), "a cache gives this to no other page");
    }
    let app = |rest: Rest| rest.with("origin", "https://app.example");
    let answer = app(rest.clone()).get("/info").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    // A preflight carries no token.
    let preflight = app(rest.clone().without("authorization")).send(Method::OPTIONS, "/login", "").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    let without = rest.get("/info").await;
    assert_eq!(without.header("access-control-allow-origin"), None);
    let refused = rest.clone().without("authorization").get("/info").await;
    for answer in [without, refused, answer, preflight] {
        assert_eq!(answer.header("vary"), Some("Origin"), "{answer:?}");
    }
}

#[tokio::test]
async fn every_web_page_may_read_what_is_public_and_nothing_else() {
    let daemon = daemon().await;
    let page = "https://client.example";
    for rest in [daemon.rest_over_tcp().without("authorization"), daemon.rest()] {
        for path in [
            "/health",
            "/version",
            "/openapi.json",
            "/.well-known/nostr.json?name=_",
            "/well-known/nostr.json?name=_",
            "/.well-known/jwks.json",
            "/.well-known/portico/secp256k1.json",
        ] {
            for rest in [rest.clone(), rest.clone().with("origin", page), rest.clone().with("origin", "null")]
            {
                let answer = rest.get(path).await;
                assert_eq!(answer.status, 200, "{path}");
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            }
            let asking = rest.clone().with("origin", page).with("access-control-request-method", "GET");
            let preflight = asking.send(Method::OPTIONS, path, "").await;
            assert_eq!(preflight.status, 204, "{path}");
            assert_eq!(preflight.header("access-control-allow-origin"), Some("*"), "{path}");
            assert!(preflight.header("access-control-allow-methods").unwrap().contains("GET"), "{path}");
        }
    }
    let hostile = daemon.rest_over_tcp().with("origin", page);
    for path in ["/info", "/ready", "/metrics", "/ws", "/.well-knownx", "/health/"] {
        let answer = hostile.get(path).await;
        assert_eq!(answer.refusal(), refused(403, "forbidden"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn nobody_keeps_a_copy_of_an_answer_but_of_a_public_document() {
    let daemon = daemon().await;
    let rest = daemon.rest();
    for path in
        ["/info", "/version", "/health", "/ready", "/no/such/route", "/events/recurring-payment-close"]
    {
        assert_eq!(rest.get(path).await.header("cache-control"), Some("no-store"), "{path}");
    }
    for path in ["/.well-known/nostr.json", "/.well-known/jwks.json", "/openapi.json"] {
        assert_eq!(rest.get(path).await.header("cache-control"), Some("max-age=60"), "{path}");
    }
}

#[tokio::test]
async fn a_websocket_on_tcp_must_say_the_token_first() {
    let daemon = daemon().await;
    for (cmd, params) in [
        ("IssueJwt", json!({ "target_key": daemon.public_key().await, "duration_hours": 1 })),
        ("Auth", json!({ "token": "wrong" })),
        ("Auth", json!({ "token": "" })),
        ("Auth", json!({})),
        ("Auth", json!(null)),
    ] {
        let mut socket = daemon.websocket_over_tcp().await;
        let id = socket.send(cmd, params).await;
        // Sent before the refusal can arrive: it must not be run.
        let _ = socket.try_send_raw(r#"{"id":"next","cmd":"NewKeyHandshakeUrl","params":{}}"#).await;
        let (said, _) = socket.until_closed().await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((&said[0]["type"], &said[0]["id"]), (&json!("error"), &json!(id)));
    }
    let mut socket = daemon.websocket_over_tcp().await;
    socket.send_raw("not JSON").await;
    let (said, _) = socket.until_closed().await;
    assert_eq!(said[0]["code"], "unauthorized");
}

#[tokio::test]
async fn a_client_that_sends_auth_and_long_commands_at_once_loses_none() {
    let daemon = daemon().await;
    let mut socket = daemon.websocket_over_tcp().await;
    let auth = socket.send("Auth", json!({ "token": daemon.api_token() })).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        let long = json!({ "pubkey": "x".repeat(30_000), "token": "" });
        asked.push(socket.send("VerifyJwt", long).await);
    }
    assert_eq!(socket.answer(&auth).await["type"], "success");
    for id in asked {
        assert_eq!(socket.answer(&id).await["code"], "bad_request");
    }
}

#[tokio::test]
async fn what_stands_around_the_api_token_is_named_and_lets_nobody_in() {
    let daemon = daemon().await;
    let token = daemon.api_token();
    for (offered, word) in [
        (format!("Bearer {token}"), "it begins with \"Bearer\""),
        (format!("\"{token}\""), "it contains quotes"),
        (format!("'Bearer {token}'"), "it contains quotes"),
    ] {
        let refusal = Rest::tcp(daemon.address(), offered.clone()).get("/info").await;
        assert_eq!(refusal.refusal(), refused(401, "unauthorized"), "{offered}");
        let told = refusal.json()["error"].as_str().unwrap().to_owned();
        assert!(told.starts_with("the API token is wrong: ") && told.contains(word), "{told}");
        assert!(!told.contains(&token), "{told}");
    }
    for (offered, word) in [
        (format!("Bearer {token}"), "it begins with \"Bearer\""),
        (format!("\"{token}\""), "it contains quotes"),
        (format!("{token}\n"), "a line break around it"),
        (String::new(), "it is empty"),
    ] {
        let mut socket = daemon.websocket_over_tcp().await;
        socket.send("Auth", json!({ "token": offered })).await;
        let (said, _) = socket.until_closed().await;
        let told = said[0].to_string();
        assert_eq!(said[0]["code"], "unauthorized");
        assert!(!told.contains(&token) && said[0]["message"].as_str().unwrap().contains(word), "{told}");
    }
    let other = Rest::tcp(daemon.address(), "another".into()).get("/info").await;
    assert_eq!(other.json()["error"], "the API token is wrong");
}

#[tokio::test]
async fn a_websocket_that_guesses_another_token_after_the_right_one_is_closed() {
    let daemon = daemon().await;
    let mut socket = daemon.websocket_over_tcp().await;
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;
    socket.data("Auth", json!({ "token": daemon.api_token() })).await;
    socket.send("Auth", json!({ "token": "guess" })).await;
    let (said, _) = socket.until_closed().await;
    assert_eq!((said.len(), &said[0]["code"]), (1, &json!("unauthorized")));
}
