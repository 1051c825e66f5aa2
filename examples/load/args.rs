//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::follow::Follow;

/// Measures the daemon: logins, open requests, tokens a second. Prints one line of JSON.
///
/// Build the daemon first (`cargo build --release`); it is looked for next to this program. A login is POST
/// /login, the wallet's scan, its approval, and the caller hearing of it, each with a user of its own.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Args {
    /// Logins to carry out
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) logins: usize,
    /// Logins under way at the same time [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) at_once: Option<usize>,
    /// Logins begun a second, evenly; then --at-once bounds nothing [default: as fast as they end]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) per_second: usize,
    /// How a caller follows its login
    #[arg(long, value_enum, default_value_t = Follow::Poll)]
    pub(crate) follow: Follow,
    /// How long a user takes to approve; not counted into a login's time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) wallet_delay_ms: u64,
    /// Seconds after which a login counts as failed
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub(crate) give_up_secs: u64,
    /// Subscriptions that the relay allows a connection
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) relay_subs: usize,
    /// Requests to open, each for another user, that no wallet ever answers; measures the memory of each. The
    /// logins come then, so that they show what it costs to be answered among so many
    #[arg(long, visible_alias = "open", value_name = "N", default_value_t = 0)]
    pub(crate) silent: usize,
    /// Connections to hold open on both sockets that say nothing, or half a word
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) idle_connections: usize,
    /// Frames a second that another relay sends, none of them of any use to anybody
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) flood: usize,
    /// What they are
    #[arg(long, value_enum, default_value_t = Flood::Strangers)]
    pub(crate) flood_of: Flood,
    /// How many keys have signed them, where they are signed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) flood_keys: usize,
    /// How long each is, in KiB [default: as long as a wallet's answer]
    #[arg(long, value_name = "KIB", default_value_t = 0, hide_default_value = true)]
    pub(crate) flood_kib: usize,
    /// For how many seconds there are signed ones; then they come again
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pub(crate) flood_secs: usize,
    /// They come through the relay that the logins go through, which is the only one
    #[arg(long)]
    pub(crate) flood_only_relay: bool,
    /// Relays of a stranger, which a wallet's scan names and which send the flood; measures the daemon's
    /// memory
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) strangers_relays: usize,
    /// Users that a caller asks to log in; with a flood, before it and in it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) asked: usize,
    /// Also measure token verification and issuance over Unix socket, TCP and WebSocket
    #[arg(long)]
    pub(crate) bench: bool,
    /// Turn sessions on: logins end with one, and checks, logins and renewals by credential are measured, too
    #[arg(long)]
    pub(crate) sessions: bool,
    /// Seconds for each measurement of --bench and --sessions
    #[arg(long, value_name = "SECS", default_value_t = 3)]
    pub(crate) verify_secs: u64,
    /// The daemon [default: `portico` in the folder above this program's]
    #[arg(long, value_name = "PATH")]
    pub(crate) daemon: Option<PathBuf>,
    /// A second process of this program
    #[arg(long, value_enum, hide = true)]
    pub(crate) role: Option<Role>,
    /// For the wallets: where the relay is
    #[arg(long, hide = true, default_value = "")]
    pub(crate) relay: String,
    /// For the wallets: whom they log in to
    #[arg(long, hide = true, default_value = "")]
    pub(crate) service: String,
}

impl Args {
    /// One wallet a login or question, with a flood another one for each, one for the login before the
    /// measurement, and one that names relays.
    pub(crate) fn wallets(&self) -> usize {
        let times = if self.flood > 0 { 2 } else { 1 };
        times * (self.logins + self.asked) + 2
    }
}

/// What a relay floods with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flood {
    /// Answers of wallets that were never asked, as an honest relay would pass them on
    Strangers,
    /// Scans that nobody signed
    Forged,
    /// Events that nobody subscribed to
    Unrelated,
    /// Signed scans of a URL that nobody has opened
    UnknownTokens,
    /// Signed scans of an open URL, an hour old
    OldScans,
    /// Signed proofs of a subkey about open challenges that do not hold
    BadProofs,
    /// Signed answers of users who were asked, to no challenge of theirs
    WrongAnswers,
    /// Verdicts on events that were never sent
    Ok,
    /// Notices
    Notice,
    /// Ends of what was stored, again and again
    Eose,
    /// Ends of subscriptions that there are none of
    Closed,
    /// Binary messages
    Binary,
    /// Pings
    Pings,
}

impl Flood {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What a process of this program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Be the relay.
    Relay,
    /// Be all the wallets.
    Wallets,
}
