//! `portico status`: whether the daemon runs and is ready, and the state of its parts.

use serde_json::{Map, Value, json};

use super::client::Target;
use super::terminal::{say, text};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the daemon is ready; 1 it runs but is not ready; 69 it does not \
                        answer.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let target = &args.target;
    let ready = Part::of(target.ask("/ready").await?);
    let version = target.get("/version").await?;
    let relays = Part::of(target.ask("/relays").await?);
    let sessions = Part::of(target.ask("/providers").await?);
    let webhooks = Part::of(target.ask("/webhooks").await?);
    let is_ready = matches!(ready, Part::Well(_));
    let told = json!({
        "ready": is_ready,
        "reason": ready.trouble(),
        "version": version["version"],
        "store": ready.store(),
        "relays": relays.told(count_relays),
        "sessions": sessions.told(|providers| json!({ "enabled": true, "providers": providers["providers"] })),
        "webhooks": webhooks.told(|owed| {
            json!({ "enabled": owed["enabled"], "waiting": owed["waiting"], "failed": owed["failed"] })
        }),
    });
    if args.json {
        say!("{told:#}");
    } else {
        show(&told);
    }
    Ok(if is_ready { Exit::Success } else { Exit::No })
}

/// The state of one part of the daemon.
enum Part {
    /// It works; this is its `data`.
    Well(Value),
    /// It is off or unavailable: the code, and a sentence for people.
    Not(String, String),
}

impl Part {
    fn of(mut answer: Value) -> Self {
        if answer["success"] == true {
            return Self::Well(answer["data"].take());
        }
        let [code, error] =
            ["code", "error"].map(|field| answer[field].as_str().unwrap_or_default().to_owned());
        Self::Not(code, error)
    }

    /// The state of the store, concluded from `/ready`: the daemon checks the store first.
    fn store(&self) -> &'static str {
        match self {
            Self::Not(code, _) if code == "store_unavailable" => "unavailable",
            Self::Not(code, _) if code != "no_relay" => "unknown",
            Self::Well(_) | Self::Not(..) => "writable",
        }
    }

    fn trouble(&self) -> Option<&str> {
        match self {
            Self::Well(_) => None,
            Self::Not(_, error) => Some(error),
        }
    }

    fn told(&self, say: impl FnOnce(&Value) -> Value) -> Value {
        match self {
            Self::Well(data) => say(data),
            Self::Not(code, _) if code == "sessions_off" => json!({ "enabled": false }),
            Self::Not(_, error) => json!({ "error": error }),
        }
    }
}

/// How many relays are in each state.
fn count_relays(list: &Value) -> Value {
    let mut states = Map::new();
    for relay in list["relays"].as_array().into_iter().flatten() {
        let state = relay["state"].as_str().unwrap_or("unknown").to_owned();
        let count = states.get(&state).and_then(Value::as_u64).unwrap_or(0);
        states.insert(state, json!(count + 1));
    }
    Value::Object(states)
}

fn show(told: &Value) {
    let ready = match told["reason"].as_str() {
        None => "yes".to_owned(),
        Some(_) => format!("no: {}", text(&told["reason"])),
    };
    let sessions = match told["sessions"]["enabled"].as_bool() {
        Some(true) => format!("on, for {}", text(&told["sessions"]["providers"])),
        Some(false) => "off".to_owned(),
        None => text(&told["sessions"]["error"]),
    };
    let webhooks = &told["webhooks"];
    let webhooks = match webhooks["enabled"].as_bool() {
        Some(true) => format!("on, {} waiting, {} failed", webhooks["waiting"], webhooks["failed"]),
        Some(false) => "off".to_owned(),
        None => text(&webhooks["error"]),
    };
    for (name, value) in [
        ("ready", ready),
        ("version", text(&told["version"])),
        ("store", text(&told["store"])),
        ("relays", relays(&told["relays"])),
        ("sessions", sessions),
        ("webhooks", webhooks),
    ] {
        say!("{name:<12} {value}");
    }
}

fn relays(states: &Value) -> String {
    let states = states.as_object().into_iter().flatten();
    let states: Vec<_> = states.map(|(state, count)| format!("{} {state}", text(count))).collect();
    if states.is_empty() { "none".into() } else { states.join(", ") }
}
