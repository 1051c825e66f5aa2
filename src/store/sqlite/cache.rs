//! Rows in memory.
//!
//! A change is written to the file first, then removed here, then acknowledged; so a caller that asks after
//! the acknowledgement reads the change. A value that was read before a change is not cached after it.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use crate::store::Result;

/// A cache of rows, valid while this process is the only writer of the file. With several writers it would
/// have to hear of the others' changes before it answers.
#[derive(Debug)]
pub(super) struct SoleWriterCache<K, V> {
    known: Cache<K, Arc<V>>,
    /// Counts the removals. Held while a value is cached or removed.
    forgotten: Mutex<u64>,
}

impl<K: Copy + Eq + Hash, V> SoleWriterCache<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { known: Cache::new(most), forgotten: Mutex::default() }
    }

    /// The cached value of `key`, else the one in the file.
    pub(super) async fn get(
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

    /// The file has another value now.
    pub(super) fn forget(&self, key: &K) {
        let mut forgotten = self.forgotten();
        *forgotten += 1;
        self.known.remove(key);
    }

    /// The file has this value now.
    pub(super) fn replace(&self, key: K, value: V) {
        let mut forgotten = self.forgotten();
        *forgotten += 1;
        self.known.insert(key, Arc::new(value));
    }

    /// Empties the cache.
    pub(super) fn clear(&self) {
        let mut forgotten = self.forgotten();
        *forgotten += 1;
        self.known.clear();
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
        let cache: SoleWriterCache<u8, &str> = SoleWriterCache::new(8);
        let read = async |value| cache.get(1, async { Ok(value) }).await.unwrap().map(|found| *found);
        assert_eq!(read(None).await, None);
        assert_eq!(read(Some("old")).await, Some("old"));
        assert_eq!(read(Some("new")).await, Some("old"));
        cache.forget(&1);
        assert_eq!(read(Some("new")).await, Some("new"));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_does_not_take_its_place() {
        let cache: SoleWriterCache<u8, Option<u8>> = SoleWriterCache::new(8);
        let read = async {
            cache.replace(1, Some(7));
            Ok(Some(None))
        };
        assert_eq!(cache.get(1, read).await.unwrap().as_deref(), Some(&None));
        assert_eq!(cache.get(1, async { Ok(None) }).await.unwrap().as_deref(), Some(&Some(7)));
    }

    #[tokio::test]
    async fn a_logout_between_reading_and_remembering_is_not_overlooked() {
        let cache: SoleWriterCache<u8, &str> = SoleWriterCache::new(8);
        let read = async {
            cache.forget(&1);
            Ok(Some("old"))
        };
        assert_eq!(cache.get(1, read).await.unwrap().as_deref(), Some(&"old"));
        assert_eq!(cache.get(1, async { Ok(Some("new")) }).await.unwrap().as_deref(), Some(&"new"));
    }
}
