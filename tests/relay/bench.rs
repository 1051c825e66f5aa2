//! A service connected to test relays, and a wallet.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nostr_sdk::prelude::{Event, EventBuilder, Keys, Kind, RelayUrl, Tag};
use portico::clock::{Clock, SharedClock, SystemClock};
use portico::relay::{Gate, Publication, RelayHealth, RelayOptions, RelaySpec, RelayState, Relays, Signal};

use tokio::sync::mpsc;

use crate::support::relay::TestRelay;

/// What a service publishes.
pub(crate) const CHALLENGE: Kind = Kind::Custom(27000);
/// What a wallet publishes.
pub(crate) const RESPONSE: Kind = Kind::Custom(27001);

/// Longer than anything here should take, on a machine busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What `future` yields, or a failed test.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for: {what}"),
    }
}

/// A service connected to relays, and a wallet that writes to it.
pub(crate) struct Bench {
    pub(crate) relays: Relays,
    /// What waits to be handled; nothing is, before it is taken from here.
    pub(crate) signals: mpsc::UnboundedReceiver<Signal>,
    pub(crate) service: Keys,
    pub(crate) wallet: Keys,
}

/// Options for tests: everything is allowed, and retried at once.
pub(crate) fn options(urls: impl IntoIterator<Item = RelayUrl>) -> RelayOptions {
    RelayOptions {
        relays: urls.into_iter().map(RelaySpec::read_write).collect(),
        allow_private: true,
        retry: Duration::from_millis(10),
        ..RelayOptions::new(Keys::generate(), vec![RESPONSE])
    }
}

impl Bench {
    pub(crate) async fn start(relays: &[&TestRelay]) -> Self {
        Self::with(options(relays.iter().map(|relay| relay.url())), |_: &Event| true).await
    }

    pub(crate) async fn with(options: RelayOptions, gate: impl Gate + 'static) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let service = options.keys.clone();
        let relays = Relays::start(options, Arc::new(gate), clock).await;
        let (into, signals) = mpsc::unbounded_channel();
        relays.handle_with(Arc::new(move |signal| -> BoxFuture<'static, ()> {
            // The test has ended, and its relays end with it.
            let _ = into.send(signal);
            Box::pin(std::future::ready(()))
        }));
        Self { relays, signals, service, wallet: Keys::generate() }
    }

    /// … and all its relays are ready.
    pub(crate) async fn ready(relays: &[&TestRelay]) -> Self {
        let bench = Self::start(relays).await;
        for relay in relays {
            bench.until(relay, "ready", |health| health.state == RelayState::Ready).await;
        }
        bench
    }

    /// Health has no notification: it is for operators to look at. So look, now and then.
    pub(crate) async fn until(&self, relay: &TestRelay, what: &str, is_so: impl Fn(&RelayHealth) -> bool) {
        self.until_list(what, |list| list.iter().any(|health| health.url == relay.url() && is_so(health)))
            .await;
    }

    pub(crate) async fn until_list(&self, what: &str, is_so: impl Fn(&[RelayHealth]) -> bool) {
        let looking = async {
            let mut look = tokio::time::interval(Duration::from_millis(2));
            while !is_so(&self.relays.list()) {
                look.tick().await;
            }
        };
        soon(what, looking).await;
    }

    pub(crate) fn health(&self, relay: &TestRelay) -> RelayHealth {
        self.relays.list().into_iter().find(|health| health.url == relay.url()).unwrap()
    }

    /// An event from the wallet to the service.
    pub(crate) fn response(&self, content: &str) -> Event {
        let to_service = Tag::public_key(self.service.public_key());
        EventBuilder::new(RESPONSE, content).tag(to_service).sign_with_keys(&self.wallet).unwrap()
    }

    /// Something for the service to publish, different each time.
    pub(crate) fn challenge(&self) -> Publication {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let content = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        self.publication(EventBuilder::new(CHALLENGE, content))
    }

    /// An event that has been around for that long, to publish.
    pub(crate) fn old_challenge(&self, age: Duration) -> Publication {
        let then = nostr_sdk::Timestamp::from_secs(SystemClock.now().minus(age).secs());
        self.publication(EventBuilder::new(CHALLENGE, "old").custom_created_at(then))
    }

    fn publication(&self, event: EventBuilder) -> Publication {
        let event = event.sign_with_keys(&self.service).unwrap();
        let expires_at = SystemClock.now().plus(Duration::from_secs(300));
        Publication { event: Arc::new(event), also: Vec::new(), only: Vec::new(), expires_at }
    }

    pub(crate) async fn signal(&mut self) -> Signal {
        soon("a signal", self.signals.recv()).await.expect("the relay side runs")
    }

    pub(crate) async fn event(&mut self) -> Event {
        match self.signal().await {
            Signal::Event { event, .. } => *event,
            other => panic!("expected an event, got {other:?}"),
        }
    }
}
