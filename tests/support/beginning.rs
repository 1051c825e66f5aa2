//! Where many tests begin.

use nostr_sdk::{Event, Keys, PublicKey};
use portico::protocol::SubkeyProof;
use serde_json::{Value, json};

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

/// Somebody who has logged in where sessions are on, and what both layers gave them.
pub(crate) struct Member {
    pub(crate) phone: Phone,
    /// The first layer: the wallet's session token.
    pub(crate) credential: String,
    /// The second: what the login ended with.
    pub(crate) login: Value,
}

impl Member {
    /// Somebody with a wallet of their own.
    pub(crate) async fn of(daemon: &Daemon) -> Self {
        let (mut phone, asked, stream) = asked_to_log_in(daemon).await;
        phone.approve(&asked).await;
        let approved = daemon.ended(&stream).await.pop().unwrap();
        let credential = approved["status"]["session_token"].as_str().unwrap().to_owned();
        Self { phone, credential, login: approved["login"].clone() }
    }

    pub(crate) fn access_token(&self) -> &str {
        self.login["access_token"].as_str().unwrap()
    }

    pub(crate) fn session(&self) -> &str {
        self.login["session"]["id"].as_str().unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        self.login["user"]["id"].as_str().unwrap()
    }

    /// Both layers, as `/auth/verify` and its like take them.
    pub(crate) fn both(&self) -> Value {
        json!({ "access_token": self.access_token(), "credential": self.credential })
    }
}
