//! Many tokens verified in one request.

use nostr_sdk::Keys;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::rest::refused;

#[tokio::test]
async fn many_tokens_are_answered_in_their_order_each_for_itself() {
    let daemon = Daemon::on(&[]).start().await;
    let (rest, service) = (daemon.rest(), daemon.public_key().await);
    let mut questions = Vec::new();
    let mut users = Vec::new();
    for _ in 0..100 {
        let user = Keys::generate().public_key().to_hex();
        let issued = rest.post("/jwt/issue", json!({ "target_key": user, "duration_hours": 1 })).await.data();
        questions.push(json!({ "pubkey": service, "token": issued["token"] }));
        users.push(user);
    }
    questions[40]["token"] = "garbage".into();
    questions[70] = json!({ "pubkey": service });
    // A thousand, the most there may be, in tasks of their own.
    let all: Vec<Value> = questions.iter().cycle().take(1_000).cloned().collect();
    let answers = rest.post("/jwt/verify", Value::from(all.clone())).await.data();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 1_000);
    for (n, answer) in answers.iter().enumerate() {
        match n % 100 {
            40 => {
                assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("malformed_token")))
            }
            70 => assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("bad_request"))),
            user => assert_eq!(answer["data"]["target_key"], json!(users[user])),
        }
    }
    let single = rest.post("/jwt/verify", questions[7].clone()).await.data();
    assert_eq!(single, answers[7]["data"], "one of many is answered as one alone");
}

#[tokio::test]
async fn a_caller_cannot_send_tokens_without_end() {
    let daemon = Daemon::on(&[]).start().await;
    let rest = daemon.rest();
    let many = Value::from(vec![json!({}); 1_001]);
    assert_eq!(rest.post("/jwt/verify", many).await.refusal(), refused(400, "bad_request"));
    assert_eq!(rest.post("/jwt/verify", json!([])).await.data(), json!([]));
    let long = |bytes| json!([{ "pubkey": "x", "token": "a".repeat(bytes) }]);
    assert_eq!(rest.post("/jwt/verify", long(1_000_000)).await.data().as_array().unwrap().len(), 1);
    assert_eq!(rest.post("/jwt/verify", long(1 << 20)).await.refusal(), refused(413, "payload_too_large"));
    let elsewhere = rest.post("/jwt/issue", long(70_000)).await.refusal();
    assert_eq!(elsewhere, refused(413, "payload_too_large"), "only this route takes more");
}
