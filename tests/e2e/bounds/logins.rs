//! Bounds of what is open, and of what strangers can take from others.

use futures_util::future::join_all;
use nostr_sdk::Keys;
use serde_json::json;

use super::{assert_told_to_wait, reached};
use crate::support::daemon::Daemon;
use crate::support::now;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;
use crate::support::soon;
use crate::wallets::thirdweb::{issuing, key, signature};

#[tokio::test]
async fn callers_who_open_too_much_wait_for_the_next_deadline_and_what_is_open_goes_on() {
    let relay = TestRelay::start().await;
    let config = "[auth]\nmax_open = 2\nhandshake_ttl = \"90s\"\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    daemon.rest().key_handshake(json!({})).await;
    for path in ["/login", "/key-handshake"] {
        assert_told_to_wait(&daemon.rest().post(path, json!({})).await, 90);
    }
    let asked = daemon.rest().post("/authenticate-key", json!({ "main_key": Phone::new().key() })).await;
    assert_told_to_wait(&asked, 90);
    let mut socket = daemon.websocket().await;
    assert_eq!(socket.command("NewKeyHandshakeUrl", json!({})).await["code"], "limit_reached");
    assert_eq!(reached(&daemon, "open_requests").await, 4.0);

    // What was let in is not refused half-way.
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    assert_eq!(daemon.ended(&stream).await[1]["status"]["status"], "approved");
    daemon.rest().login(json!({})).await;
}

#[tokio::test]
async fn prompt_bombing_is_counted() {
    let relay = TestRelay::start().await;
    for (config, limit) in
        [("max_open_per_user = 1", "open_per_user"), ("max_prompts_per_user = 1", "prompts_per_user")]
    {
        let config = format!("[auth]\n{config}\n");
        let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
        let who = json!({ "main_key": Phone::new().key() });
        daemon.rest().post("/authenticate-key", who.clone()).await.data();
        assert_told_to_wait(&daemon.rest().post("/authenticate-key", who).await, 600);
        assert_eq!(reached(&daemon, limit).await, 1.0, "{limit}");
    }
}

#[tokio::test]
async fn strangers_who_flood_a_url_on_the_wall_take_no_room_from_other_urls() {
    let relay = TestRelay::start().await;
    let config = "[auth]\nmax_open = 8\nmax_scans_per_url = 3\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (wall, stream) = daemon.rest().login(json!({ "static_token": "on the wall" })).await;
    let (watched, scans) = daemon.rest().key_handshake(json!({ "static_token": "watched" })).await;
    let (mut strangers, mut asked) = (Vec::new(), Vec::new());
    for n in 1..=6 {
        let mut stranger = Phone::new();
        stranger.scan(&wall).await;
        stranger.scan(&watched).await;
        if n <= 3 {
            asked.push(stranger.challenge().await);
            daemon.events(&scans, n).await;
        }
        strangers.push(stranger);
    }
    // A login on a URL of its own goes through, behind all of them.
    let (url, own) = daemon.rest().login(json!({})).await;
    let mut user = Phone::new();
    user.scan(&url).await;
    let own_asked = user.challenge().await;
    user.approve(&own_asked).await;
    assert_eq!(daemon.ended(&own).await[1]["status"]["status"], "approved");
    let all_dropped = async { while reached(&daemon, "scans_per_url").await < 6.0 {} };
    soon("all other scans to be dropped", all_dropped).await;
    assert_eq!(reached(&daemon, "open_requests").await, 0.0);
    assert_eq!(daemon.rest().events(&stream).await.len(), 3, "nor do they fill the history");
    assert_eq!(daemon.rest().events(&scans).await.len(), 3);
    assert_eq!(daemon.metric("portico_scans_total{result=\"too_many\"}").await, 6.0);
    assert!(strangers[3..].iter_mut().all(|stranger| stranger.new_messages() == 0));

    // Those who were let in are served.
    strangers[0].decline(&asked[0], None).await;
    assert_eq!(daemon.events(&stream, 4).await[3]["user_key"], strangers[0].key().to_hex());
}

#[tokio::test]
async fn a_wallet_that_scans_a_url_on_the_wall_again_and_again_does_not_close_it_for_others() {
    let relay = TestRelay::start().await;
    let config = "[auth]\nmax_prompts_per_user = 3\nmax_scans_per_url = 5\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (wall, stream) = daemon.rest().key_handshake(json!({ "static_token": "on the wall" })).await;
    let mut stranger = Phone::new();
    for _ in 0..7 {
        stranger.scan(&wall).await;
    }
    let all_dropped = async { while reached(&daemon, "prompts_per_user").await < 4.0 {} };
    soon("the scans beyond the third to be dropped", all_dropped).await;
    let mut user = Phone::new();
    user.scan(&wall).await;
    assert_eq!(daemon.events(&stream, 4).await[3]["main_key"], user.key().to_hex());
}

#[tokio::test]
async fn opening_one_static_token_again_and_again_cancels_the_oldest_stream() {
    let config = "[auth]\nmax_streams_per_token = 2\n";
    let daemon = Daemon::offline().with_config(config).start().await;
    let open = || async { daemon.rest().key_handshake(json!({ "static_token": "again" })).await.1 };
    let (first, second, _third) = (open().await, open().await, open().await);
    assert_eq!(daemon.ended(&first).await[0]["code"], "cancelled");
    assert!(daemon.rest().events(&second).await.is_empty());
    assert_eq!(reached(&daemon, "streams_per_token").await, 1.0);
}

