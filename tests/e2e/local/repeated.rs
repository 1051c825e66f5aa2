//! Tokens in the wrong place: callers log errors, so no error text repeats one.

use hyper::Method;
use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::Daemon;

/// Some token, or key, or password.
const SECRETS: [&str; 3] = [
    "eyJhbGciOiJFUzI1NksifQ.eyJ0YXJnZXRfa2V5IjoiM2JjYjVmNDgifQ.c2lnbmF0dXJlLW9mLXRoZS13YWxsZXQ",
    "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
    "correct horse battery staple, and some more words to make it long",
];

/// So much of it may stand in an error.
const MAX_REPEATED: usize = 32;

fn assert_not_repeated(secret: &str, said: &str, what: &str) {
    let start = if secret.contains(' ') { MAX_REPEATED + 1 } else { 9 };
    assert!(!said.contains(&secret[..start]), "{what}: {said}");
    assert!(!said.contains(&secret[secret.len() - 12..]), "{what}: {said}");
}

#[tokio::test]
async fn a_token_in_the_wrong_place_of_a_body_is_not_repeated_by_the_error() {
    let daemon = Daemon::on(&[]).with_config(SESSIONS).start().await;
    let rest = daemon.rest();
    let key = "3bcb5f48".repeat(8);
    for secret in SECRETS {
        let everywhere = [json!(secret), json!({ secret: 1 }), json!({ "extra": { secret: secret } })];
        for (path, bodies) in [
            ("/jwt/revoke", vec![json!({ "token": [secret] })]),
            ("/jwt/verify", vec![json!({ "pubkey": key, "token": "x", "session": secret })]),
            (
                "/jwt/issue",
                ["duration_hours", "format", "target_key", "audience", "address"]
                    .map(|field| json!({ "target_key": key, "duration_hours": 1, "format": "jwt", field: secret }))
                    .to_vec(),
            ),
            ("/jwt/issue", vec![json!({ "format": "thirdweb", "address": secret })]),
            (
                "/auth/login",
                vec![
                    json!({ "credential": "x", "provider": secret }),
                    json!({ "credential": "x", "request": secret }),
                    json!({ "credential": "x", "request": { secret: 1 } }),
                    json!({ "credential": "x", "request": { "method": "GET", "target": "/", "body_sha256": secret } }),
                ],
            ),
            ("/auth/logout", vec![json!({ "all": secret })]),
            ("/auth/refresh", vec![json!({ "provider": secret })]),
            ("/auth/verify", vec![json!({ "provider": secret, "credential": "x", "access_token": "x" })]),
            ("/users", vec![json!({ "wallet_id": "x", "provider": secret }), json!({ "wallet_id": key, "roles": [format!("{secret} ")] })]),
            ("/relays", vec![json!({ "relay": secret })]),
            ("/login", vec![json!({ "static_token": { secret: 1 } })]),
            ("/authenticate-key", vec![json!({ "main_key": secret }), json!({ "main_key": key, "subkeys": secret })]),
            ("/thirdweb/login", vec![json!({ "payload": secret })]),
        ] {
            for body in bodies.iter().chain(&everywhere) {
                let answer = rest.post(path, body.clone()).await;
                assert_not_repeated(secret, &answer.text, &format!("{path} {body}"));
            }
        }
        let many = rest.post(
            "/jwt/verify",
            json!([secret, { secret: 1 }, { "pubkey": key, "token": "x", "session": secret }]),
        );
        let many = many.await;
        assert_eq!(many.data().as_array().unwrap().len(), 3);
        assert_not_repeated(secret, &many.text, "/jwt/verify, many");
        let in_url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for path in
            [format!("/users?limit={in_url}"), format!("/users?{in_url}=1"), format!("/audit?since={in_url}")]
        {
            let answer = rest.send(Method::GET, &path, "").await;
            assert_eq!(answer.status, 400, "{path}");
            assert_not_repeated(secret, &answer.text, &path);
        }
    }
}

#[tokio::test]
async fn nor_by_the_error_of_a_websocket() {
    let daemon = Daemon::on(&[]).with_config(SESSIONS).start().await;
    let mut socket = daemon.websocket().await;
    for secret in SECRETS {
        let mut answers = Vec::<Value>::new();
        for (cmd, params) in [
            ("VerifyJwt", json!(secret)),
            ("VerifyJwt", json!([secret])),
            ("VerifyJwt", json!({ "pubkey": "x", "token": "x", "session": secret })),
            ("IssueJwt", json!({ "duration_hours": secret })),
            ("SetProfile", json!({ "profile": secret })),
            ("AddRelay", json!({ "relay": secret })),
            (secret, json!({})),
        ] {
            answers.push(socket.command(cmd, params).await);
        }
        socket.send_raw(&json!({ "id": "mine", "cmd": { secret: 1 } }).to_string()).await;
        answers.push(socket.answer("mine").await);
        for answer in answers {
            assert_eq!(answer["type"], "error", "{answer}");
            assert_not_repeated(secret, &answer.to_string(), "WebSocket");
        }
    }
}
