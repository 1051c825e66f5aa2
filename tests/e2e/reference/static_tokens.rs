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
async fn a_token_is_not_opened_beside_another_spelling_of_it_and_a_scan_of_either_counts() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    for (token, other) in [("a/b", "a%2Fb"), ("c%20d", "c d"), ("à", "%C3%A0"), ("A", "%41"), ("e+f", "e f")]
    {
        let (url, stream) = daemon.rest().key_handshake(json!({ "static_token": token })).await;
        for path in ["/key-handshake", "/login"] {
            let answer = daemon.rest().post(path, json!({ "static_token": other })).await;
            assert_eq!(answer.refusal(), refused(409, "conflict"), "{token} {other}");
        }
        let raw = as_it_stands(&url);
        let as_a_form = decode_token(&raw.replace('+', " ")).into_owned();
        for sent in [&raw, &*decode_token(&raw), &as_a_form, other] {
            phone.scan_as(&url, sent).await;
        }
        assert_eq!(types(&daemon.events(&stream, 4).await), ["key_handshake"; 4], "{token}");
    }
}
