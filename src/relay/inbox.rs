//! The channel from the workers of all relays to the handlers of events: senders that Portico waits for go
//! first.

use tokio::sync::mpsc;

use super::signal::Signal;

/// The sending end.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    urgent: mpsc::Sender<Signal>,
    ordinary: mpsc::Sender<Signal>,
}

/// An [`Inbox`] that does not keep the receiver open.
#[derive(Debug, Clone)]
pub(super) struct WeakInbox {
    urgent: mpsc::WeakSender<Signal>,
    ordinary: mpsc::WeakSender<Signal>,
}

/// The signals of the relays, for their handlers.
#[derive(Debug)]
pub struct Signals {
    urgent: mpsc::Receiver<Signal>,
    ordinary: mpsc::Receiver<Signal>,
}

/// An inbox with room for this many signals of each kind.
pub(super) fn inbox(size: usize) -> (Inbox, Signals) {
    let (urgent, urgent_outlet) = mpsc::channel(size.max(1));
    let (ordinary, ordinary_outlet) = mpsc::channel(size.max(1));
    (Inbox { urgent, ordinary }, Signals { urgent: urgent_outlet, ordinary: ordinary_outlet })
}

impl Inbox {
    /// Delivers a signal of a sender that Portico waits for, or of our own question. Waits for room. Returns
    /// `false` if everything stops.
    pub(super) async fn send_urgent(&self, signal: Signal) -> bool {
        self.urgent.send(signal).await.is_ok()
    }

    /// Delivers a signal of any sender. Waits for room. Returns `false` if everything stops.
    pub(super) async fn send(&self, signal: Signal) -> bool {
        self.ordinary.send(signal).await.is_ok()
    }

    /// Whether a signal of any sender would have to wait for room.
    pub(super) fn is_full(&self) -> bool {
        self.ordinary.capacity() == 0
    }

    pub(super) fn downgrade(&self) -> WeakInbox {
        WeakInbox { urgent: self.urgent.downgrade(), ordinary: self.ordinary.downgrade() }
    }

    /// How many signals wait to be handled.
    pub(super) fn len(&self) -> usize {
        [&self.urgent, &self.ordinary].map(|sender| sender.max_capacity() - sender.capacity()).iter().sum()
    }
}

impl WeakInbox {
    pub(super) fn upgrade(&self) -> Option<Inbox> {
        Some(Inbox { urgent: self.urgent.upgrade()?, ordinary: self.ordinary.upgrade()? })
    }
}

impl Signals {
    /// The next signal. `None`: everything stops.
    pub async fn recv(&mut self) -> Option<Signal> {
        tokio::select! {
            biased;
            Some(signal) = self.urgent.recv() => Some(signal),
            Some(signal) = self.ordinary.recv() => Some(signal),
            else => None,
        }
    }
}
