//! Looks up host names, in a limited number of threads.
//!
//! A look-up occupies a thread until the operating system's resolver answers or gives up, which can take half a
//! minute. A caller that no longer waits does not end it. The threads are those in which the store reads, so
//! without a limit, names that no resolver answers would keep the store from reading.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use tokio::sync::Semaphore;
use tokio::task;

/// How many names of the operator are looked up at once …
const OF_OPERATOR: usize = 64;

/// … and how many names of strangers. Together they are far fewer than the 512 threads of the runtime.
const OF_STRANGERS: usize = 32;

/// Who named a host. Names of strangers cannot take the places of the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The operator: the configuration names it.
    Operator,
    /// A user or a wallet.
    Strangers,
}

/// The addresses of a host. Waits for a free place first.
///
/// # Errors
/// The resolver found none.
pub async fn look_up(host: &str, port: u16, named_by: NamedBy) -> io::Result<Vec<SocketAddr>> {
    static FOR_OPERATOR: Places = Places::new(OF_OPERATOR);
    static FOR_STRANGERS: Places = Places::new(OF_STRANGERS);

    let places = match named_by {
        NamedBy::Operator => &FOR_OPERATOR,
        NamedBy::Strangers => &FOR_STRANGERS,
    };
    let host = host.to_owned();
    places.run(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
}

/// Places for blocking calls.
#[derive(Debug)]
struct Places(Semaphore);

impl Places {
    const fn new(places: usize) -> Self {
        Self(Semaphore::const_new(places))
    }

    /// Calls in a thread that may block. The call keeps its place until it returns, also if the caller goes
    /// away before.
    async fn run<T: Send + 'static>(
        &'static self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let place = self.0.acquire().await.map_err(io::Error::other)?;
        let called = task::spawn_blocking(move || {
            let result = call();
            drop(place);
            result
        });
        called.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use super::*;

    /// A resolver that answers when the test lets it.
    #[derive(Default)]
    struct Resolver {
        closed: Mutex<()>,
        asked: AtomicUsize,
    }

    impl Resolver {
        fn close(&self) -> MutexGuard<'_, ()> {
            self.closed.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn ask(&self) -> io::Result<()> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            drop(self.close());
            Ok(())
        }
    }

    #[test]
    fn names_that_no_resolver_answers_leave_threads_for_the_store_even_when_nobody_waits_for_them_any_more() {
        static PLACES: Places = Places::new(4);
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.max_blocking_threads(8).enable_time().build().unwrap();
        let resolver = Arc::new(Resolver::default());
        let silent = resolver.close();
        runtime.block_on(async {
            for _ in 0..100 {
                let resolver = Arc::clone(&resolver);
                let asking = PLACES.run(move || resolver.ask());
                let answer = tokio::time::timeout(Duration::from_millis(1), asking).await;
                assert!(answer.is_err(), "the resolver is silent");
            }
            let reading = task::spawn_blocking(|| "the store");
            let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
            assert_eq!(read.expect("a free thread").unwrap(), "the store");
            assert!(resolver.asked.load(Ordering::SeqCst) <= 4);
            drop(silent);
            let resolver = Arc::clone(&resolver);
            PLACES.run(move || resolver.ask()).await.expect("a place that is free again");
        });
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_found() {
        for named_by in [NamedBy::Operator, NamedBy::Strangers] {
            let found = look_up("localhost", 7, named_by).await.unwrap();
            assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
        }
    }
}
