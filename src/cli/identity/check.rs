//! `portico identity check`: the profile at each relay, its NIP-05 name, and the name that wallets show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use nostr_sdk::{Event, PublicKey, RelayUrl, ToBech32};
use serde_json::{Value, json};

use super::relays_of_urls;
use crate::app;
use crate::cli::terminal::{plain, say};
use crate::cli::{CommandResult, Exit, Failure, relays};
use crate::clock::{SystemClock, Timestamp};
use crate::config::{self, Config, Overrides, ProfileRules};
use crate::outbound::Outbound;
use crate::profile::{Confirmed, Nip05Problem, UNKNOWN_SERVICE, confirm, read};
use crate::relay::{self, Problem};
use crate::shown as discreet;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Asks each relay in login URLs for the service's profile (kind 0), and the domain of \
                        its nip05 name for /.well-known/nostr.json, as a wallet does. Portal's wallet shows the \
                        nip05 name if the domain confirms the service's key, and \"Unknown Service\" otherwise. If \
                        relays have different profiles, the wallet uses the first that arrives. Exits with 1 if the \
                        wallet may show no name."
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    overrides: Overrides,
    /// The service's public key, npub… or hex [default: the key in its key file]
    #[arg(long, value_name = "KEY", value_parser = |text: &str| PublicKey::parse(text).map_err(|_| "it must be npub… or 64 hex digits"))]
    key: Option<PublicKey>,
    /// Time limit for each step
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = relays::duration)]
    timeout: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What relays and domains answered.
struct Findings {
    key: PublicKey,
    relays: Vec<(RelayUrl, Result<Option<Event>, Problem>)>,
    /// The answer of the domain of each name.
    names: BTreeMap<String, Result<Confirmed, Nip05Problem>>,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let config = config::load(&args.overrides).map_err(Failure::usage)?;
    let key = match args.key {
        Some(key) => key,
        None => known_key(&config)?,
    };
    let findings = Findings::gather(&config, key, args.timeout).await?;
    let (verdict, notes) = (findings.verdict(), findings.notes(&config.profile));
    if args.json {
        say!("{:#}", findings.as_json(&verdict, &notes));
    } else {
        findings.show();
        notes.iter().for_each(|note| say!("note         {}", plain(note)));
        match &verdict {
            Ok(name) => say!("verdict      Portal's wallet shows {}", plain(name)),
            Err(reason) => say!("verdict      {}", plain(reason)),
        }
    }
    Ok(if verdict.is_ok() { Exit::Success } else { Exit::No })
}

fn known_key(config: &Config) -> Result<PublicKey, Failure> {
    let keys = app::load_keys(&config.service).map_err(Failure::usage)?.ok_or_else(|| {
        Failure::usage(format!(
            "{} has no key yet: give --key",
            crate::config::files::show_path(&config.service.key_file)
        ))
    })?;
    app::check_identity(&config.service, &keys, &SystemClock).map_err(Failure::usage)
}

impl Findings {
    async fn gather(config: &Config, key: PublicKey, patience: Duration) -> Result<Self, Failure> {
        let urls = relays_of_urls(config);
        let answers =
            join_all(urls.iter().map(|url| relay::profile_at(url, &key, patience, &config.tls))).await;
        let relays: Vec<_> = urls.into_iter().zip(answers).collect();
        let http = Outbound::new(patience, config.lookup.allow_private, &config.tls);
        let mut names = BTreeMap::new();
        let claimed: BTreeSet<String> = relays.iter().filter_map(|(_, answer)| nip05_of(answer)).collect();
        for name in claimed {
            let verdict = confirm(&http, &name, &key).await;
            names.insert(name, verdict);
        }
        Ok(Self { key, relays, names })
    }

    /// The name that a wallet shows for an event.
    fn shown(&self, event: &Event) -> Result<String, String> {
        let profile = read(event).ok_or("the profile cannot be read: its fields must be text")?;
        let name =
            profile.nip05.ok_or("the profile has no nip05 name, and Portal's wallet shows only that name")?;
        match self.names.get(&name) {
            Some(Err(problem)) => Err(format!("{name} does not point to this service: {problem}")),
            _ => Ok(name),
        }
    }

