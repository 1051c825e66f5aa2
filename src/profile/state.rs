//! The known state of the profile at the relays, and what wallets show because of it. Pure: time is an
//! argument.

use std::collections::HashMap;
use std::time::Duration;

use nostr_sdk::{Event, RelayUrl};
use tokio::time::Instant;

use super::content::read;
use super::nip05::{Confirmed, Nip05Problem};
use super::standing::{NoName, Standing};
use crate::clock::Timestamp;
use crate::config::ProfileRules;
use crate::relay::supersedes;
use crate::shown;

/// How often Portico asks a relay with the profile whether it still has it, and the domain whether the name
/// is still valid.
const CHECK: Duration = Duration::from_secs(3600);

/// … after a failed check.
const RETRY: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct State {
    /// `[profile]` as read last.
    pub(super) section: ProfileRules,
    /// The operator's latest profile, until another is set at run time.
    pub(super) wanted: Option<ProfileRules>,
    /// The event that this daemon published last.
    pub(super) kept: Option<Event>,
    pub(super) at: HashMap<RelayUrl, Seen>,
    pub(super) name: Option<CheckedName>,
    pub(super) standing: Option<Standing>,
}

/// A relay, as checked last.
#[derive(Debug)]
pub(super) struct Seen {
    /// The connection of that check.
    pub(super) ready_since: Option<Timestamp>,
    pub(super) when: Instant,
    /// The profile that the relay has.
    pub(super) has: Option<Event>,
    /// Why it does not have the profile, or may not have it.
    pub(super) trouble: Option<String>,
}

/// A NIP-05 name, and the result of asking its host.
#[derive(Debug)]
pub(super) struct CheckedName {
    pub(super) name: String,
    pub(super) when: Instant,
    pub(super) verdict: Result<Confirmed, Nip05Problem>,
}

impl State {
    /// The newest profile at any relay.
    pub(super) fn newest(&self) -> Option<&Event> {
        let found = self.at.values().filter_map(|seen| seen.has.as_ref());
        found.reduce(|one, other| if supersedes(other, one) { other } else { one })
    }

    /// What a wallet shows; `None`: not known yet.
    pub(super) fn work_out(&self, on_subkey: bool) -> Option<Standing> {
        if self.at.is_empty() {
            return None;
        }
        let newest = self.newest();
        let elsewhere = self.kept.as_ref().is_some_and(|kept| {
            newest.is_some_and(|newest| supersedes(newest, kept) && read(newest) != read(kept))
        });
        let name = match newest {
            Some(event) => match read(event) {
                None => Err(NoName::Unreadable),
                Some(ProfileRules { nip05: None, .. }) => Err(NoName::NoNip05),
                Some(ProfileRules { nip05: Some(name), .. }) => {
                    let checked = self.name.as_ref().filter(|checked| checked.name == name)?;
                    match &checked.verdict {
                        Ok(_) => Ok(name),
                        Err(problem) => Err(NoName::Nip05 { name, problem: problem.clone() }),
                    }
                }
            },
            None if self.kept.is_none() && on_subkey => Err(NoName::NoProfileOfMainKey),
            None if self.kept.is_none() => Err(NoName::NoProfile),
            None => {
                let mut troubles: Vec<_> = self.at.iter().filter_map(|(url, seen)| seen.says(url)).collect();
                troubles.sort();
                Err(NoName::NotStored(troubles.join(", ")))
            }
        };
        Some(Standing { name, elsewhere })
    }
}

impl Seen {
    pub(super) fn is_due(&self, ready_since: Option<Timestamp>, now: Instant) -> bool {
        let patience = if self.trouble.is_some() { RETRY } else { CHECK };
        self.ready_since != ready_since || now.duration_since(self.when) >= patience
    }

    fn says(&self, url: &RelayUrl) -> Option<String> {
        self.trouble.as_ref().map(|trouble| format!("{}: {trouble}", shown::relay(url)))
    }
}

impl CheckedName {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let patience = if self.verdict.is_err() { RETRY } else { CHECK };
        now.duration_since(self.when) >= patience
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;
    use crate::profile::content::draft;

