//! The Nostr side: events come in from relays, and go out to them.

mod address;
mod backoff;
mod frame;
mod preferred;
mod refusal;
mod seen;
mod subscription;
