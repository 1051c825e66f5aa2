//! `portico identity`: what wallets show of the service, and its profile published by hand.

mod check;
mod publish;

use nostr_sdk::RelayUrl;

use super::CommandResult;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say what wallets will show of the service, and why; needs no daemon
    Check(check::Args),
    /// Publish [profile] once, signed with the key of --key-file; needs no daemon
    Publish(publish::Args),
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::Check(args) => check::run(args).await,
        Command::Publish(args) => publish::run(args).await,
    }
}

/// The relays that wallets are told of.
fn relays_of_urls(config: &Config) -> Vec<RelayUrl> {
    let both = config.relays.iter().filter(|relay| relay.read && relay.write);
    both.map(|relay| relay.url.clone()).collect()
}
