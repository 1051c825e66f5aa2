//! Simulated users, controlled by the person at the demo.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::select_all;
use nostr_sdk::Keys;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep_until};

use super::order::{self, Mood, Order};
use super::screen::Screen;
use crate::demo::wallet::{ChallengeSeen, Wallet, WalletAnswer};
use crate::protocol::HandshakeUrl;

/// How soon the daemon asks a wallet that scanned an open URL.
const ASKED: Duration = Duration::from_secs(3);

/// The most users at once: each wallet has connections of its own.
const MOST: usize = 32;

/// The simulated users: the demo's own, and those that were named.
struct Players<'a> {
    own: &'a Wallet,
    named: BTreeMap<String, Wallet>,
}

/// A scan without a challenge yet.
struct Pending {
    who: Option<String>,
    until: Instant,
}

/// Runs each typed command and shows its result. Continues without input.
pub(super) async fn play(own: &Wallet, screen: &Screen) {
    let mut players = Players { own, named: BTreeMap::new() };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let (mut is_open, mut pending) = (true, None::<Pending>);
    loop {
        let until = pending.as_ref().map_or_else(Instant::now, |pending| pending.until);
        tokio::select! {
            (who, seen) = players.next_challenge() => {
                screen.asked(players.wallet(who.as_deref()), who.as_deref(), &seen, &players.mood(who.as_deref()));
                pending = pending.filter(|pending| pending.who != who);
                // A command applies to one challenge.
                players.wallet(who.as_deref()).answer_with(WalletAnswer::Approve);
            }
            () = sleep_until(until), if pending.is_some() => {
                let who = pending.take().and_then(|pending| pending.who);
                players.wallet(who.as_deref()).answer_with(WalletAnswer::Approve);
                screen.not_asked();
            }
            // One at a time: the next command must not answer the challenge before it.
            line = lines.next_line(), if is_open && pending.is_none() => match line {
                Ok(Some(line)) => pending = obey(&mut players, line.trim(), screen).await,
                _ => is_open = false,
            },
        }
    }
}

async fn obey(players: &mut Players<'_>, line: &str, screen: &Screen) -> Option<Pending> {
    if line.is_empty() {
        return None;
    }
    let (who, mood, delay, url) = match order::read(line) {
        Ok(Order::Scan { who, mood, delay, url }) => (who, mood, delay, url),
        Ok(Order::Help) => {
            screen.help();
            return None;
        }
        Err(error) => {
            screen.scanned(Err(&error.to_string()));
            return None;
        }
    };
    let answer = match mood {
        Mood::Yes => WalletAnswer::Approve,
        Mood::No => WalletAnswer::Decline(Some("the user of the demo said no".into())),
        Mood::Ignore => WalletAnswer::Ignore,
    };
    let answer = if delay.is_zero() { answer } else { WalletAnswer::After(delay, Box::new(answer)) };
    let scanned = scan(players, who, answer, url).await;
    screen.scanned(scanned.as_ref().copied().map_err(String::as_str));
    scanned.ok().map(|()| Pending { who: who.map(str::to_owned), until: Instant::now() + ASKED })
}

/// Lets a user scan a URL, with this answer.
async fn scan(
    players: &mut Players<'_>,
    who: Option<&str>,
    answer: WalletAnswer,
    url: &str,
) -> Result<(), String> {
    let url = url.parse::<HandshakeUrl>().map_err(|error| error.to_string())?;
    let wallet = players.enter(who)?;
    wallet.answer_with(answer);
    let scanned = wallet.scan(&url).await;
    if scanned.is_err() {
        wallet.answer_with(WalletAnswer::Approve);
    }
    scanned.map_err(|error| error.to_string())
}

impl Players<'_> {
    fn wallet(&self, who: Option<&str>) -> &Wallet {
        who.and_then(|name| self.named.get(name)).unwrap_or(self.own)
    }

    /// The wallet with this name; a new one if the name is new.
    fn enter(&mut self, who: Option<&str>) -> Result<&Wallet, String> {
        if let Some(name) = who
            && !self.named.contains_key(name)
        {
            if self.named.len() == MOST {
                return Err(format!("there are {MOST} users already: use the name of one of them"));
            }
            self.named.insert(name.to_owned(), Wallet::new(Keys::generate()).connect());
        }
        Ok(self.wallet(who))
    }

    /// The answer of this user to the challenge that just came.
    fn mood(&self, who: Option<&str>) -> WalletAnswer {
        self.wallet(who).answer()
    }

    /// The next challenge for any of them.
    async fn next_challenge(&self) -> (Option<String>, ChallengeSeen) {
        let all = [(None, self.own)].into_iter();
        let all = all.chain(self.named.iter().map(|(name, wallet)| (Some(name.clone()), wallet)));
        let asked = all.map(|(who, wallet)| Box::pin(async move { (who, wallet.next_challenge().await) }));
        select_all(asked).await.0
    }
}
