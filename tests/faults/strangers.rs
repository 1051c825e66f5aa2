//! What strangers publish through an honest relay, and what their own relays send: neither costs anybody a
//! login, nor the daemon its memory, nor the relay its good name.

use nostr_sdk::{Event, EventBuilder, JsonUtil, Keys, PublicKey, Tag};
use portico::protocol::{KeyHandshake, Sealer, kind};
use rand::rngs::OsRng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::{now, soon};

/// The daemon's subscription.
const OURS: &str = "portico";

/// More than a hostile relay may lie.
const MANY: usize = 1200;

fn frame(event: &Value) -> String {
    json!(["EVENT", OURS, event]).to_string()
}

/// A genuine scan that its author wrote with these tags, and with their own key like this.
fn odd_scan(author: &Keys, key: &str, tags: &Value, n: usize) -> Value {
    let (made_at, kind) = (now(), kind::KEY_HANDSHAKE.as_u16());
    let content = n.to_string();
    let text = json!([0, key, made_at, kind, tags, content]).to_string();
    let id: [u8; 32] = Sha256::digest(text).into();
    let sig = author.sign_schnorr(&secp256k1::Message::from_digest(id)).to_string();
    json!({ "id": hex::encode(id), "pubkey": key, "created_at": made_at, "kind": kind, "tags": tags,
            "content": content, "sig": sig })
}

/// Genuine scans, by these authors in turn, of a URL that nobody has opened.
fn scans(authors: &[Keys], service: &PublicKey, count: usize) -> Vec<String> {
    let scan = KeyHandshake { token: "nobody".into(), client_info: None, preferred_relays: vec![] };
    let text = serde_json::to_string(&scan).unwrap();
    let sealed: Vec<_> = authors
        .iter()
        .map(|keys| Sealer::new(keys.clone(), 1).seal_text(&mut OsRng, service, &text).unwrap())
        .collect();
    let scan = |n: usize| -> Event {
        let tags = [Tag::public_key(*service), Tag::parse(["n", &n.to_string()]).unwrap()];
        let event = EventBuilder::new(kind::KEY_HANDSHAKE, &sealed[n % sealed.len()]).tags(tags);
        event.sign_with_keys(&authors[n % authors.len()]).unwrap()
    };
    (0..count).map(|n| format!("[\"EVENT\",\"{OURS}\",{}]", scan(n).as_json())).collect()
}

/// A daemon, what it is known by, and a URL on a wall, so that scans of strangers pass the first look.
async fn daemon_on(relays: &[&TestRelay]) -> (Daemon, PublicKey) {
    let daemon = Daemon::start(relays).await;
    let service = PublicKey::parse(&daemon.public_key().await).unwrap();
    daemon.rest().login(json!({ "static_token": "wall" })).await;
    (daemon, service)
}

async fn of(daemon: &Daemon, relay: &TestRelay) -> Value {
    let mut relays = daemon.rest().get("/relays").await.data();
    let relays = relays["relays"].as_array_mut().unwrap();
    let url = relay.url().to_string();
    relays.iter_mut().find(|one| one["relay"] == url).unwrap().take()
}

