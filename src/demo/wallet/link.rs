//! One relay that the wallet listens on.

use std::borrow::Cow;
use std::sync::Arc;

use nostr_sdk::pool::{Relay, RelayNotification};
use nostr_sdk::{ClientMessage, Event, Filter, RelayMessage, RelayStatus, SubscriptionId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// A relay, and whether it has confirmed our subscription.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) relay: Relay,
    pub(super) ready: watch::Receiver<bool>,
}

/// Subscribes on every new connection and forwards events, until the client shuts down.
///
/// nostr-sdk subscribes again after a reconnect, but sometimes loses that request. So this sends the
/// request, and its answer shows when the relay is ready.
pub(super) async fn follow(
    relay: Relay,
    mut notifications: Receiver<RelayNotification>,
    filter: Filter,
    ready: watch::Sender<bool>,
    heard: Arc<dyn Fn(Event) + Send + Sync>,
) {
    let subscription = SubscriptionId::generate();
    loop {
        match notifications.recv().await {
            Ok(RelayNotification::RelayStatus { status }) => {
                ready.send_replace(false);
                if status == RelayStatus::Connected {
                    subscribe(&relay, &subscription, &filter);
                }
            }
            // A request that the relay refused before the login may be allowed now (NIP-42).
            Ok(RelayNotification::Authenticated) => subscribe(&relay, &subscription, &filter),
            Ok(RelayNotification::Message { message: RelayMessage::EndOfStoredEvents(id) })
                if *id == subscription =>
            {
                ready.send_replace(true);
            }
            Ok(RelayNotification::Event { event, .. }) => heard(*event),
            Ok(RelayNotification::Shutdown) | Err(RecvError::Closed) => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
        }
    }
}

fn subscribe(relay: &Relay, subscription: &SubscriptionId, filter: &Filter) {
    let request = ClientMessage::Req {
        subscription_id: Cow::Borrowed(subscription),
        filters: vec![Cow::Borrowed(filter)],
    };
    // An error means that the connection is already closed; the next one subscribes again.
    let _ = relay.send_msg(request);
}
