//! The relays, which come and go.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::Result;
use crate::relay::{self, Manners};

/// Two, so that one may be away.
const RELAYS: usize = 2;

pub(crate) struct Relays(Vec<Relay>);

struct Relay {
    address: SocketAddr,
    /// `None` while it is down.
    serving: Option<AbortOnDropHandle<Result<()>>>,
}

impl Relays {
    pub(crate) async fn start() -> Result<Self> {
        let mut relays = Vec::with_capacity(RELAYS);
        for _ in 0..RELAYS {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            relays.push(Relay { address, serving: Some(serve(listener)) });
        }
        Ok(Self(relays))
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.iter().map(|relay| format!("ws://{}", relay.address)).collect()
    }

    /// Takes the relays down that are named by a bit each.
    pub(crate) fn stop(&mut self, which: u8) {
        for (n, relay) in self.0.iter_mut().enumerate() {
            if which & (1 << n) != 0 {
                relay.serving = None;
            }
        }
    }

    /// All that are down come back where they were.
    pub(crate) async fn start_again(&mut self) {
        for relay in self.0.iter_mut().filter(|relay| relay.serving.is_none()) {
            // The port is free once the task that listened has been dropped.
            let listener = loop {
                match TcpListener::bind(relay.address).await {
                    Ok(listener) => break listener,
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            };
            relay.serving = Some(serve(listener));
        }
    }
}

fn serve(listener: TcpListener) -> AbortOnDropHandle<Result<()>> {
    let manners = Manners { max_subscriptions: 20, witness: None };
    AbortOnDropHandle::new(tokio::spawn(relay::serve(listener, manners)))
}
