//! The Nostr side: events come in from relays, and go out to them.

mod address;
mod backoff;
mod error;
mod frame;
mod health;
mod lane;
mod options;
mod outbox;
mod preferred;
mod readiness;
mod refusal;
mod seen;
mod subscription;
mod tasks;

pub use error::{LinkError, RelayError};
pub use health::{Counters, Origin, RelayHealth, RelayState};
pub use options::{RelayOptions, RelaySpec};
pub use outbox::Publication;
