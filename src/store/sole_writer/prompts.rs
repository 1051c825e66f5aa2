//! Who is being asked, and was asked lately.

use std::collections::VecDeque;
use std::time::Duration;

use dashmap::DashMap;
use nostr_sdk::PublicKey;

use crate::clock::Timestamp;
use crate::store::{PromptRules, Recovered, TooManyPrompts};

/// By the key that is asked.
#[derive(Debug, Default)]
pub(super) struct Prompts(DashMap<PublicKey, Asked>);

#[derive(Debug, Default)]
struct Asked {
    open: usize,
    /// When the key was asked within the window, oldest first.
    times: VecDeque<Timestamp>,
    /// The window, as it was given last.
    window: Duration,
}

impl Prompts {
    /// Counts a prompt for each of these keys, if there is room for one more for all of them.
    pub(super) fn claim(
        &self,
        keys: &[PublicKey],
        now: Timestamp,
        rules: &PromptRules,
    ) -> Result<(), TooManyPrompts> {
        for (done, key) in keys.iter().enumerate() {
            // Not in the condition: it would hold the lock of this key while the others are withdrawn.
            let claimed = self.0.entry(*key).or_default().claim(now, rules);
            if let Err(refused) = claimed {
                self.withdraw(&keys[..done]);
                return Err(refused);
            }
        }
        Ok(())
    }

    /// A challenge to these keys has ended.
    pub(super) fn end(&self, keys: &[PublicKey]) {
        for key in keys {
            if let Some(mut asked) = self.0.get_mut(key) {
                asked.open = asked.open.saturating_sub(1);
            }
        }
    }

    /// A prompt that was counted was never sent.
    pub(super) fn withdraw(&self, keys: &[PublicKey]) {
        for key in keys {
            if let Some(mut asked) = self.0.get_mut(key) {
                asked.open = asked.open.saturating_sub(1);
                asked.times.pop_back();
            }
        }
    }

    /// Counts prompts from before a restart, and those that are still open.
    pub(super) fn recall(&self, recovered: &Recovered, rules: &PromptRules) {
        let mut asked = recovered.asked.clone();
        asked.sort_unstable_by_key(|(_, at)| *at);
        for (key, at) in asked {
            let mut known = self.0.entry(key).or_default();
            known.window = rules.window;
            known.times.push_back(at);
        }
        for challenge in &recovered.challenges {
            self.0.entry(challenge.user).or_default().open += 1;
        }
    }

    /// Forgets keys that were not asked lately.
    pub(super) fn tidy(&self, now: Timestamp) {
        self.0.retain(|_, asked| {
            asked.forget_before(now.minus(asked.window));
            asked.open > 0 || !asked.times.is_empty()
        });
    }
}

impl Asked {
    fn claim(&mut self, now: Timestamp, rules: &PromptRules) -> Result<(), TooManyPrompts> {
        self.window = rules.window;
        // Who was asked while the clock was ahead is not to wait until it is there again.
        self.times.iter_mut().for_each(|time| *time = (*time).min(now));
        self.forget_before(now.minus(rules.window));
        if self.times.len() >= rules.max_in_window {
            let oldest = self.times.front().copied().unwrap_or(now);
            return Err(TooManyPrompts::InWindow(oldest.plus(rules.window).since(now)));
        }
        if self.open >= rules.max_open {
            let oldest = self.times.iter().rev().nth(self.open.saturating_sub(1)).copied().unwrap_or(now);
            return Err(TooManyPrompts::Open(oldest.plus(rules.ttl).since(now)));
        }
        self.open += 1;
        self.times.push_back(now);
        Ok(())
    }

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

    const RULES: PromptRules = PromptRules {
        max_open: 3,
        max_in_window: 10,
        window: Duration::from_secs(600),
        ttl: Duration::from_secs(300),
    };

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(10_000 + secs)
    }

    fn user() -> PublicKey {
        Keys::parse(&"4e".repeat(32)).unwrap().public_key()
    }

    #[test]
    fn prompt_bombing_of_one_key_as_the_subkey_of_ever_new_users_costs_nobody_else_a_place() {
        let (prompts, victim) = (Prompts::default(), user());
        let claim = |second| prompts.claim(&[Keys::generate().public_key(), victim], at(second), &RULES);
        assert_eq!((0..10).filter(|second| claim(*second).is_ok()).count(), 3);
        assert_eq!(prompts.0.iter().map(|user| user.open).sum::<usize>(), 6);
    }

    #[test]
    fn users_who_were_not_asked_lately_take_no_room() {
        let (prompts, user) = (Prompts::default(), user());
        prompts.claim(&[user], at(0), &RULES).unwrap();
        prompts.tidy(at(10_000));
        assert_eq!(prompts.0.len(), 1, "one is open");
        prompts.end(&[user]);
        prompts.tidy(at(10_000));
        assert!(prompts.0.is_empty());
    }

    #[test]
    fn what_was_asked_before_a_restart_counts_in_the_order_of_its_times() {
        let (prompts, user) = (Prompts::default(), user());
        let asked = [590, 500, 580].map(|second| (user, at(second))).into();
        prompts.recall(&Recovered { asked, ..Recovered::default() }, &RULES);
        prompts.tidy(at(0));
        let rules = PromptRules { max_in_window: 3, ..RULES };
        let refused = prompts.claim(&[user], at(600), &rules);
        assert_eq!(refused, Err(TooManyPrompts::InWindow(Duration::from_secs(500))));
    }
}
