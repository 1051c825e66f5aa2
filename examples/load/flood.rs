//! A relay that floods: on its side the frames, on ours what they cost the daemon.
//!
//! The two processes talk over pipes, one line at a time. The relay learns whom to flood, and answers with the keys of
//! the authors. When requests are open for them, it makes its frames in advance, because a signature takes longer than
//! its verification by the daemon. Then it begins.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portico::protocol::kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader, Lines, Stdin};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::args::{Args, Flood};
use crate::children::{self, Relay};
use crate::daemon::Daemon;
use crate::frames::{self, Recipe};
use crate::relay::{Outbox, Witness};
use crate::usage::Usage;

/// The static token that old scans name, and that makes every scan pass the first look.
const TOKEN: &str = "wall";

/// The daemon's subscription.
const OURS: &str = "portico";

/// How long the flood is looked at on its own.
const LOOK: Duration = Duration::from_secs(5);

/// The relay that floods, seen from the one that measures.
pub(crate) struct Handle {
    _process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
    of: Flood,
    per_second: usize,
}

/// Whom to flood.
#[derive(Debug, Serialize, Deserialize)]
struct Target {
    service: String,
    token: String,
}

/// What is said on the command line to a relay that floods.
pub(crate) fn flags(args: &Args) -> Vec<String> {
    let pairs = [
        ("--flood", args.flood.to_string()),
        ("--flood-of", args.flood_of.name()),
        ("--flood-keys", args.flood_keys.to_string()),
        ("--flood-kib", args.flood_kib.to_string()),
        ("--flood-secs", args.flood_secs.to_string()),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

impl Handle {
    /// Of a relay that was started with [`flags`].
    pub(crate) fn of(args: &Args, relay: Relay) -> Self {
        let Relay { process, stdin, lines, url } = relay;
        let (of, per_second) = (args.flood_of, args.flood);
        Self { _process: process, stdin, lines, url, of, per_second }
    }

    /// A relay of its own, which floods.
    pub(crate) async fn start(args: &Args) -> Result<Self> {
        let flags = flags(args);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Ok(Self::of(args, children::start_relay(&flags).await?))
    }

    /// Has the frames made, for requests that are open.
    pub(crate) async fn arm(&mut self, daemon: &Daemon) -> Result<()> {
        let mut caller = daemon.connect().await?;
        let body = json!({ "static_token": TOKEN }).to_string();
        caller.call("POST", "/key-handshake", &body).await?;
        let target = Target { service: daemon.service().await?, token: TOKEN.into() };
        self.say(&serde_json::to_string(&target)?).await?;
        let authors: Vec<String> = serde_json::from_str(&self.hear().await?)?;
        if matches!(self.of, Flood::WrongAnswers | Flood::BadProofs) {
            for author in authors {
                let body = json!({ "main_key": author }).to_string();
                caller.call("POST", "/authenticate-key", &body).await?;
            }
        }
        // The challenges are on their way to the relay.
        sleep(Duration::from_secs(1)).await;
        self.say("make").await?;
        eprintln!("load: {} frames are made", self.hear().await?);
        Ok(())
    }

    /// Begins.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        self.say("begin").await
    }

    /// What the flood costs the daemon while it has nothing else to do.
    pub(crate) async fn measure(&self, daemon: &Daemon) -> Result<Value> {
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

    async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.stdin.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn hear(&mut self) -> Result<String> {
        Ok(self.lines.next_line().await?.ok_or("the relay that floods has ended")?)
    }
}

/// What the relay that floods knows of those who are subscribed to it.
#[derive(Default)]
pub(crate) struct Victims {
    outboxes: Mutex<Vec<Outbox>>,
    /// The latest events by which the daemon asked somebody.
    challenges: Mutex<VecDeque<String>>,
}

impl Witness for Victims {
    fn subscribed(&self, name: &str, outbox: &Outbox) {
        if name == OURS {
            self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).push(outbox.clone());
        }
    }

    fn published(&self, id: &str, kind: u16) {
        const LATEST: usize = 100;

        if kind == kind::AUTH_CHALLENGE.as_u16() {
            let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
            challenges.truncate(LATEST - 1);
            challenges.push_front(id.to_owned());
        }
    }
}

impl Victims {
    fn challenges(&self) -> Vec<String> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Carries out the commands of the other process, until that process ends.
pub(crate) async fn obey(
    args: &Args,
    victims: Arc<Victims>,
    mut lines: Lines<BufReader<Stdin>>,
) -> Result<()> {
    let Some(target) = lines.next_line().await? else { return Ok(()) };
    let Target { service, token } = serde_json::from_str(&target)?;
    let mut recipe = Recipe::new(args, &service, token)?;
    println!("{}", serde_json::to_string(&recipe.authors())?);
    lines.next_line().await?;
    if args.flood_of == Flood::BadProofs {
        recipe.about = victims.challenges();
    }
    let frames = tokio::task::spawn_blocking(move || frames::all(&recipe)).await??;
    println!("{}", frames.len());
    lines.next_line().await?;
    pour(&frames, args.flood, &victims).await;
    Ok(())
}

/// Sends `per_second` frames a second to the daemon, and repeats them.
async fn pour(frames: &[Message], per_second: usize, victims: &Victims) {
    const WAVES: usize = 100;
    let mut frames = frames.iter().cycle();
    let mut waves = interval(Duration::from_secs(1) / WAVES as u32);
    waves.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        waves.tick().await;
        let mut outboxes = victims.outboxes.lock().unwrap_or_else(PoisonError::into_inner);
        outboxes.retain(|outbox| !outbox.is_closed());
        if let Some(outbox) = outboxes.last() {
            for frame in frames.by_ref().take(per_second.div_ceil(WAVES)) {
                let _ = outbox.send(frame.clone());
            }
        }
    }
}