    fn event(keys: &Keys, nip05: Option<&str>, at: u64) -> Event {
        let profile = ProfileRules { nip05: nip05.map(str::to_owned), ..ProfileRules::default() };
        draft(&profile, at, None).sign_with_keys(keys).unwrap()
    }

    fn seen(has: Option<Event>, trouble: Option<&str>) -> Seen {
        Seen { ready_since: None, when: Instant::now(), has, trouble: trouble.map(str::to_owned) }
    }

    fn state(relays: Vec<(&str, Seen)>) -> State {
        let at = relays.into_iter().map(|(host, seen)| (format!("wss://{host}").parse().unwrap(), seen));
        State { at: at.collect(), ..State::default() }
    }

    fn checked(name: &str, verdict: Result<Confirmed, Nip05Problem>) -> Option<CheckedName> {
        Some(CheckedName { name: name.into(), when: Instant::now(), verdict })
    }

    #[test]
    fn a_name_is_shown_once_its_domain_has_confirmed_it() {
        let keys = Keys::generate();
        let mut state = state(vec![("a.example", seen(Some(event(&keys, Some("shop@a.example"), 1)), None))]);
        assert_eq!(state.work_out(false), None, "the domain was not asked yet");
        state.name = checked("shop@b.example", Ok(Confirmed { for_web_pages: true }));
        assert_eq!(state.work_out(false), None, "another name was confirmed");
        state.name = checked("shop@a.example", Ok(Confirmed { for_web_pages: true }));
        assert_eq!(state.work_out(false).unwrap().name, Ok("shop@a.example".into()));
        state.name = checked("shop@a.example", Err(Nip05Problem::NoDocument));
        assert!(matches!(state.work_out(false).unwrap().name, Err(NoName::Nip05 { .. })));
    }

    #[test]
    fn where_no_name_is_shown_there_is_a_reason() {
        let keys = Keys::generate();
        let reason = |state: &State, on_subkey| state.work_out(on_subkey).unwrap().name.unwrap_err();
        assert_eq!(state(vec![]).work_out(false), None, "no relay was asked yet");
        let mut nowhere =
            state(vec![("b.example", seen(None, Some("it is full"))), ("a.example", seen(None, None))]);
        assert_eq!(reason(&nowhere, false), NoName::NoProfile);
        assert_eq!(reason(&nowhere, true), NoName::NoProfileOfMainKey);
        nowhere.kept = Some(event(&keys, None, 1));
        assert_eq!(reason(&nowhere, false), NoName::NotStored("wss://b.example: it is full".into()));
        let nameless = state(vec![("a.example", seen(Some(event(&keys, None, 1)), None))]);
        assert_eq!(reason(&nameless, false), NoName::NoNip05);
    }

    #[test]
    fn the_newest_profile_of_all_relays_counts_and_one_from_elsewhere_is_told() {
        let keys = Keys::generate();
        let (old, new) = (event(&keys, None, 1), event(&keys, Some("shop@a.example"), 2));
        let relays =
            vec![("a.example", seen(Some(new.clone()), None)), ("b.example", seen(Some(old.clone()), None))];
        let mut state = State { kept: Some(old), ..state(relays) };
        state.name = checked("shop@a.example", Ok(Confirmed { for_web_pages: true }));
        assert_eq!(state.newest(), Some(&new));
        assert!(state.work_out(false).unwrap().elsewhere);
        state.kept = Some(new);
        assert!(!state.work_out(false).unwrap().elsewhere);
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_is_asked_again_on_a_new_connection_and_sooner_after_trouble() {
        let (well, ill) = (seen(None, None), seen(None, Some("x")));
        let now = Instant::now();
        assert!(!well.is_due(None, now) && !ill.is_due(None, now));
        assert!(well.is_due(Some(Timestamp::from_secs(1)), now));
        assert!(!well.is_due(None, now + RETRY) && ill.is_due(None, now + RETRY));
        assert!(well.is_due(None, now + CHECK));
    }
}