#[tokio::test]
async fn a_static_token_opened_again_takes_the_room_of_the_stream_that_it_cancels() {
    let config = "[auth]\nmax_streams_per_token = 2\nmax_open = 3\n";
    let daemon = Daemon::offline().with_config(config).start().await;
    let open = || async { daemon.rest().key_handshake(json!({ "static_token": "again" })).await.1 };
    let (first, second) = (open().await, open().await);
    let (_, login) = daemon.rest().login(json!({})).await;
    let third = open().await;
    assert_eq!(daemon.ended(&first).await[0]["code"], "cancelled");
    let answer = daemon.rest().post("/key-handshake", json!({ "static_token": "other" })).await;
    assert_eq!(answer.refusal(), refused(429, "limit_reached"));
    for still_open in [&second, &third, &login] {
        assert!(daemon.rest().events(still_open).await.is_empty());
    }
}

#[tokio::test]
async fn relays_beyond_the_bound_are_refused_until_one_is_removed() {
    let relay = TestRelay::start().await;
    let config = "[relays]\nmax_relays = 2\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start().await;
    let add = |n: u16| async move { json!({ "relay": format!("ws://127.0.0.1:{n}") }) };
    daemon.rest().post("/relays", add(1).await).await.data();
    let answer = daemon.rest().post("/relays", add(2).await).await;
    assert_eq!(answer.refusal(), refused(409, "limit_reached"));
    assert!(answer.header("retry-after").is_none(), "waiting does not help");
    assert_eq!(reached(&daemon, "relays").await, 1.0);
    daemon.rest().delete("/relays", add(1).await).await.data();
    daemon.rest().post("/relays", add(2).await).await.data();
}

#[tokio::test]
async fn relays_that_wallets_name_make_room_for_each_other() {
    let (relay, first, second) =
        (TestRelay::start().await, TestRelay::start().await, TestRelay::start().await);
    let config = "[relays]\nmax_preferred = 1\nallow_private = true\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    for preferred in [&first, &second] {
        let (url, _) = daemon.rest().login(json!({})).await;
        let mut phone = Phone::new();
        phone.scan_preferring(&url, &[preferred.url().as_str()]).await;
        phone.challenge().await;
        preferred.until_subscribed(1).await;
    }
    first.until_subscribed(0).await;
    assert_eq!(reached(&daemon, "preferred_relays").await, 1.0);
    let text = daemon.rest().get("/metrics").await.text;
    assert!(
        !text.contains(first.url().as_str()) && !text.contains(second.url().as_str()),
        "a stranger's label"
    );
    let ready = async { while daemon.metric("portico_relay_ready{relay=\"preferred\"}").await != 1.0 {} };
    soon("the second to be ready", ready).await;
}

#[tokio::test]
async fn a_relay_that_floods_us_fills_its_own_queue_and_the_login_over_another_goes_through() {
    let (relay, flooding) = (TestRelay::start().await, TestRelay::start().await);
    let config = "[relays]\nqueue_per_relay = 1\ninbox = 1\n";
    let both = [&relay, &flooding];
    let daemon = Daemon::on(&both).with_config(config).start_subscribed(&both).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    let service = daemon.public_key().await;
    let scanner = Keys::generate().public_key();
    for n in 0..5_000 {
        let forged = json!({
            "id": format!("{n:064x}"), "pubkey": scanner, "created_at": now(), "kind": 27010,
            "tags": [["p", service]], "content": "x", "sig": "0".repeat(128),
        });
        flooding.inject(&format!("[\"EVENT\",\"{{sub}}\",{{\"n\":{n}}}]"));
        flooding.inject(&format!("[\"EVENT\",\"{{sub}}\",{forged}]"));
    }
    let mut user = Phone::new();
    user.connect(&relay.url()).await;
    user.scan(&url).await;
    let asked = user.challenge().await;
    user.approve(&asked).await;
    daemon.ended(&stream).await;
    assert!(reached(&daemon, "queue_per_relay").await >= 1.0);
    let dropped = "portico_relay_dropped_frames_total{reason=\"queue_full\",relay=";
    let dropped = daemon.metric(&format!("{dropped}\"{}\"}}", flooding.url())).await;
    assert!(dropped >= 1.0);
}

#[tokio::test]
async fn genuine_messages_beyond_the_inbox_wait_and_none_is_lost() {
    let relay = TestRelay::start().await;
    let config = "[relays]\ninbox = 1\n[auth]\nmax_prompts_per_user = 200\n";
    let daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (url, stream) = daemon.rest().key_handshake(json!({ "static_token": "wall" })).await;
    // One after the other of each user, as what one user sends is handled in order.
    let mut users: Vec<Phone> = (0..20).map(|_| Phone::new()).collect();
    for _ in 0..10 {
        join_all(users.iter_mut().map(|user| user.scan(&url))).await;
    }
    assert_eq!(daemon.events(&stream, 200).await.len(), 200);
    assert!(reached(&daemon, "inbox").await >= 1.0);
}

#[tokio::test]
async fn payloads_beyond_the_bound_are_refused_until_one_is_signed() {
    let daemon = issuing("max_open_payloads = 1\n").start().await;
    let rest = daemon.rest();
    let user = key(0x22);
    let offer = async || rest.post("/thirdweb/payload", json!({ "address": user.address() })).await;
    let offered = offer().await.data();
    assert_told_to_wait(&offer().await, 600);
    assert_eq!(reached(&daemon, "open_payloads").await, 1.0);
    let signed = json!({ "payload": offered["payload"], "signature": signature(&user, &offered) });
    rest.post("/thirdweb/login", signed).await.data();
    offer().await.data();
}
