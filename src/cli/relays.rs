//! `portico relays`: lists, adds and removes the daemon's relays, and checks whether a relay is fit for logins.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use nostr_sdk::RelayUrl;
use serde_json::json;

use super::client::Target;
use super::table::{Header, longest};
use super::terminal::{note, plain, say, text};
use super::{CommandResult, Exit, Failure};
use crate::config::{self, Config, Overrides};
use crate::relay::{self, Checkup, Information, InformationError};
use crate::shown;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the running daemon's relays and their state
    List(List),
    /// Add a relay to the running daemon, permanently
    Add(Change),
    /// Remove a relay from the running daemon, permanently
    Remove(Change),
    /// Check whether relays are fit for logins; needs no daemon
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    header: Header,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Change {
    #[command(flatten)]
    target: Target,
    /// The relay, like wss://relay.example
    #[arg(value_name = "URL")]
    relay: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Connects to each relay twice, with new keys: one connection subscribes as \
                        a wallet does, the other publishes an ephemeral event, which must arrive. Shows the \
                        limits that the relay publishes (NIP-11). Exits with 1 if a relay is not fit.")]
pub(super) struct Check {
    /// The relays [default: those of `portico serve`]
    #[arg(value_name = "URL")]
    relays: Vec<String>,
    /// Configuration file [default: as for `portico serve`]
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    config: Option<PathBuf>,
    /// File that lists the relays [default: as for `portico serve`]
    #[arg(long = "relays", value_name = "FILE", env = "PORTICO_RELAYS")]
    file: Option<PathBuf>,
    /// Time limit for each step
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::List(args) => list(&args).await,
        Command::Add(args) => {
            let added = args.target.post("/relays", &json!({ "relay": args.relay })).await?;
            say!("added        {}", text(&added["relay"]));
            Ok(Exit::Success)
        }
        Command::Remove(args) => {
            let removed = args.target.delete("/relays", &json!({ "relay": args.relay })).await?;
            say!("removed      {}", text(&removed["relay"]));
            Ok(Exit::Success)
        }
        Command::Check(args) => check(args).await,
    }
}

async fn list(args: &List) -> CommandResult {
    let answer = args.target.get("/relays").await?;
    if args.json {
        say!("{answer:#}");
        return Ok(Exit::Success);
    }
    let relays = answer["relays"].as_array().map(Vec::as_slice).unwrap_or_default();
    if relays.is_empty() {
        note!("No relays: nobody can log in. Add one: portico relays add wss://…");
    }
    let width = |name: &str| longest(relays.iter().map(|relay| text(&relay[name])));
    let table = args.header.begin([
        ("RELAY", width("relay")),
        ("ORIGIN", width("origin")),
        ("STATE", width("state")),
        ("LATENCY", "1234.5 ms".len()),
        ("SENT", width("sent")),
        ("ACCEPTED", width("accepted")),
        ("REFUSED", width("refused")),
        ("RECEIVED", width("received")),
        ("FORGED", width("forged")),
        ("LAST ERROR", 0),
    ]);
    for report in relays {
        let [url, origin, state, sent, accepted, refused, received, forged] =
            ["relay", "origin", "state", "sent", "accepted", "refused", "received", "forged"]
                .map(|name| text(&report[name]));
        let latency =
            report["latency_ms"].as_f64().map_or_else(|| "-".into(), |time| format!("{time:.1} ms"));
        let error = plain(report["last_error"].as_str().unwrap_or_default());
        table.row(
            [url, origin, state, latency, sent, accepted, refused, received, forged, error],
            |[url, origin, state, latency, sent, accepted, refused, received, forged, error]| {
                format!(
                    "{url}  {origin}  {state}  {latency}  sent {sent}, accepted {accepted}, refused {refused}; \
                     received {received}, forged {forged}  {error}"
                )
            },
        );
        if let Some(notice) = report["last_notice"].as_str() {
            say!("  its last notice: {}", plain(relay::notice_text(notice)));
        }
        if let Some(reason) = report["last_refusal"].as_str() {
            say!("  its last refusal of an event: {}", plain(relay::stated(reason)));
        }
    }
    Ok(Exit::Success)
}

