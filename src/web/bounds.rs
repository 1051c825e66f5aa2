//! How many codes may be open: of one browser, one address, one app, and in total.
//!
//! A code holds its place for as long as its login can be open, also if it ends earlier without a result. So a visitor
//! who cancels and begins again cannot open more logins than one who waits.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::SignInPages;
use crate::metrics::{Limit, Metrics, Reading};
use crate::store::{SecretDigest, StreamId};

/// The bounds, and who holds places. Counted in memory, which is exact while this process alone serves the page.
#[derive(Debug)]
pub(super) struct Bounds {
    max: [(Limit, usize); 4],
    metrics: Arc<Metrics>,
    held: Mutex<Held>,
}

/// Whose code it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) app: String,
    pub(super) address: IpAddr,
    pub(super) browser: SecretDigest,
}

#[derive(Debug, Default)]
struct Held {
    by_end: BTreeSet<(Instant, StreamId)>,
    entries: HashMap<StreamId, Entry>,
    /// Entries that hold a place.
    count: usize,
    of_app: HashMap<String, usize>,
    of_address: HashMap<IpAddr, usize>,
    of_browser: HashMap<SecretDigest, usize>,
    /// All entries of a browser.
    known: HashMap<SecretDigest, usize>,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    holder: Holder,
    /// Its login has a result, so it holds no place any more.
    is_done: bool,
}

/// A bound that is reached, and when a place may be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) limit: Limit,
    pub(super) retry_after: Duration,
}

/// A place for a code that is being opened.
pub(super) struct Reserved<'a> {
    bounds: &'a Bounds,
    /// The place is held under this id until the code has its own.
    id: StreamId,
    kept_as: Option<StreamId>,
}

impl Bounds {
    pub(super) fn new(rules: &SignInPages, metrics: Arc<Metrics>) -> Self {
        let max = [
            (Limit::WebOpenPerBrowser, rules.max_open_per_browser),
            (Limit::WebOpenPerAddress, rules.max_open_per_address),
            (Limit::WebOpenPerApp, rules.max_open_per_app),
            (Limit::WebOpen, rules.max_open),
        ];
        Self { max, metrics, held: Mutex::default() }
    }

    /// A place for one more code, held for `time`.
    ///
    /// # Errors
    /// The bound that is reached.
    pub(super) fn take(&self, holder: Holder, time: Duration) -> Result<Reserved<'_>, Full> {
        let now = Instant::now();
        let mut held = self.held();
        held.tidy(now);
        let taken = held.taken(&holder);
        let full = self.max.iter().zip(taken).find(|((_, max), taken)| taken >= max);
        if let Some(((limit, _), _)) = full {
            self.metrics.limits.reached(*limit);
            let retry_after = held.next_end(&holder, *limit).duration_since(now);
            return Err(Full { limit: *limit, retry_after });
        }
        let id = StreamId::from_bytes(rand::random());
        held.add(id, now + time, holder);
        Ok(Reserved { bounds: self, id, kept_as: None })
    }

    /// A login has a result: its code holds no place any more.
    pub(super) fn done(&self, code: StreamId) {
        self.held().finish(code);
    }

    /// Whether a browser has opened a code lately: only then its secret was made here.
    pub(super) fn knows(&self, browser: &SecretDigest) -> bool {
        let mut held = self.held();
        held.tidy(Instant::now());
        held.known.contains_key(browser)
    }

    pub(super) fn read_into(&self, reading: &mut Reading) {
        let mut held = self.held();
        held.tidy(Instant::now());
        let help = "Codes of the sign-in page that hold a place (web.max_open).";
        reading.gauge("portico_web_open", help, &[], held.count as f64);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved<'_> {
    /// The code was opened, and holds its place to the end.
    pub(super) fn keep(mut self, code: StreamId) {
        self.kept_as = Some(code);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut held = self.bounds.held();
        let entry = held.remove(self.id);
        if let (Some(code), Some(Entry { until, holder, .. })) = (self.kept_as, entry) {
            held.add(code, until, holder);
        }
    }
}

impl Held {
    fn add(&mut self, id: StreamId, until: Instant, holder: Holder) {
        self.count += 1;
        *self.of_app.entry(holder.app.clone()).or_default() += 1;
        *self.of_address.entry(holder.address).or_default() += 1;
        *self.of_browser.entry(holder.browser).or_default() += 1;
        *self.known.entry(holder.browser).or_default() += 1;
        self.by_end.insert((until, id));
        self.entries.insert(id, Entry { until, holder, is_done: false });
    }

