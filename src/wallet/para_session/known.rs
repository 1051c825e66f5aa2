//! Remembers the provider's recent answers, and asks one question at a time about each session.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use crate::clock::{SharedClock, Timestamp};
use crate::wallet::CredentialError;

/// How many sessions are remembered.
const SESSIONS: usize = 10_000;

/// The provider's answers about sessions, by their names.
#[derive(Debug)]
pub(super) struct Known<W> {
    sessions: Cache<[u8; 32], Arc<Slot<W>>>,
    fresh_for: Duration,
    clock: SharedClock,
}

/// One session. The caller that asks the provider holds `last`.
#[derive(Debug)]
struct Slot<W> {
    answers: AtomicU64,
    last: Mutex<Option<Last<W>>>,
}

#[derive(Debug)]
struct Last<W> {
    asked_at: Timestamp,
    word: Result<Arc<W>, CredentialError>,
}

impl<W> Known<W> {
    /// An answer is valid for `fresh_for` from when the question was asked.
    pub(super) fn new(fresh_for: Duration, clock: SharedClock) -> Self {
        Self { sessions: Cache::new(SESSIONS), fresh_for, clock }
    }

    /// The answer about a session: a recent positive one, else what `ask` returns. Callers that wait for another
    /// caller's question share its result. A failure is not kept for later callers. `ask` gets the last positive
    /// answer, for the parts of it that never change.
    pub(super) async fn get<F>(
        &self,
        name: [u8; 32],
        ask: impl FnOnce(Option<Arc<W>>) -> F,
    ) -> Result<Arc<W>, CredentialError>
    where
        F: Future<Output = Result<W, CredentialError>>,
    {
        let slot = self.sessions.get_or_insert_with(&name, || {
            Ok::<_, Infallible>(Arc::new(Slot { answers: AtomicU64::new(0), last: Mutex::new(None) }))
        });
        let slot = slot.unwrap_or_else(|never| match never {});
        let before = slot.answers.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        let now = self.clock.now();
        if let Some(known) = &*last {
            let waited_for = slot.answers.load(Ordering::SeqCst) > before;
            if waited_for || (known.word.is_ok() && self.is_fresh(known.asked_at, now)) {
                return known.word.clone();
            }
        }
        let earlier = last.take().and_then(|known| known.word.ok());
        let word = ask(earlier).await.map(Arc::new);
        *last = Some(Last { asked_at: now, word: word.clone() });
        slot.answers.fetch_add(1, Ordering::SeqCst);
        word
    }

    fn is_fresh(&self, asked_at: Timestamp, now: Timestamp) -> bool {
        asked_at <= now && now.since(asked_at) < self.fresh_for
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;

    use super::*;
    use crate::clock::TokioClock;

    const FRESH_FOR: Duration = Duration::from_secs(3);

    /// A provider that takes a second to answer.
    struct World {
        known: Known<usize>,
        asked: AtomicUsize,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(TokioClock::starting_at(Timestamp::from_secs(1000)));
            Self { known: Known::new(FRESH_FOR, clock), asked: AtomicUsize::new(0) }
        }

        async fn get(&self, is_active: bool) -> Result<usize, CredentialError> {
            let ask = async |_| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let asked = self.asked.fetch_add(1, Ordering::SeqCst);
                let message = "no".into();
                if is_active { Ok(asked) } else { Err(CredentialError::Rejected { code: "no", message }) }
            };
            self.known.get([7; 32], ask).await.map(|word| *word)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_word_is_believed_for_a_moment_from_when_it_was_asked_for() {
        let world = World::new();
        assert_eq!(world.get(true).await, Ok(0));
        tokio::time::advance(Duration::from_millis(1999)).await;
        assert_eq!(world.get(true).await, Ok(0));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(world.get(true).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_word_is_never_remembered_and_takes_the_good_one_away() {
        let world = World::new();
        world.get(true).await.unwrap();
        tokio::time::advance(FRESH_FOR).await;
        world.get(false).await.unwrap_err();
        assert_eq!(world.get(true).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_with_one_session_asks_once_whatever_the_answer() {
        for is_active in [true, false] {
            let world = World::new();
            let words = join_all((0..100).map(|_| world.get(is_active))).await;
            assert!(words.iter().all(|word| word.is_ok() == is_active));
            assert_eq!(world.asked.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_while_asking_leaves_the_question_to_the_next() {
        let world = World::new();
        let impatient = tokio::time::timeout(Duration::from_millis(500), world.get(true));
        impatient.await.unwrap_err();
        assert_eq!(world.get(true).await, Ok(0));
    }
}