async fn check(args: Check) -> CommandResult {
    let overrides = Overrides { config: args.config, relays: args.file, ..Overrides::default() };
    let (relays, tls) = if args.relays.is_empty() {
        let config = config::load(&overrides).map_err(Failure::usage)?;
        (configured(&config), config.tls)
    } else {
        // Not in the argument parser, which would print a URL that contains a password.
        let relays = args.relays.iter().map(|url| config::relay_url(url)).collect::<Result<_, _>>();
        (relays.map_err(Failure::usage)?, config::load_tls(&overrides).map_err(Failure::usage)?)
    };
    let checkups = join_all(relays.iter().map(|url| relay::check(url, args.timeout, &tls))).await;
    if args.json {
        say!("{:#}", json!(checkups));
    } else {
        checkups.iter().for_each(show);
    }
    let all_fit = checkups.iter().all(|checkup| checkup.problem.is_none());
    Ok(if all_fit { Exit::Success } else { Exit::No })
}

/// The relays that `portico serve` would use.
fn configured(config: &Config) -> Vec<RelayUrl> {
    let none = if config.relays.is_empty() { ", which lists none" } else { "" };
    note!("Relays: {}{none}", config.relay_source);
    config.relays.iter().map(|relay| relay.url.clone()).collect()
}

fn show(checkup: &Checkup) {
    say!("{}", shown::relay(&checkup.relay));
    let line = |name: &str, value: String| say!("  {name:<12} {}", plain(&value));
    let timed = |name: &str, time: Option<Duration>| {
        if let Some(time) = time {
            line(name, format!("in {:.1} ms", time.as_secs_f64() * 1000.0));
        }
    };
    timed("connected", checkup.connected_in);
    timed("subscribed", checkup.subscribed_in);
    timed("forwarded", checkup.forwarded_in);
    match &checkup.login_refused {
        Some(reason) => line("login", format!("requested (NIP-42), and refused: {}", relay::stated(reason))),
        None if checkup.asked_for_login => line("login", "required (NIP-42), and done".into()),
        None => {}
    }
    match &checkup.information {
        Ok(information) => line("says", describe(information)),
        // The verdict gives the reason.
        Err(InformationError::NotReached) => {}
        Err(error) => line("says", format!("nothing: {error}")),
    }
    match &checkup.problem {
        None => line("verdict", "fit for logins".into()),
        Some(problem) => line("verdict", format!("not fit: {problem}")),
    }
}

fn describe(information: &Information) -> String {
    let Information { name, software, .. } = information;
    let mut parts: Vec<String> = [name, software].into_iter().flatten().cloned().collect();
    let mut add = |there: bool, text: String| {
        if there {
            parts.push(text);
        }
    };
    if let Some(max) = information.max_subscriptions {
        add(true, format!("{max} subscriptions per connection"));
    }
    if let Some(max) = information.max_message_length {
        add(true, format!("messages up to {max} bytes"));
    }
    if let Some(secs) = information.created_at_lower_limit {
        add(true, format!("events up to {secs} s old"));
    }
    add(information.auth_required, "requires a login".into());
    add(information.payment_required, "requires payment to publish".into());
    if let Some(bits) = information.min_pow_difficulty {
        add(true, format!("requires {bits} bits of proof of work, which Portico does not do"));
    }
    if parts.is_empty() { "no limits".into() } else { parts.join(" · ") }
}

pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be at least 1ms"),
        Ok(time) if time > Duration::from_secs(3600) => Err("it must be at most 1h"),
        parsed => parsed.map_err(|_| "write it like 10s or 1m"),
    }
}
