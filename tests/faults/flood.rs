//! A relay that sends whatever it likes, as fast as it is taken, stops no login: not over another relay, and
//! not over itself where what it sends is not its own doing.

use std::time::Duration;

use nostr_sdk::{Event, EventBuilder, JsonUtil, Keys, Kind, PublicKey, Tag};
use portico::protocol::kind;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::soon;

/// The daemon's subscription.
const OURS: &str = "portico";

/// So many frames of a flood are what the tests wait for.
const MANY: u64 = 20_000;

/// Different frames in a flood; it goes round.
const DIFFERENT: usize = 256;

fn frame(event: &Event) -> String {
    format!("[\"EVENT\",\"{OURS}\",{}]", event.as_json())
}

fn event(author: &Keys, kind: Kind, to: &PublicKey, n: usize) -> Event {
    let builder = EventBuilder::new(kind, n.to_string()).tag(Tag::public_key(*to));
    builder.sign_with_keys(author).unwrap()
}

/// Answers that this author never gave.
fn forgeries(author: &Keys, to: &PublicKey) -> Vec<String> {
    let forge = |n| {
        let mut event = event(author, kind::AUTH_RESPONSE, to, n);
        event.content = "forged".to_owned();
        frame(&event)
    };
    (0..DIFFERENT).map(forge).collect()
}

/// The result of `future`, while the relay gets this event again and again.
async fn repeating<T>(relay: &TestRelay, event: &Event, future: impl Future<Output = T>) -> T {
    let repeat = async {
        let mut often = tokio::time::interval(Duration::from_millis(50));
        loop {
            often.tick().await;
            relay.publish(event);
        }
    };
    tokio::select! {
        done = future => done,
        () = repeat => unreachable!(),
    }
}

/// A daemon on a relay that is going to flood it and on one that is not. A wallet is waited for.
struct Scene {
    flooding: TestRelay,
    quiet: TestRelay,
    daemon: Daemon,
    waited_for: Phone,
    service: PublicKey,
}

impl Scene {
    async fn set() -> Self {
        let (flooding, quiet) = (TestRelay::start().await, TestRelay::start().await);
        let daemon = Daemon::start(&[&flooding, &quiet]).await;
        let service = PublicKey::parse(&daemon.public_key().await).unwrap();
        let waited_for = Phone::new();
        daemon.rest().authenticate(waited_for.key()).await;
        // So that scans of strangers pass the first look.
        daemon.rest().login(json!({ "static_token": "wall" })).await;
        Self { flooding, quiet, daemon, waited_for, service }
    }

    async fn flood(&self, frames: impl IntoIterator<Item = String>) {
        self.flooding.flood(OURS, frames);
        self.flooding.until("a flood", |state| state.flooded > MANY).await;
    }

    async fn of(&self, relay: &TestRelay) -> Value {
        let mut relays = self.daemon.rest().get("/relays").await.data();
        let relays = relays["relays"].as_array_mut().unwrap();
        relays.iter_mut().find(|one| one["relay"] == relay.url().to_string()).unwrap().take()
    }

    /// A login over the other relay, while the flood goes on.
    async fn somebody_logs_in(&self) {
        let mut phone = Phone::new();
        phone.connect(&self.quiet.url()).await;
        let (url, stream) = self.daemon.rest().login(json!({})).await;
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        let events = self.daemon.ended(&stream).await;
        assert_eq!(events[1]["status"]["status"], "approved");
    }

    /// A login over the relay that floods. It may lose what a wallet sends, so that is sent until it arrives.
    async fn somebody_logs_in_in_the_flood(&self) {
        let mut phone = Phone::new();
        phone.connect(&self.flooding.url()).await;
        let (url, stream) = self.daemon.rest().login(json!({})).await;
        let scan = phone.scan(&url).await;
        let asked = repeating(&self.flooding, &scan, phone.challenge()).await;
        let approval = phone.approve(&asked).await;
        let events = repeating(&self.flooding, &approval, self.daemon.ended(&stream)).await;
        assert_eq!(events[1]["status"]["status"], "approved");
    }

