//! Gives the fuzzers a frame parser that works like a connection, without one.

use std::sync::Arc;

use nostr_sdk::prelude::{Event, EventId, Keys, Kind, SecretKey};
use tokio::sync::mpsc;

use super::health::{Health, Origin};
use super::inbound::Inbound;
use super::options::RelayOptions;
use super::refusal;
use super::tap::{Control, Tap, Whose};
use crate::clock::Timestamp;

/// The id that our own login went out under.
const LOGIN: [u8; 32] = [0xaa; 32];

struct FuzzedConnection {
    tap: Arc<Tap>,
    controls: mpsc::Sender<Control>,
    heard: mpsc::Receiver<Control>,
    inbound: Arc<Inbound>,
}

impl FuzzedConnection {
    /// A gate of the service in the recorded logins that accepts every event.
    fn open() -> Option<Self> {
        let secret = "9df6b026a8c6c26e3c3acd2370a16e93fffdc0015ff5bd879218788025db0280";
        let keys = Keys::new(SecretKey::parse(secret).ok()?);
        let kinds = [27000, 27001, 27010, 30000].map(Kind::Custom).to_vec();
        let options = RelayOptions { remembered: 16, ..RelayOptions::new(keys, kinds) };
        let health = Health::new(Timestamp::from_secs(1));
        let inbound = Arc::new(Inbound::new(&options, Arc::new(|_: &Event| true), 1));
        let url = "wss://relay.example".parse().ok()?;
        let whose = Whose { url, origin: Origin::Operator, public_only: false };
        let tap = Tap::new(whose, Arc::clone(&inbound), health, 1);
        let (controls, heard) = tap.connected();
        Some(Self { tap, controls, heard, inbound })
    }

    fn take(&mut self, frame: &str) {
        let _ = self.tap.sort(frame.into(), &self.controls, Some(EventId::from_byte_array(LOGIN)));
        // An odd event has an id that it does not show: `raw` has tests of those.
        if let Ok(event) = self.inbound.judge(frame) {
            assert!(event.verify_signature(), "a forgery passed");
        }
        if let Ok(Control::Closed(text) | Control::Notice(text) | Control::Verdict { reason: text, .. }) =
            self.heard.try_recv()
        {
            let _ = refusal::classify(&text);
            assert!(!text.contains(char::is_control), "it writes lines of its own");
        }
    }
}

/// Handles a text frame as if a relay had sent it, and checks what must hold of the result.
pub fn relay_frame(text: &str) {
    thread_local! {
        static CONNECTION: std::cell::RefCell<Option<FuzzedConnection>> = FuzzedConnection::open().into();
    }
    CONNECTION.with_borrow_mut(|connection| {
        if let Some(connection) = connection {
            connection.take(text);
        }
    });
}
