//! What is asked about again and again, in memory.
//!
//! A change is in the store first, then forgotten here, then acknowledged; so whoever asks after that reads it.
//! What was read before a change and comes to be remembered after it is not.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::Result;

/// Copies of what the store has.
#[derive(Debug)]
pub(crate) struct Live<K, V> {
    known: Cache<K, Arc<V>>,
    /// Counts what was forgotten. Held while something is remembered or forgotten.
    forgotten: Mutex<u64>,
}

impl<K: Copy + Eq + Hash, V> Live<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { known: Cache::new(most), forgotten: Mutex::default() }
    }

    /// What is known of `key`, else what the store has.
    pub(crate) async fn get(
        &self,
        key: K,
        read: impl Future<Output = Result<Option<V>>>,
    ) -> Result<Option<Arc<V>>> {
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known));
        }
        let before = *self.forgotten();
        let Some(value) = read.await?.map(Arc::new) else { return Ok(None) };
        let forgotten = self.forgotten();
        if *forgotten == before {
            self.known.insert(key, Arc::clone(&value));
        }
        drop(forgotten);
        Ok(Some(value))
    }

    /// The store has something else now.
    pub(crate) fn forget(&self, key: &K) {
        let mut forgotten = self.forgotten();
        *forgotten += 1;
        self.known.remove(key);
    }

    /// The store has this now.
    pub(crate) fn replace(&self, key: K, value: V) {
        let mut forgotten = self.forgotten();
        *forgotten += 1;
        self.known.insert(key, Arc::new(value));
    }

    fn forgotten(&self) -> MutexGuard<'_, u64> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_store_has_is_read_once_and_anew_after_a_change() {
        let live: Live<u8, &str> = Live::new(8);
        let read = async |value| live.get(1, async { Ok(value) }).await.unwrap().map(|found| *found);
        assert_eq!(read(None).await, None);
        assert_eq!(read(Some("old")).await, Some("old"));
        assert_eq!(read(Some("new")).await, Some("old"));
        live.forget(&1);
        assert_eq!(read(Some("new")).await, Some("new"));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_does_not_take_its_place() {
        let live: Live<u8, Option<u8>> = Live::new(8);
        let read = async {
            live.replace(1, Some(7));
            Ok(Some(None))
        };
        assert_eq!(live.get(1, read).await.unwrap().as_deref(), Some(&None));
        assert_eq!(live.get(1, async { Ok(None) }).await.unwrap().as_deref(), Some(&Some(7)));
    }

    #[tokio::test]
    async fn a_logout_between_reading_and_remembering_is_not_overlooked() {
        let live: Live<u8, &str> = Live::new(8);
        let read = async {
            live.forget(&1);
            Ok(Some("old"))
        };
        assert_eq!(live.get(1, read).await.unwrap().as_deref(), Some(&"old"));
        assert_eq!(live.get(1, async { Ok(Some("new")) }).await.unwrap().as_deref(), Some(&"new"));
    }
}
