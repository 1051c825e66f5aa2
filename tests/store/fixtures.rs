//! A small world to store: users, streams and times told apart by small numbers.

use nostr_sdk::PublicKey;
use portico::clock::Timestamp;
use portico::store::{
    Approval, AuditDraft, AuditKind, Challenge, Envelope, EventDraft, Handshake, HandshakeKind, Page,
    PurgeBefore, Recovered, Revocation, Scan, Store, StreamId, WalletLogin,
};

pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// What the audit says of an operator's change that concerns no user.
pub(crate) fn asked(kind: AuditKind, secs: u64) -> AuditDraft {
    AuditDraft {
        at: at(secs),
        kind,
        user: None,
        session: None,
        provider: None,
        wallet_id: None,
        reason: None,
        detail: None,
        actor: "unix uid 0".into(),
    }
}

/// Revokes a token for an operator.
pub(crate) async fn revoke(store: &dyn Store, revocation: &Revocation, secs: u64) -> bool {
    store.revoke(revocation, at(secs), &asked(AuditKind::TokenRevoked, secs)).await.unwrap()
}

/// Drops deliveries for an operator.
pub(crate) async fn drop_deliveries(store: &dyn Store, stream: Option<StreamId>) -> u64 {
    store.drop_deliveries(stream, &asked(AuditKind::WebhooksDropped, 500)).await.unwrap()
}

/// Retries deliveries for an operator.
pub(crate) async fn retry_deliveries(store: &dyn Store, stream: Option<StreamId>, secs: u64) -> u64 {
    store.retry_deliveries(stream, at(secs), &asked(AuditKind::WebhooksRetried, secs)).await.unwrap()
}

pub(crate) fn user(n: u8) -> PublicKey {
    PublicKey::from_byte_array([n; 32])
}

pub(crate) fn stream(n: u8) -> StreamId {
    StreamId::new(at(n.into()), [n; 10])
}

pub(crate) fn event(text: &str, secs: u64) -> EventDraft {
    EventDraft { at: at(secs), body: format!(r#"{{"type":"{text}"}}"#) }
}

/// A one-time URL that only tells who scanned.
pub(crate) fn handshake(stream: StreamId) -> Handshake {
    Handshake {
        stream,
        token: format!("token of {stream}"),
        kind: HandshakeKind::Handshake,
        no_request: true,
        created_at: at(100),
        expires_at: Some(at(400)),
    }
}

/// A URL on a wall, behind which a login waits for every user.
pub(crate) fn static_login(stream: StreamId) -> Handshake {
    Handshake {
        kind: HandshakeKind::Login,
        no_request: false,
        expires_at: None,
        token: "wall".into(),
        ..handshake(stream)
    }
}

/// A challenge to user 1 that ends its stream.
pub(crate) fn challenge(name: &str, stream: StreamId) -> Challenge {
    Challenge {
        challenge: name.into(),
        stream,
        user: user(1),
        relays: vec!["wss://relay.example".into(), "wss://\"quoted\".example".into()],
        envelopes: vec![envelope(1, "first"), envelope(2, "second")],
        renewals: 0,
        ends_stream: true,
        is_login: false,
        created_at: at(100),
        expires_at: at(400),
    }
}

pub(crate) fn envelope(recipient: u8, id: &str) -> Envelope {
    Envelope { recipient: user(recipient), event: format!(r#"{{"id":"{id}","content":"…"}}"#) }
}

/// User 1 approves, with a token that this key signed.
pub(crate) fn approval(signer: u8) -> Approval {
    let until = (signer != 1).then_some(at(1_000));
    Approval { wallet: WalletLogin { signer: user(signer), user: user(1), until }, session: None }
}

/// User 1 scans a one-time URL.
pub(crate) fn scan(event_id: u8, streams: &[StreamId]) -> Scan {
    Scan {
        event_id: [event_id; 32],
        user: user(1),
        preferred_relays: vec!["wss://wallet.example".into()],
        at: at(200),
        events: streams.iter().map(|stream| (*stream, event("key_handshake", 200))).collect(),
        one_time: true,
        challenge: None,
    }
}

/// Drops nothing.
pub(crate) fn purge_nothing() -> PurgeBefore {
    PurgeBefore {
        revocations: at(0),
        replays: at(0),
        scans: at(0),
        challenges: at(0),
        strangers: at(0),
        streams: at(0),
        deliveries: at(0),
        sessions: at(0),
        users: at(0),
        audit: at(0),
        at: at(0),
    }
}

/// A whole stream.
pub(crate) async fn page(store: &dyn Store, stream: StreamId) -> Page {
    store.events_after(stream, 0, 1_000).await.unwrap().expect("no such stream")
}

/// All that is open.
pub(crate) async fn recovered(store: &dyn Store) -> Recovered {
    store.recover(at(0)).await.unwrap()
}
