//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::follow::Follow;

/// Measures the daemon: logins, open requests, tokens a second. Prints one line of JSON.
///
/// Build the daemon first (`cargo build --release`). This program looks for it in the folder above its own. A
/// login ends when the caller has the approval: POST /login, the wallet's scan, its answer, the event. Each login
/// has a user of its own.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Args {
    /// Logins to carry out
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) logins: usize,
    /// Logins in progress at the same time [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) at_once: Option<usize>,
    /// Logins to begin per second, evenly; --at-once then has no effect [default: as fast as they end]
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
    /// Requests to open that no wallet ever answers, each for another user; measures the memory of each. The
    /// logins begin after that, and show their price among so many open requests
    #[arg(long, visible_alias = "open", value_name = "N", default_value_t = 0)]
    pub(crate) silent: usize,
    /// Idle connections to hold open on both sockets, which send nothing or half a request
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) idle_connections: usize,
    /// Useless frames that another relay sends per second
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) flood: usize,
    /// The kind of these frames
    #[arg(long, value_enum, default_value_t = Flood::Strangers)]
    pub(crate) flood_of: Flood,
    /// How many keys sign the frames, if the kind is signed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) flood_keys: usize,
    /// The length of each frame, in KiB [default: as long as a wallet's answer]
    #[arg(long, value_name = "KIB", default_value_t = 0, hide_default_value = true)]
    pub(crate) flood_kib: usize,
    /// For how many seconds there are distinct signed frames; then they are repeated
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pub(crate) flood_secs: usize,
    /// Send them through the relay of the logins, which is then the only one
    #[arg(long)]
    pub(crate) flood_only_relay: bool,
    /// Relays of a stranger, which a wallet's scan names and which send the flood; measures the daemon's
    /// memory
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) strangers_relays: usize,
    /// Users that a caller asks to log in; with a flood, before and during it
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
    /// For the wallets: the service
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

/// The frames of a flood.
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
    /// Signed proofs of a subkey, about open challenges, that are not valid
    BadProofs,
    /// Signed answers of users who were asked, to a challenge that is not theirs
    WrongAnswers,
    /// `OK` frames about events that were never sent
    Ok,
    /// Notices
    Notice,
    /// `EOSE` frames, repeated
    Eose,
    /// `CLOSED` frames of unknown subscriptions
    Closed,
    /// Binary messages
    Binary,
    /// Pings
    Pings,
}

impl Flood {
    /// Its name on the command line.
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
