//! `portico identity`: check the name that wallets show, and publish the profile by hand.

mod check;
mod publish;

use nostr_sdk::RelayUrl;

use super::CommandResult;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show which name wallets will show for the service, and why; needs no daemon
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

/// The relays in login URLs.
fn relays_of_urls(config: &Config) -> Vec<RelayUrl> {
    let both = config.relays.iter().filter(|relay| relay.read && relay.write);
    both.map(|relay| relay.url.clone()).collect()
}
