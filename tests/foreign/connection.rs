//! Clients that name the headers of the app in `Connection`, by which a proxy takes them out of the request.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::app::App;
use crate::gateways::Gateway;
use crate::guarding::named;
use crate::paths::tokens_of;
use crate::site::Site;
use crate::support::beginning::Member;

for_every_gateway! { a_client_takes_none_of_what_the_app_hears_of_its_user_out_of_the_request }

/// Header lines with which a client tries to hide from the app who it is, or its roles.
const LINES: [&str; 8] = [
    "Connection: close, X-Auth-User, X-Auth-Roles",
    "Connection: x-auth-user,x-auth-wallet,x-auth-provider,x-auth-permissions,x-auth-session\r\nConnection: close",
    "Connection: close\r\nConnection: X-Auth-Roles",
    "Connection: close, Upgrade, X-Auth-User\r\nUpgrade: x",
    "Connection: close, Upgrade, X-Auth-User\r\nUpgrade: h2c",
    "Connection: close, X-Auth-User\r\nUpgrade: websocket-x",
    "Connection: close, X-Auth-User\r\nKeep-Alive: X-Auth-User",
    "Connection: close, TE, X-Auth-User\r\nTE: trailers, X-Auth-User",
];

/// A request with these lines; what the answer says before its body, and the page.
fn ask(site: &Site, lines: &str) -> (String, Value) {
    let mut stream = UnixStream::connect(site.socket()).unwrap();
    write!(stream, "GET /notes HTTP/1.1\r\nHost: app.example\r\n{lines}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{lines}: {answer}"));
    let page = body.find('{').zip(body.rfind('}')).map(|(from, to)| &body[from..=to]);
    let page = page.and_then(|page| serde_json::from_str(page).ok()).unwrap_or_default();
    (head.to_owned(), page)
}

/// Panics unless the app knows the user, and no header that the client named was removed.
fn hears(page: &Value, member: &Member, lines: &str) {
    for (name, value) in named(member, "editor") {
        assert_eq!(page["headers"][&name], json!(value), "{lines}: {page}");
    }
    let connection = page["headers"]["connection"].as_str().unwrap_or_default().to_ascii_lowercase();
    assert!(!connection.contains("x-auth"), "{lines}: {connection}");
}

async fn a_client_takes_none_of_what_the_app_hears_of_its_user_out_of_the_request(gateway: Gateway) {
    let site = Site::of(gateway, App::Express).await;
    let member = Member::of(&site.daemon).await;
    let user = format!("/users/{}", member.id());
    site.daemon.rest().patch(&user, json!({ "roles": ["editor"] })).await.data();
    let tokens = tokens_of(&member);
    tokio::task::spawn_blocking(move || {
        for lines in LINES {
            let (head, page) = ask(&site, &format!("{tokens}{lines}"));
            assert!(head.starts_with("HTTP/1.1 200 "), "{lines}: {head}");
            hears(&page, &member, lines);
        }
        // nginx changes to WebSocket only where the operator's file says so, and deploy/nginx.conf does not.
        if gateway == Gateway::Nginx {
            return;
        }
        for lines in [
            "Connection: Upgrade\r\nUpgrade: websocket",
            "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket",
            "Connection: Upgrade, X-Auth-User, X-Auth-Roles\r\nUpgrade: websocket",
        ] {
            let handshake = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
            let (head, page) = ask(&site, &format!("{tokens}{lines}\r\n{handshake}"));
            assert!(head.starts_with("HTTP/1.1 101 "), "{lines}: {head}");
            hears(&page, &member, lines);
        }
    })
    .await
    .unwrap();
}
