//! Limits how often one user is asked, against prompt bombing: an attacker starts login after login until the
//! tired user approves one.

use std::collections::VecDeque;
use std::time::Duration;

use dashmap::DashMap;
use nostr_sdk::PublicKey;

use super::PortalError;
use crate::clock::Timestamp;
use crate::config::AuthLimits;
use crate::metrics::Limit;

#[derive(Debug, Default)]
struct Asked {
    open: usize,
    /// When the user was asked within the window, oldest first.
    times: VecDeque<Timestamp>,
}

/// Who is being asked, and was asked lately. Counted in memory, which is exact while this process is the only one that
/// asks; with several, the transaction that opens a challenge must count.
#[derive(Debug)]
pub(super) struct Prompts {
    users: DashMap<PublicKey, Asked>,
    max_open: usize,
    max_in_window: usize,
    window: Duration,
    ttl: Duration,
}

impl Prompts {
    pub(super) fn new(limits: &AuthLimits) -> Self {
        Self {
            users: DashMap::new(),
            max_open: limits.max_open_per_user,
            max_in_window: limits.max_prompts_per_user,
            window: limits.prompt_window,
            ttl: limits.challenge_ttl,
        }
    }

    /// Counts a prompt for each of these keys, if there is room for one more for all of them.
    pub(super) fn ask_all(&self, keys: &[PublicKey], now: Timestamp) -> Result<(), PortalError> {
        for (done, key) in keys.iter().enumerate() {
            if let Err(error) = self.ask(*key, now) {
                self.take_back(&keys[..done]);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Counts a prompt, if there is room for one more.
    fn ask(&self, user: PublicKey, now: Timestamp) -> Result<(), PortalError> {
        let mut asked = self.users.entry(user).or_default();
        // Who was asked while the clock was ahead is not to wait until it is there again.
        asked.times.iter_mut().for_each(|time| *time = (*time).min(now));
        asked.forget_before(now.minus(self.window));
        if asked.times.len() >= self.max_in_window {
            let oldest = asked.times.front().copied().unwrap_or(now);
            return Err(PortalError::LimitReached {
                limit: Limit::PromptsPerUser,
                message: "this user was asked too often in a short time",
                retry_after: Some(oldest.plus(self.window).since(now)),
            });
        }
        if asked.open >= self.max_open {
            let oldest = asked.times.iter().rev().nth(asked.open - 1).copied().unwrap_or(now);
            return Err(PortalError::LimitReached {
                limit: Limit::OpenPerUser,
                message: "this user has too many open challenges",
                retry_after: Some(oldest.plus(self.ttl).since(now)),
            });
        }
        asked.open += 1;
        asked.times.push_back(now);
        Ok(())
    }

    /// A challenge that these keys were asked has ended.
    pub(super) fn answered(&self, keys: &[PublicKey]) {
        for key in keys {
            if let Some(mut asked) = self.users.get_mut(key) {
                asked.open = asked.open.saturating_sub(1);
            }
        }
    }

    /// A prompt that was counted never went out.
    pub(super) fn take_back(&self, keys: &[PublicKey]) {
        for key in keys {
            if let Some(mut asked) = self.users.get_mut(key) {
                asked.open = asked.open.saturating_sub(1);
                asked.times.pop_back();
            }
        }
    }

    /// A prompt from before a restart.
    pub(super) fn recall(&self, user: PublicKey, at: Timestamp) {
        self.users.entry(user).or_default().times.push_back(at);
    }

    /// A challenge from before a restart that is still open.
    pub(super) fn recall_open(&self, user: PublicKey) {
        self.users.entry(user).or_default().open += 1;
    }

    /// Forgets users who were not asked lately.
    pub(super) fn tidy(&self, now: Timestamp) {
        let start = now.minus(self.window);
        self.users.retain(|_, asked| {
            asked.forget_before(start);
            asked.open > 0 || !asked.times.is_empty()
        });
    }
}

impl Asked {
    fn forget_before(&mut self, start: Timestamp) {
        while self.times.front().is_some_and(|at| *at <= start) {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(10_000 + secs)
    }

    fn prompts() -> (Prompts, PublicKey) {
        let user = Keys::parse(&"4e".repeat(32)).unwrap().public_key();
        (Prompts::new(&AuthLimits::default()), user)
    }

    fn retry_after(error: PortalError) -> u64 {
        match error {
            PortalError::LimitReached { retry_after, .. } => retry_after.unwrap().as_secs(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn prompt_bombing_stops_at_three_open_challenges() {
        let (prompts, user) = prompts();
        for second in 0..3 {
            prompts.ask(user, at(second)).unwrap();
        }
        assert_eq!(retry_after(prompts.ask(user, at(10)).unwrap_err()), 290);
        prompts.answered(&[user]);
        prompts.ask(user, at(11)).unwrap();
    }

    #[test]
    fn prompt_bombing_stops_at_ten_prompts_in_ten_minutes_even_when_each_is_declined() {
        let (prompts, user) = prompts();
        for second in 0..10 {
            prompts.ask(user, at(second)).unwrap();
            prompts.answered(&[user]);
        }
        assert_eq!(retry_after(prompts.ask(user, at(100)).unwrap_err()), 500);
        prompts.ask(user, at(600)).unwrap();
    }

    #[test]
    fn a_prompt_that_never_went_out_does_not_count() {
        let (prompts, user) = prompts();
        for second in 0..50 {
            prompts.ask(user, at(second)).unwrap();
            prompts.take_back(&[user]);
        }
    }

    #[test]
    fn prompt_bombing_of_one_key_as_the_subkey_of_ever_new_users_stops_too() {
        let (prompts, victim) = prompts();
        let asked = (0..10)
            .filter(|second| prompts.ask_all(&[Keys::generate().public_key(), victim], at(*second)).is_ok())
            .count();
        assert_eq!(asked, 3);
        assert_eq!(prompts.users.iter().map(|user| user.open).sum::<usize>(), 6, "nobody else pays for it");
    }

    #[test]
    fn users_who_were_not_asked_lately_take_no_room() {
        let (prompts, user) = prompts();
        prompts.ask(user, at(0)).unwrap();
        prompts.tidy(at(10_000));
        assert_eq!(prompts.users.len(), 1, "one is open");
        prompts.answered(&[user]);
        prompts.tidy(at(10_000));
        assert!(prompts.users.is_empty());
    }
}