    /// The daemon hangs up on the relay and says so.
    async fn relay_is_left_alone(&self) {
        self.daemon.until_logged("disconnected for a while").await;
        let relay = self.of(&self.flooding).await;
        assert_eq!(relay["state"], "paused", "{relay}");
        assert!(relay["last_error"].as_str().unwrap().contains("forged"), "{relay}");
        self.flooding.until_subscribed(0).await;
        assert_eq!(self.of(&self.quiet).await["state"], "ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_forges_what_is_waited_for_stops_no_login_and_is_left_alone() {
    let scene = Scene::set().await;
    scene.flooding.flood(OURS, forgeries(scene.waited_for.keys(), &scene.service));
    scene.somebody_logs_in().await;
    scene.relay_is_left_alone().await;
    assert!(scene.of(&scene.flooding).await["forged"].as_u64() >= Some(1000));
    scene.somebody_logs_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_sends_what_nobody_subscribed_to_stops_no_login_and_is_left_alone() {
    let scene = Scene::set().await;
    let author = Keys::generate();
    let unrelated = (0..DIFFERENT).map(|n| frame(&event(&author, Kind::TextNote, &scene.service, n)));
    let unrelated: Vec<_> = unrelated.collect();
    scene.flooding.flood(OURS, unrelated);
    scene.somebody_logs_in().await;
    scene.relay_is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_sends_garbage_stops_no_login_and_is_left_alone() {
    let scene = Scene::set().await;
    let garbage = [
        "garbage".to_owned(),
        format!("[\"EVENT\",\"{OURS}\",{{}}]"),
        "[\"EVENT\",\"another\",{}]".to_owned(),
        format!("[\"NOTICE\",\"{}\"]", "x".repeat(10_000)),
    ];
    scene.flooding.flood(OURS, garbage);
    scene.somebody_logs_in().await;
    scene.relay_is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_stops_no_login_not_even_over_the_relay_that_passes_it_on() {
    let scene = Scene::set().await;
    let strangers: Vec<_> = std::iter::repeat_with(Keys::generate).take(DIFFERENT).collect();
    let answers = strangers.iter().map(|keys| event(keys, kind::AUTH_RESPONSE, &scene.service, 0));
    let scans = strangers.iter().map(|keys| event(keys, kind::KEY_HANDSHAKE, &scene.service, 0));
    let events: Vec<_> = answers.chain(scans).map(|event| frame(&event)).collect();
    scene.flood(events).await;
    scene.somebody_logs_in().await;
    scene.somebody_logs_in_in_the_flood().await;
    let relay = scene.of(&scene.flooding).await;
    assert_eq!((&relay["state"], &relay["forged"]), (&json!("ready"), &json!(0)), "it is honest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_true_events_that_were_there_before_stops_no_login() {
    let mut scene = Scene::set().await;
    scene.waited_for.connect(&scene.quiet.url()).await;
    let asked = scene.waited_for.challenge().await;
    let answer = scene.waited_for.decline(&asked, None).await;
    let author = scene.waited_for.keys().clone();
    scene.daemon.rest().authenticate(author.public_key()).await;
    scene.flood([frame(&answer)]).await;
    scene.somebody_logs_in().await;
    scene.somebody_logs_in_in_the_flood().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_words_about_nothing_stops_no_login() {
    let scene = Scene::set().await;
    let unknown = "00".repeat(32);
    scene
        .flood([
            "[\"NOTICE\",\"slow down\"]".to_owned(),
            format!("[\"OK\",\"{unknown}\",true,\"\"]"),
            format!("[\"OK\",\"{unknown}\",false,\"invalid: ephemeral event expired\"]"),
            format!("[\"EOSE\",\"{OURS}\"]"),
            format!("[\"CLOSED\",\"{OURS}\",\"error: no\"]"),
        ])
        .await;
    scene.somebody_logs_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_sends_messages_too_large_to_take_stops_no_login() {
    let scene = Scene::set().await;
    scene.flooding.flood(OURS, [format!("[\"NOTICE\",\"{}\"]", "x".repeat(2 << 20))]);
    // It is hung up on, and sends the same again when it is connected to again.
    scene.flooding.until("another connection", |state| state.connections_seen > 1).await;
    scene.somebody_logs_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_hang_up_at_once_or_never_say_a_word_stop_no_login() {
    let (dropping, stalling) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let added = [&dropping, &stalling].map(|listener| format!("ws://{}", listener.local_addr().unwrap()));
    let (count, mut dropped) = watch::channel(0);
    tokio::spawn(async move {
        while dropping.accept().await.is_ok() {
            count.send_modify(|count| *count += 1);
        }
    });
    let scene = Scene::set().await;
    for relay in added {
        scene.daemon.rest().post("/relays", json!({ "relay": relay })).await.data();
    }
    let (_stalled, _) = soon("the daemon to try", stalling.accept()).await.unwrap();
    soon("the daemon to try again", dropped.wait_for(|count| *count > 1)).await.unwrap();
    scene.somebody_logs_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_for_a_signature_all_the_time_stops_no_login_and_is_left_alone() {
    let scene = Scene::set().await;
    scene.flooding.flood(OURS, ["[\"AUTH\",\"who are you?\"]".to_owned()]);
    scene.somebody_logs_in().await;
    scene.relay_is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_relay_is_kept_even_where_it_forges() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::start(&[&relay]).await;
    let service = PublicKey::parse(&daemon.public_key().await).unwrap();
    let waited_for = Keys::generate();
    daemon.rest().authenticate(waited_for.public_key()).await;
    relay.flood(OURS, forgeries(&waited_for, &service));
    daemon.until_logged("the only relay is hostile").await;
    relay.flood(OURS, []);
    let (url, stream) = daemon.rest().login(json!({})).await;
    let mut phone = Phone::new();
    let scan = phone.scan(&url).await;
    let asked = repeating(&relay, &scan, phone.challenge()).await;
    let approval = phone.approve(&asked).await;
    assert_eq!(repeating(&relay, &approval, daemon.ended(&stream)).await.len(), 2);
    assert_eq!(relay.state().connections_seen, 2, "the daemon's and the phone's");
}
