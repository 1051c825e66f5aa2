//! Wallets that take the token as it stands in the URL, as Portal's do, and wallets that decode it.

use portico::protocol::decode_token;
use serde_json::json;

use crate::login::types;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

/// The token as Portal's wallet reads it: whatever stands between `token=` and the next `&`, without blanks around
/// the URL.
fn as_it_stands(url: &str) -> String {
    let (_, query) = url.trim().split_once('?').unwrap();
    let mut parameters = query.split('&').map(|parameter| parameter.split_once('=').expect("a value"));
    parameters.find(|(name, _)| *name == "token").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_scan_counts_whether_the_wallet_decodes_the_token_or_not() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    for (token, is_written_raw) in [
        ("table/14", true),
        (":@+=,()!*'#", true),
        ("à la carte?", false),
        ("100%", true),
        ("50%25", false),
        ("R&D ", false),
        ("%2Froom%20", false),
    ] {
        let (url, stream) = daemon.rest().key_handshake(json!({ "static_token": token })).await;
        let raw = as_it_stands(&url);
        assert_eq!(raw == token, is_written_raw, "{url}");
        phone.scan_as(&url, &raw).await;
        phone.scan_as(&url, &decode_token(&raw)).await;
        let all: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        phone.scan_as(&url, &all).await;
        assert_eq!(types(&daemon.events(&stream, 3).await), ["key_handshake"; 3], "{token}");
    }
}

#[tokio::test]
async fn a_login_url_with_a_slash_leads_portals_wallet_to_its_challenge() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({ "static_token": "table/14" })).await;
    for (sent, told) in [(as_it_stands(&url), 2), ("table%2F14".to_owned(), 4)] {
        let mut phone = Phone::new();
        phone.scan_as(&url, &sent).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        let events = daemon.events(&stream, told).await;
        assert_eq!(types(&events)[told - 2..], ["key_handshake", "authenticate_key"]);
    }
}

#[tokio::test]
async fn a_scan_never_reaches_the_stream_of_a_token_that_only_reads_alike() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let open = async |token: &str| daemon.rest().key_handshake(json!({ "static_token": token })).await;
    let (plain, encoded) = (open("a/b").await, open("a%2Fb").await);
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    for (url, stream) in [&plain, &encoded] {
        let raw = as_it_stands(url);
        phone.scan_as(url, &raw).await;
        phone.scan_as(url, &decode_token(&raw)).await;
        daemon.events(stream, 2).await;
    }
    for (_, stream) in [&plain, &encoded] {
        assert_eq!(daemon.rest().events(stream).await.len(), 2);
    }

    // What stands for the one in a URL is the other: nobody could tell a scan of the one from one of the other.
    open("a b").await;
    for (path, token) in [("/key-handshake", "a%20b"), ("/login", "a%20b")] {
        let answer = daemon.rest().post(path, json!({ "static_token": token })).await;
        assert_eq!(answer.refusal(), refused(409, "conflict"));
    }
}
