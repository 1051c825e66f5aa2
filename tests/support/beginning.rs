//! Where many tests begin.

use nostr_sdk::{Event, Keys, PublicKey};
use portico::protocol::SubkeyProof;
use serde_json::json;

use super::daemon::Daemon;
use super::phone::{Asked, Phone};
use super::relay::TestRelay;

/// A user who has scanned a login URL and is being asked, and the stream of that login.
pub(crate) async fn asked_to_log_in(daemon: &Daemon) -> (Phone, Asked, String) {
    let (url, stream) = daemon.rest().login(json!({})).await;
    let mut phone = Phone::new();
    phone.scan(&url).await;
    let asked = phone.challenge().await;
    (phone, asked, stream)
}

/// A wallet on a subkey that was sent a challenge for its main key, which it cannot read.
pub(crate) struct Unread {
    pub(crate) main: PublicKey,
    pub(crate) phone: Phone,
    pub(crate) event: Event,
    pub(crate) proof: SubkeyProof,
    pub(crate) stream: String,
}

impl Unread {
    /// A challenge that the daemon sends over this relay.
    pub(crate) async fn over(relay: &TestRelay, daemon: &Daemon) -> Self {
        let main = Keys::generate();
        let mut phone = Phone::on_subkey_of(&main);
        phone.connect(&relay.url()).await;
        let stream = daemon.rest().authenticate(main.public_key()).await;
        let event = phone.message().await;
        Self { main: main.public_key(), proof: phone.proof().clone(), phone, event, stream }
    }
}
