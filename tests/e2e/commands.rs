//! What an operator asks of a running daemon: how it is, who it is, tokens issued and revoked.

use std::process::Stdio;

use nostr_sdk::{Keys, PublicKey, ToBech32};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::cli::at;
use crate::support::daemon::Daemon;
use crate::support::program::{Finished, finished};
use crate::support::relay::TestRelay;
use crate::support::soon;
use crate::wallets::thirdweb::{issuing, key};

async fn run(daemon: &Daemon, args: &[&str]) -> Finished {
    finished(at(daemon, args)).await
}

/// The claims of a JWT, as they stand there.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn status_says_that_the_daemon_is_ready_or_why_not_or_that_it_is_not_there() {
    let relay = TestRelay::start().await;
    let mut daemon = crate::sessions::daemon(&relay).await;
    let well = run(&daemon, &["status"]).await;
    assert_eq!(well.code, 0, "{well:?}");
    for said in ["ready        yes", "1 ready", "on, for portal", env!("CARGO_PKG_VERSION")] {
        assert!(well.stdout.contains(said), "{said}: {well:?}");
    }
    let told = run(&daemon, &["status", "--json"]).await.json();
    assert_eq!((&told["ready"], &told["store"]), (&json!(true), &json!("writable")));
    assert_eq!((&told["relays"], &told["sessions"]["enabled"]), (&json!({ "ready": 1 }), &json!(true)));
    assert_eq!(told["webhooks"], json!({ "enabled": false, "waiting": 0, "failed": 0 }));

    let offline = Daemon::offline().start().await;
    let unready = run(&offline, &["status", "--json"]).await;
    let told: Value = serde_json::from_str(&unready.stdout).unwrap();
    assert_eq!((unready.code, &told["ready"]), (1, &json!(false)));
    assert!(told["reason"].as_str().unwrap().contains("relay"), "{told}");
    assert_eq!(told["sessions"], json!({ "enabled": false }));
    let people = run(&offline, &["status"]).await;
    assert!(people.code == 1 && people.stdout.contains("ready        no: "), "{people:?}");

    assert!(daemon.terminate().await.success());
    let gone = run(&daemon, &["status"]).await;
    assert!(
        gone.code == 69
            && gone.stdout.is_empty()
            && gone.stderr.contains("no daemon answers at ")
            && gone.stderr.contains("PORTICO_CONFIG")
            && !gone.stderr.contains("os error"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn info_says_who_the_service_is() {
    let daemon = Daemon::offline().start().await;
    let us = daemon.public_key().await;
    let npub = PublicKey::parse(&us).unwrap().to_bech32().unwrap();
    let told = run(&daemon, &["info", "--json"]).await.json();
    assert_eq!((&told["public_key"], &told["npub"]), (&json!(us), &json!(npub)));
    assert_eq!(told["socket"], daemon.socket().display().to_string());
    assert_eq!((&told["version"], &told["nip05_names"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(["_"])));
    let people = run(&daemon, &["info"]).await;
    assert!(people.code == 0 && people.stdout.contains(&npub), "{people:?}");
}

#[tokio::test]
async fn issue_makes_each_kind_of_token_and_revoke_takes_each_of_them_back() {
    let daemon = issuing("").start().await;
    let us = daemon.public_key().await;
    let user = Keys::generate().public_key().to_hex();
    let portal = run(&daemon, &["issue", "--hours", "2", &user]).await.stdout.trim().to_owned();
    let lifetime =
        |token: &str| claims(token)["exp"].as_u64().unwrap() - claims(token)["iat"].as_u64().unwrap();
    assert_eq!((&claims(&portal)["target_key"], lifetime(&portal)), (&json!(user), 2 * 3600));
    let args =
        ["issue", "--format", "jwt", "--audience", "https://b.example", "--scope", "read write", "--json"];
    let jwt =
        run(&daemon, &[&args[..], &[&user]].concat()).await.json()["token"].as_str().unwrap().to_owned();
    let said = claims(&jwt);
    assert_eq!((&said["aud"], &said["scope"]), (&json!("https://b.example"), &json!("read write")));
    assert_eq!((&said["sub"], lifetime(&jwt)), (&json!(user), 24 * 3600));
    let address = key(0x22).address().to_string();
    let thirdweb = run(&daemon, &["issue", "--format", "thirdweb", &address]).await.stdout.trim().to_owned();
    assert_eq!((&claims(&thirdweb)["sub"], lifetime(&thirdweb)), (&json!(address), 3 * 24 * 3600));
    let wrong = run(&daemon, &["issue", "--scope", "read", &user]).await;
    assert!(wrong.code == 64 && wrong.stderr.contains("scope"), "{wrong:?}");

    for token in [&portal, &jwt, &thirdweb] {
        let revoked = run(&daemon, &["revoke", token]).await;
        assert_eq!((revoked.code, revoked.stdout.trim()), (0, "revoked"), "{revoked:?}");
        let again = run(&daemon, &["revoke", "--json", token]).await.json();
        assert_eq!(again, json!({ "revoked": true, "already_revoked": true }));
    }
    let answer = daemon.rest().verify(&us, &portal).await;
    assert_eq!(answer.refusal().1, "token_revoked");
    let nonsense = run(&daemon, &["revoke", "nonsense"]).await;
    assert!(nonsense.code == 1 && nonsense.stderr.contains("malformed_token"), "{nonsense:?}");
}

#[tokio::test]
async fn a_token_to_be_revoked_is_read_from_standard_input_where_nobody_else_sees_it() {
    let daemon = Daemon::offline().start().await;
    let ask = json!({ "target_key": Keys::generate().public_key(), "duration_hours": 1 });
    let token = daemon.rest().post("/jwt/issue", ask).await.data()["token"].as_str().unwrap().to_owned();
    let mut child = at(&daemon, &["revoke"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{token}\n").as_bytes()).await.unwrap();
    drop(stdin);
    let output = soon("its end", child.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer = daemon.rest().verify(daemon.public_key().await, &token).await;
    assert_eq!(answer.refusal().1, "token_revoked");
}
