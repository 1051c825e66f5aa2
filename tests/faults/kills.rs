//! `kill -9` at random moments, with everything going on: nothing that was acknowledged is lost, and nothing
//! happens twice.
//!
//! `PORTICO_KILLS=200` kills it that often; `PORTICO_SEED` repeats the moments of another run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, events, outcomes};
use crate::receiver::{Came, Mood, Receiver, indexes};
use crate::support::PATIENCE;
use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest};

/// How long requests wait for their answer: what is lost with a daemon that was away ends by then.
const TTL: Duration = Duration::from_secs(3);

/// How many callers there are of each kind: see [`World::act`].
const CALLERS: [usize; 6] = [4, 4, 2, 1, 1, 1];

pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// What all callers share.
struct World {
    rest: Rest,
    relay: nostr_sdk::RelayUrl,
    ledger: Ledger,
    stop: CancellationToken,
}

impl World {
    /// A request to a daemon that is dead or alive. `None`: nobody knows what became of it.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Option<Answer> {
        let answer = self.rest.try_send(method, path, body.to_string()).await;
        if answer.is_err() {
            // It is down: the next one comes in a moment, and is asked then.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        answer.ok()
    }

    /// Opens something; its data and its stream.
    async fn open(&self, path: &str, body: Value) -> Option<(Value, String)> {
        let answer = self.ask(Method::POST, path, body).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        let data = answer.data();
        let stream = data["stream_id"].as_str().unwrap().to_owned();
        self.ledger.opened(&stream);
        Some((data, stream))
    }

    /// Follows a stream to its end, over as many daemons as it takes.
    async fn follow(&self, stream: &str) {
        let mut after = 0;
        loop {
            let path = format!("/events/{stream}?after={after}&wait=10");
            let Some(answer) = self.ask(Method::GET, &path, Value::Null).await else { continue };
            let page = answer.data();
            for event in page["events"].as_array().unwrap() {
                assert_eq!(event["index"], after + 1, "{stream}: no index is left out or comes twice");
                after += 1;
                self.ledger.saw(stream, event);
            }
            if page["ended"] == true {
                return;
            }
        }
    }

    /// A user who answers whatever comes in time.
    async fn answer(&self, phone: &mut Phone, approves: bool) {
        let Ok(asked) = tokio::time::timeout(TTL, phone.question()).await else { return };
        if approves {
            phone.approve(&asked).await;
        } else {
            phone.decline(&asked, None).await;
        }
    }

    async fn log_in(&self, approves: bool) {
        let Some((data, stream)) = self.open("/login", json!({})).await else { return };
        let mut phone = Phone::new();
        phone.connect(&self.relay).await;
        phone.scan(data["url"].as_str().unwrap()).await;
        tokio::join!(self.follow(&stream), self.answer(&mut phone, approves));
    }

    async fn authenticate(&self, approves: bool) {
        let mut phone = Phone::new();
        phone.connect(&self.relay).await;
        let body = json!({ "main_key": phone.key() });
        let Some((_, stream)) = self.open("/authenticate-key", body).await else { return };
        tokio::join!(self.follow(&stream), self.answer(&mut phone, approves));
    }

    /// A URL on the wall, which the same daemon after daemon must know.
    async fn scan_the_wall(&self) {
        let body = json!({ "static_token": "wall" });
        let Some(answer) = self.ask(Method::POST, "/login", body).await else { return };
        let data = answer.data();
        let stream = data["stream_id"].as_str().unwrap();
        if self.ledger.entries().endless.insert(stream.to_owned()) {
            self.ledger.opened(stream);
        }
        assert_eq!(self.ledger.entries().endless.len(), 1, "it is the same stream, whatever happens");
        let mut phone = Phone::new();
        phone.connect(&self.relay).await;
        phone.scan(data["url"].as_str().unwrap()).await;
        self.answer(&mut phone, true).await;
    }

    async fn take_back(&self) {
        let Some((_, stream)) = self.open("/key-handshake", json!({})).await else { return };
        let path = format!("/key-handshake/{stream}");
        if let Some(answer) = self.ask(Method::DELETE, &path, Value::Null).await
            && answer.status == 200
        {
            self.ledger.entries().cancelled.push(stream);
        }
    }

    async fn revoke(&self) {
        let user = nostr_sdk::Keys::generate().public_key();
        let body = json!({ "target_key": user, "duration_hours": 1 });
        let Some(issued) = self.ask(Method::POST, "/jwt/issue", body).await else { return };
        let token = issued.data()["token"].as_str().unwrap().to_owned();
        let Some(revoked) = self.ask(Method::POST, "/jwt/revoke", json!({ "token": token })).await else {
            return;
        };
        assert_eq!(revoked.data()["already_revoked"], false);
        self.ledger.entries().revoked.push(token);
    }

    /// Adds and removes relays that nobody is at.
    async fn change_relays(&self, n: usize) {
        let relay = format!("ws://127.0.0.1:9/{}", n % 8);
        let adds = (n / 8).is_multiple_of(2);
        let method = if adds { Method::POST } else { Method::DELETE };
        let before = self.ledger.entries().relays.remove(&relay);
        if let Some(answer) = self.ask(method, "/relays", json!({ "relay": relay })).await {
            // Whether it was there is unknown where an earlier answer was lost.
            if adds || answer.status != 404 || before.is_some_and(|(added, _)| added) {
                answer.data();
            }
            self.ledger.entries().relays.insert(relay, (adds, n));
        }
    }

