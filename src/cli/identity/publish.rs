//! `portico identity publish`: publishes `[profile]` once, without the daemon. For services on a subkey, because the
//! main key is on another machine, and to replace a profile that another program published.

use std::time::Duration;

use futures_util::future::join_all;
use nostr_sdk::RelayUrl;

use crate::app;
use crate::cli::terminal::{plain, say};
use crate::cli::{CommandResult, Exit, Failure, relays};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Overrides};
use crate::profile::draft;
use crate::{relay, shown};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Replaces the profile that the relays have for this key, whichever program published it. If \
                        the service runs on a subkey, give the main key as --key-file: wallets read the profile of \
                        the main key. Exits with 1 if a relay did not accept it."
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    overrides: Overrides,
    /// Time limit for each step
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = relays::duration)]
    timeout: Duration,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let config = config::load(&args.overrides).map_err(Failure::usage)?;
    if config.profile.is_empty() {
        return Err(Failure::usage("[profile] is empty: there is nothing to publish"));
    }
    let key_file = crate::config::files::show_path(&config.service.key_file);
    let keys = app::load_keys(&config.service)
        .map_err(Failure::usage)?
        .ok_or_else(|| Failure::usage(format!("{key_file} has no key")))?;
    // If the proof verifies for this key, the key is the subkey: the wrong one here.
    let has_proof = config.service.subkey_proof_file.is_some() || config.service.given_proof.is_some();
    if has_proof && app::check_identity(&config.service, &keys, &SystemClock).is_ok() {
        return Err(Failure::usage(format!(
            "{key_file} contains a subkey, and wallets read the profile of the main key: give the main key as --key-file"
        )));
    }
    let key = keys.public_key();
    let relays: Vec<RelayUrl> =
        config.relays.iter().filter(|relay| relay.write).map(|relay| relay.url.clone()).collect();
    let found =
        join_all(relays.iter().map(|url| relay::profile_at(url, &key, args.timeout, &config.tls))).await;
    let newest =
        found.iter().filter_map(|answer| answer.as_ref().ok()?.as_ref()).max_by_key(|event| event.created_at);
    let event = draft(&config.profile, SystemClock.now().secs(), newest)
        .sign_with_keys(&keys)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let told =
        join_all(relays.iter().map(|url| relay::publish_to(url, &event, &keys, args.timeout, &config.tls)))
            .await;
    for (url, told) in relays.iter().zip(&told) {
        match told {
            Ok(()) => say!("published    {}", shown::relay(url)),
            Err(problem) => say!("problem      {}: {}", shown::relay(url), plain(&problem.to_string())),
        }
    }
    match told.iter().filter(|told| told.is_ok()).count() {
        0 => Err(Failure::new(Exit::Unavailable, "no relay accepted the profile")),
        taken if taken == told.len() => Ok(Exit::Success),
        _ => Ok(Exit::No),
    }
}
