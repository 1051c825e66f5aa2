//! A relay that floods: on its side the frames, on ours what they cost the daemon.

use std::time::Duration;

use portico::protocol::kind;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::args::{Args, Flood};
use crate::children;
use crate::daemon::Daemon;
use crate::relay::Outbox;
use crate::usage::Usage;

/// Different frames; they go round.
const FRAMES: usize = 1024;

/// How long the flood is looked at on its own.
const LOOK: Duration = Duration::from_secs(5);

/// A relay of its own, which floods.
pub(crate) struct Handle {
    _process: Child,
    pub(crate) url: String,
    of: Flood,
    per_second: usize,
}

/// Starts the relay that floods, if there is to be one.
pub(crate) async fn start(args: &Args) -> Result<Option<Handle>> {
    if args.flood == 0 {
        return Ok(None);
    }
    let (frames, of) = (args.flood.to_string(), args.flood_of.name());
    let (process, url) = children::start_relay(&["--flood", &frames, "--flood-of", &of]).await?;
    Ok(Some(Handle { _process: process, url, of: args.flood_of, per_second: args.flood }))
}

impl Handle {
    /// What the flood costs the daemon while nothing else goes on.
    pub(crate) async fn measure(&self, daemon: &Daemon) -> Result<Value> {
        // With something to scan, a scan that nobody signed has to be verified.
        daemon.connect().await?.call("POST", "/key-handshake", "{}").await?;
        let before = Usage::of(daemon.pid())?;
        sleep(LOOK).await;
        let after = Usage::of(daemon.pid())?;
        let cores = ((after.cpu_s - before.cpu_s) / LOOK.as_secs_f64() * 100.0).round() / 100.0;
        eprintln!("load: {} {} frames a second take {cores} cores", self.per_second, self.of.name());
        Ok(json!({ "of": self.of.name(), "frames_per_s": self.per_second, "daemon_cores": cores }))
    }

    /// What the daemon thinks of that relay.
    pub(crate) async fn state(&self, daemon: &Daemon) -> Result<Value> {
        let mut relays = daemon.connect().await?.call("GET", "/relays", "").await?;
        let list = relays["relays"].as_array_mut().ok_or("no relays")?;
        let ours = |relay: &&mut Value| relay["relay"].as_str().is_some_and(|url| url.starts_with(&self.url));
        Ok(list.iter_mut().find(ours).ok_or("it does not know the relay that floods")?.take())
    }
}

/// Sends so many frames a second to one subscriber, until it has gone.
pub(crate) async fn pour(of: Flood, per_second: usize, subscription: String, key: String, outbox: Outbox) {
    const WAVES: usize = 100;
    let frames: Vec<Message> =
        (0..FRAMES).map(|n| Message::text(frame(of, n, &subscription, &key))).collect();
    let mut frames = frames.iter().cycle();
    let mut waves = interval(Duration::from_secs(1) / WAVES as u32);
    waves.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !outbox.is_closed() {
        waves.tick().await;
        for frame in frames.by_ref().take(per_second.div_ceil(WAVES)) {
            let _ = outbox.send(frame.clone());
        }
    }
}

/// An event that is well-formed, and nothing else.
fn frame(of: Flood, n: usize, subscription: &str, key: &str) -> String {
    let kind = match of {
        Flood::Strangers => kind::AUTH_RESPONSE.as_u16(),
        Flood::Forged => kind::KEY_HANDSHAKE.as_u16(),
        Flood::Unrelated => 1,
    };
    let event = json!({
        "id": hex::encode(rand::random::<[u8; 32]>()),
        "pubkey": nostr_sdk::Keys::generate().public_key(),
        "created_at": 1_700_000_000 + n,
        "kind": kind,
        "tags": [["p", key]],
        // As long as the answer of a wallet.
        "content": "A".repeat(700),
        "sig": hex::encode([rand::random::<[u8; 32]>(), rand::random()].concat()),
    });
    json!(["EVENT", subscription, event]).to_string()
}