    fn finish(&mut self, id: StreamId) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.is_done) else { return };
        entry.is_done = true;
        self.count -= 1;
        one_less(&mut self.of_app, &entry.holder.app);
        one_less(&mut self.of_address, &entry.holder.address);
        one_less(&mut self.of_browser, &entry.holder.browser);
    }

    fn remove(&mut self, id: StreamId) -> Option<Entry> {
        self.finish(id);
        let entry = self.entries.remove(&id)?;
        self.by_end.remove(&(entry.until, id));
        one_less(&mut self.known, &entry.holder.browser);
        Some(entry)
    }

    fn tidy(&mut self, now: Instant) {
        while let Some((_, id)) = self.by_end.first().copied().filter(|(until, _)| *until <= now) {
            self.remove(id);
        }
    }

    /// In the order of [`Bounds::max`].
    fn taken(&self, holder: &Holder) -> [usize; 4] {
        let of_browser = self.of_browser.get(&holder.browser).copied().unwrap_or_default();
        let of_address = self.of_address.get(&holder.address).copied().unwrap_or_default();
        let of_app = self.of_app.get(&holder.app).copied().unwrap_or_default();
        [of_browser, of_address, of_app, self.count]
    }

    /// When the first place within this bound is free again.
    fn next_end(&self, holder: &Holder, limit: Limit) -> Instant {
        let counts = |(_, id): &&(Instant, StreamId)| {
            let holding = self.entries.get(id).filter(|entry| !entry.is_done);
            holding.is_some_and(|Entry { holder: other, .. }| match limit {
                Limit::WebOpenPerBrowser => other.browser == holder.browser,
                Limit::WebOpenPerAddress => other.address == holder.address,
                Limit::WebOpenPerApp => other.app == holder.app,
                _ => true,
            })
        };
        self.by_end.iter().find(counts).map_or_else(Instant::now, |(until, _)| *until)
    }
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(600);

    fn bounds(max: [usize; 4]) -> Bounds {
        let limits =
            [Limit::WebOpenPerBrowser, Limit::WebOpenPerAddress, Limit::WebOpenPerApp, Limit::WebOpen];
        let max = std::array::from_fn(|at| (limits[at], max[at]));
        Bounds { max, metrics: Arc::default(), held: Mutex::default() }
    }

    fn holder(app: &str, address: u8, browser: u8) -> Holder {
        Holder { app: app.into(), address: IpAddr::from([192, 0, 2, address]), browser: [browser; 32] }
    }

    fn take(bounds: &Bounds, id: u8, holder: Holder) -> Result<(), Full> {
        bounds.take(holder, TERM).map(|reserved| reserved.keep(StreamId::from_bytes([id; 16])))
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_one_browser_or_address_leaves_places_for_others() {
        let bounds = bounds([2, 3, 5, 6]);
        let limit = |taken: Result<(), Full>| taken.unwrap_err().limit;
        take(&bounds, 1, holder("shop", 1, 1)).unwrap();
        take(&bounds, 2, holder("shop", 1, 1)).unwrap();
        assert_eq!(limit(take(&bounds, 3, holder("shop", 2, 1))), Limit::WebOpenPerBrowser);
        take(&bounds, 3, holder("shop", 1, 2)).unwrap();
        assert_eq!(limit(take(&bounds, 4, holder("shop", 1, 3))), Limit::WebOpenPerAddress);
        take(&bounds, 4, holder("shop", 2, 3)).unwrap();
        take(&bounds, 5, holder("shop", 2, 4)).unwrap();
        assert_eq!(limit(take(&bounds, 6, holder("shop", 3, 5))), Limit::WebOpenPerApp);
        take(&bounds, 6, holder("blog", 3, 5)).unwrap();
        assert_eq!(limit(take(&bounds, 7, holder("blog", 4, 6))), Limit::WebOpen);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_login_cannot_be_open_any_more() {
        let bounds = bounds([1, 1, 1, 1]);
        take(&bounds, 1, holder("shop", 1, 1)).unwrap();
        tokio::time::advance(TERM / 3).await;
        let full = take(&bounds, 2, holder("shop", 1, 1)).unwrap_err();
        assert_eq!(full.retry_after, TERM - TERM / 3);
        assert!(bounds.knows(&[1; 32]));
        tokio::time::advance(full.retry_after).await;
        assert!(!bounds.knows(&[1; 32]));
        take(&bounds, 2, holder("shop", 1, 1)).unwrap();
        let held = bounds.held();
        assert_eq!((held.by_end.len(), held.of_app.len(), held.of_browser.len()), (1, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_could_not_be_opened_holds_no_place() {
        let bounds = bounds([1, 1, 1, 1]);
        drop(bounds.take(holder("shop", 1, 1), TERM).unwrap());
        assert!(!bounds.knows(&[1; 32]));
        take(&bounds, 1, holder("shop", 1, 1)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_with_a_result_makes_room_and_its_browser_stays_known() {
        let bounds = bounds([1, 1, 1, 1]);
        take(&bounds, 1, holder("shop", 1, 1)).unwrap();
        bounds.done(StreamId::from_bytes([1; 16]));
        bounds.done(StreamId::from_bytes([1; 16]));
        assert!(bounds.knows(&[1; 32]));
        take(&bounds, 2, holder("shop", 1, 2)).unwrap();
        tokio::time::advance(TERM).await;
        assert!(!bounds.knows(&[1; 32]) && !bounds.knows(&[2; 32]));
        assert_eq!(bounds.held().count, 0);
    }
}