/// A login over this relay by a wallet that says everything once.
async fn somebody_logs_in(daemon: &Daemon, relay: &TestRelay) {
    let mut phone = Phone::new();
    phone.connect(&relay.url()).await;
    let (url, stream) = daemon.rest().login(json!({})).await;
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    phone.approve(&asked).await;
    let events = daemon.ended(&stream).await;
    assert_eq!(events[1]["status"]["status"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_odd_but_genuine_events_cannot_have_the_honest_relay_that_passes_them_on_left_alone() {
    let author = Keys::generate();
    let key = author.public_key().to_hex();
    /// The tags of an event to this key.
    type Tags = fn(&str) -> Value;

    let shapes: [(&str, Tags); 6] = [
        ("an empty tag", |us| json!([["p", us], []])),
        ("an empty tag first", |us| json!([[], ["p", us]])),
        ("a key in upper case", |us| json!([["p", us.to_uppercase()]])),
        ("more elements", |us| json!([["p", us, "wss://x", "y", "", "z"], ["p"], [""]])),
        ("many tags", |us| [vec![json!(["p", us])], vec![json!([]); 2000]].concat().into()),
        ("no text", |us| json!([["p", us], ["n", 5, null]])),
    ];
    for (what, tags) in shapes {
        let (honest, other) = (TestRelay::start().await, TestRelay::start().await);
        let (daemon, service) = daemon_on(&[&honest, &other]).await;
        let tags = tags(&service.to_hex());
        for n in 0..MANY {
            honest.inject(&frame(&odd_scan(&author, &key, &tags, n)));
        }
        somebody_logs_in(&daemon, &honest).await;
        let relay = of(&daemon, &honest).await;
        assert_eq!((&relay["state"], &relay["forged"]), (&json!("ready"), &json!(0)), "{what}");
        assert!(relay["received"].as_u64() >= Some(MANY as u64), "{what}: {relay}");
        assert!(!daemon.log().contains("disconnected for a while"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_passes_on_what_is_too_long_for_any_message_is_not_left_alone_for_it() {
    let (honest, other) = (TestRelay::start().await, TestRelay::start().await);
    let (daemon, service) = daemon_on(&[&honest, &other]).await;
    let long = json!([["p", service], ["x", "y".repeat(126 << 10)]]);
    let author = Keys::generate();
    let event = frame(&odd_scan(&author, &author.public_key().to_hex(), &long, 0));
    for _ in 0..MANY {
        honest.inject(&event);
    }
    somebody_logs_in(&daemon, &honest).await;
    assert_eq!(of(&daemon, &honest).await["state"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_floods_the_only_relay_with_one_key_or_a_hundred_takes_no_login_from_anybody() {
    for authors in [1, 100] {
        let relay = TestRelay::start().await;
        let (daemon, service) = daemon_on(&[&relay]).await;
        let authors: Vec<_> = std::iter::repeat_with(Keys::generate).take(authors).collect();
        relay.flood(OURS, scans(&authors, &service, 4000));
        relay.until("a flood", |state| state.flooded > 8000).await;
        // It is sent once, and so is the answer: nothing of either may be lost.
        somebody_logs_in(&daemon, &relay).await;
        let relay = of(&daemon, &relay).await;
        assert_eq!((&relay["state"], &relay["forged"]), (&json!("ready"), &json!(0)), "it is honest");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_sends_binary_messages_stops_no_login_and_is_left_alone() {
    let (binary, quiet) = (TestRelay::start().await, TestRelay::start().await);
    let (daemon, _) = daemon_on(&[&binary, &quiet]).await;
    binary.flood_with(OURS, [Message::binary(vec![0; 1024])]);
    somebody_logs_in(&daemon, &quiet).await;
    daemon.until_logged("disconnected for a while").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_a_wallet_names_cannot_fill_the_memory_whatever_the_size_of_what_they_send() {
    for kib in [1, 30, 126] {
        let ours = TestRelay::start().await;
        let theirs = [TestRelay::start().await, TestRelay::start().await, TestRelay::start().await];
        let plan = Daemon::on(&[&ours]).with_env("PORTICO_RELAYS__ALLOW_PRIVATE", true);
        let daemon = plan.start_subscribed(&[&ours]).await;
        let service = PublicKey::parse(&daemon.public_key().await).unwrap();
        daemon.rest().login(json!({ "static_token": "wall" })).await;
        let before = resident_kib(&daemon);
        let frames: Vec<_> = (0..16).map(|_| well_formed(&service, kib)).collect();
        for relay in &theirs {
            relay.flood(OURS, frames.clone());
        }
        let mut phone = Phone::new();
        let (url, _) = daemon.rest().login(json!({})).await;
        let urls = theirs.each_ref().map(|relay| relay.url().to_string());
        phone.scan_preferring(&url, &urls.each_ref().map(String::as_str)).await;
        for relay in &theirs {
            relay.until("a flood", |state| state.flooded >= 64).await;
        }
        for _ in 0..3 {
            somebody_logs_in(&daemon, &ours).await;
        }
        let more = resident_kib(&daemon).saturating_sub(before) / 1024;
        assert!(more < 64, "{more} MiB more, by frames of {kib} KiB");
    }
}

/// A header announces a long message, and half of it arrives.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_on_tcp_cannot_fill_the_memory_with_messages_before_auth() {
    /// As many as there is room for.
    const MANY: usize = 250;

    let daemon = Daemon::offline().with_tcp().start().await;
    let address = daemon.address();
    let before = resident_kib(&daemon);
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let half = [&[0x01, 0xfe, 0xff, 0xff, 1, 2, 3, 4][..], &[b'z'; 40_000]].concat();
    let mut streams = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        stream.write_all(&half).await.unwrap();
        streams.push(stream);
    }
    // Each of them is sent away, with a close frame (1009) before its end.
    for mut stream in streams {
        let mut rest = Vec::new();
        soon("the end of a stranger", async {
            while stream.read_buf(&mut rest).await.is_ok_and(|read| read > 0) {}
        })
        .await;
        assert!(rest.windows(4).any(|part| part[0] == 0x88 && part[2..] == 1009_u16.to_be_bytes()));
    }
    let more = resident_kib(&daemon).saturating_sub(before) / 1024;
    assert!(more < 16, "{more} MiB more");
    let refused = daemon.metric("portico_limit_reached_total{limit=\"message_size\"}").await;
    assert_eq!(refused, MANY as f64);
}

/// An event that looks like a scan, of this length.
fn well_formed(service: &PublicKey, kib: usize) -> String {
    let random = || hex::encode(rand::random::<[u8; 32]>());
    let event = json!({ "id": random(), "pubkey": Keys::generate().public_key(), "created_at": now(),
        "kind": kind::KEY_HANDSHAKE, "tags": [["p", service]], "content": "A".repeat(kib * 1024 - 400),
        "sig": random() + &random() });
    frame(&event)
}

/// The most memory that the daemon has ever had.
fn resident_kib(daemon: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
