//! Sequences of calls that the clients and wallets of the reference daemon make, call by call as they make them.

mod polling;
mod static_tokens;
mod tokens;
mod websocket;

use serde_json::{Value, json};

use crate::support::daemon::Daemon;

/// The fields that stand in the envelope and beside it.
fn both_at_once(answer: &Value, fields: &[&str]) {
    assert_eq!(answer["success"], true);
    for field in fields {
        assert!(!answer[field].is_null(), "no {field} beside the envelope: {answer}");
        assert_eq!(answer[field], answer["data"][field]);
    }
}

#[tokio::test]
async fn the_version_is_read_in_the_envelope_and_beside_it() {
    let daemon = Daemon::on(&[]).with_tcp().start().await;
    for rest in [daemon.rest(), daemon.rest_over_tcp().without("authorization")] {
        let answer = rest.get("/version").await.json();
        both_at_once(&answer, &["version", "git_commit"]);
        assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn the_names_are_read_in_the_envelope_and_beside_it_and_bare_where_nip_05_has_them() {
    let daemon = Daemon::offline().with_config("[service]\nnip05_names = [\"_\", \"bob\"]\n").with_tcp();
    let daemon = daemon.start().await;
    let us = daemon.public_key().await;
    for rest in [daemon.rest(), daemon.rest_over_tcp().without("authorization")] {
        let answer = rest.get("/well-known/nostr.json").await.json();
        both_at_once(&answer, &["names", "relays"]);
        assert_eq!(answer["names"], json!({ "_": us, "bob": us }));
        let one = rest.get("/well-known/nostr.json?name=bob").await.json();
        both_at_once(&one, &["names", "relays"]);
        assert_eq!(one["names"], json!({ "bob": us }));
        let bare = rest.get("/.well-known/nostr.json").await.json();
        assert_eq!((&bare["names"], bare.get("success")), (&answer["names"], None));
    }
}