    /// The name that wallets show whichever relay answers first, or the reason why they show none.
    fn verdict(&self) -> Result<String, String> {
        let unknown = |reason: &str| format!("Portal's wallet shows {UNKNOWN_SERVICE:?}: {reason}");
        if self.relays.is_empty() {
            return Err(unknown("no relay has both read and write, so nobody can log in"));
        }
        let events: Vec<&Event> =
            self.relays.iter().filter_map(|(_, answer)| answer.as_ref().ok()?.as_ref()).collect();
        let mut shown: Vec<Result<String, String>> = events.iter().map(|event| self.shown(event)).collect();
        shown.sort();
        shown.dedup();
        match shown.as_slice() {
            [] if self.relays.iter().all(|(_, answer)| answer.is_err()) => Err(unknown("no relay answers")),
            [] => Err(unknown("no relay has a profile; set [profile] and start the daemon")),
            [Ok(name)] => Ok(name.clone()),
            [Err(reason)] => Err(unknown(reason)),
            several => {
                let several = several.iter().map(|one| match one {
                    Ok(name) => name.clone(),
                    Err(reason) => format!("{UNKNOWN_SERVICE:?} ({reason})"),
                });
                let several = several.collect::<Vec<_>>().join(", or ");
                Err(format!(
                    "relays have different profiles; Portal's wallet shows the first that arrives: {several}"
                ))
            }
        }
    }

    /// Warnings that do not change the verdict.
    fn notes(&self, wanted: &ProfileRules) -> Vec<String> {
        let mut notes = Vec::new();
        for (url, answer) in &self.relays {
            match answer {
                Ok(None) => notes.push(format!(
                    "{} has no profile: a wallet that reaches only this relay shows no name",
                    discreet::relay(url)
                )),
                Ok(Some(event)) if !wanted.is_empty() && read(event).as_ref() != Some(wanted) => {
                    notes.push(format!("the profile at {} differs from [profile]", discreet::relay(url)));
                }
                _ => {}
            }
        }
        for (name, verdict) in &self.names {
            if matches!(verdict, Ok(Confirmed { for_web_pages: false })) {
                notes.push(format!(
                    "the document of {name} has no Access-Control-Allow-Origin: *, so wallets that are web pages cannot read it"
                ));
            }
        }
        let pictures =
            self.relays.iter().filter_map(|(_, answer)| read(answer.as_ref().ok()?.as_ref()?)?.picture);
        if pictures.into_iter().any(|picture| picture.starts_with("http:")) {
            notes.push("the picture has an http:// URL, which phones do not load".into());
        }
        notes
    }

    fn show(&self) {
        let Ok(npub) = self.key.to_bech32();
        say!("service      {npub}");
        for (url, answer) in &self.relays {
            say!("{}", discreet::relay(url));
            match answer {
                Err(problem) => say!("  problem    {}", plain(&problem.to_string())),
                Ok(None) => say!("  profile    none"),
                Ok(Some(event)) => {
                    say!("  profile    of {}", Timestamp::from_secs(event.created_at.as_secs()));
                    for (key, value) in fields(event) {
                        say!("    {key:<12} {}", plain(&value));
                    }
                    match self.shown(event) {
                        Ok(name) => say!("  shows      {}", plain(&name)),
                        Err(reason) => say!("  shows      {UNKNOWN_SERVICE:?}: {}", plain(&reason)),
                    }
                }
            }
        }
    }

    fn as_json(&self, verdict: &Result<String, String>, notes: &[String]) -> Value {
        let relays = self.relays.iter().map(|(url, answer)| match answer {
            Err(problem) => json!({ "relay": discreet::relay(url), "problem": problem.to_string() }),
            Ok(None) => json!({ "relay": discreet::relay(url), "profile": null }),
            Ok(Some(event)) => json!({
                "relay": discreet::relay(url),
                "published_at": event.created_at.as_secs(),
                "profile": read(event),
                "wallet_shows": self.shown(event).as_ref().ok(),
                "problem": self.shown(event).as_ref().err(),
            }),
        });
        json!({
            "public_key": self.key,
            "wallet_shows": verdict.as_ref().ok(),
            "problem": verdict.as_ref().err(),
            "notes": notes,
            "relays": relays.collect::<Vec<_>>(),
        })
    }
}

fn nip05_of(answer: &Result<Option<Event>, Problem>) -> Option<String> {
    read(answer.as_ref().ok()?.as_ref()?)?.nip05
}

fn fields(event: &Event) -> Vec<(&'static str, String)> {
    let ProfileRules { name, display_name, picture, nip05 } = read(event).unwrap_or_default();
    [("name", name), ("display_name", display_name), ("picture", picture), ("nip05", nip05)]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}