    /// What one caller does, again and again.
    async fn act(self: Arc<Self>, kind: usize, caller: usize) {
        for n in caller.. {
            if self.stop.is_cancelled() {
                return;
            }
            match kind {
                0 => self.log_in(n % 4 != 0).await,
                1 => self.authenticate(n % 4 != 0).await,
                2 => self.scan_the_wall().await,
                3 => self.take_back().await,
                4 => self.revoke().await,
                // One caller alone: of two changes at a time nobody knows which came last.
                _ => self.change_relays(n).await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_random_moments_loses_nothing_that_was_acknowledged_and_repeats_nothing() {
    let (kills, seed) = (number("PORTICO_KILLS", 6), number("PORTICO_SEED", rand::random::<u32>().into()));
    eprintln!("PORTICO_KILLS={kills} PORTICO_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let (relay, receiver) = (TestRelay::start().await, Receiver::start(Mood::Takes).await);
    let auth = format!("[auth]\nhandshake_ttl = \"{0}s\"\nchallenge_ttl = \"{0}s\"\n", TTL.as_secs());
    let plan = Daemon::on(&[&relay]).with_config(&(auth + &receiver.config()));
    let mut daemon = plan.start_subscribed(&[&relay]).await;
    let service = daemon.public_key().await;
    let world = Arc::new(World {
        rest: daemon.rest(),
        relay: relay.url(),
        ledger: Ledger::default(),
        stop: CancellationToken::new(),
    });
    let mut callers = JoinSet::new();
    for (kind, caller) in
        CALLERS.iter().enumerate().flat_map(|(kind, count)| (0..*count).map(move |caller| (kind, caller)))
    {
        callers.spawn(Arc::clone(&world).act(kind, caller));
    }

    for killed in 0..kills {
        if killed > 0 && killed.is_multiple_of(20) {
            eprintln!("killed {killed} times");
        }
        // Paused time does not affect another process, and the test needs a random moment.
        tokio::time::sleep(Duration::from_millis(rng.gen_range(0..600))).await;
        daemon.kill_9().await;
        if rng.gen_bool(0.3) {
            // Once more while it takes up what was open.
            let mut early = daemon.command().spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(rng.gen_range(0..150))).await;
            early.start_kill().unwrap();
            early.wait().await.unwrap();
        }
        daemon = daemon.restart().await;
        world.ledger.is_kept(&daemon.rest(), &service, false).await;
        if let Some(ended) = callers.try_join_next() {
            ended.expect("no caller sees anything wrong");
        }
    }

    // On a busy machine no login may have gone through between the kills, and then little would be shown.
    tokio::time::timeout(PATIENCE, world.ledger.approval()).await.expect("logins go through");
    world.stop.cancel();
    let ending = async {
        while callers.join_next().await.transpose().expect("no caller sees anything wrong").is_some() {}
    };
    tokio::time::timeout(PATIENCE, ending).await.expect("every stream that is followed ends");
    world.ledger.is_kept(&daemon.rest(), &service, true).await;
    everything_ended_once(&world).await;
    everything_was_delivered(&world, &receiver).await;
    daemon.kill_9().await;
    let db = rusqlite::Connection::open(daemon.database()).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

async fn everything_ended_once(world: &World) {
    let entries = world.ledger.entries().streams.clone();
    let endless = world.ledger.entries().endless.clone();
    let (mut approved, count) = (0, entries.len());
    for stream in entries.into_keys().filter(|stream| !endless.contains(stream)) {
        world.follow(&stream).await;
        let events = events(&world.rest, &stream).await;
        assert_eq!(outcomes(&events), 1, "{events:?}");
        approved += usize::from(events.last().unwrap()["status"]["status"] == "approved");
    }
    eprintln!("{count} streams were opened; {approved} logins were approved");
    assert!(approved > 0, "logins go through between the kills");
    for stream in endless {
        let events = events(&world.rest, &stream).await;
        let (mut users, mut challenges) = (Vec::new(), Vec::new());
        for event in &events {
            let (list, name) = if event["type"] == "key_handshake" {
                (&mut users, "main_key")
            } else {
                (&mut challenges, "challenge")
            };
            list.extend(event.get(name).cloned());
        }
        for mut list in [users, challenges] {
            let all = list.len();
            list.sort_by_key(Value::to_string);
            list.dedup();
            assert_eq!(list.len(), all, "nobody is recorded twice for one scan or one answer");
        }
    }
}

/// The operator's own program was told of every event, in order; of some twice, but always of the same.
async fn everything_was_delivered(world: &World, receiver: &Receiver) {
    let mut kept = HashMap::new();
    let streams = world.ledger.entries().streams.clone();
    for stream in streams.into_keys() {
        let events = events(&world.rest, &stream).await;
        kept.insert(stream, events);
    }
    let id = |stream: &str, event: &Value| format!("{stream}/{}", event["index"]);
    let owed: HashSet<_> =
        kept.iter().flat_map(|(stream, events)| events.iter().map(|event| id(stream, event))).collect();
    let is_all = |came: &[Came]| {
        let came: HashSet<_> = came.iter().map(|one| one.id.as_str()).collect();
        owed.iter().all(|id| came.contains(id.as_str()))
    };
    let came = receiver.until("all deliveries", |came| came.len() >= owed.len() && is_all(came)).await;

    let mut by_stream: HashMap<String, Vec<Came>> = HashMap::new();
    for one in came {
        by_stream.entry(one.body["stream_id"].as_str().unwrap().to_owned()).or_default().push(one);
    }
    for (stream, events) in kept.iter().filter(|(_, events)| !events.is_empty()) {
        let order: Vec<u64> = (1..).take(events.len()).collect();
        assert_eq!(indexes(&by_stream[stream], stream), order);
        for mut one in by_stream.remove(stream).unwrap() {
            one.body.as_object_mut().unwrap().remove("stream_id");
            let index = one.body["index"].as_u64().unwrap() as usize;
            assert_eq!(one.body, events[index - 1], "what was delivered is what is kept");
        }
    }
}
