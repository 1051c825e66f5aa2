//! The actor of an audit record.

use std::fmt;

use crate::clock::Timestamp;
use crate::store::{AuditDraft, AuditKind, User};

/// The caller, wallet or daemon that caused a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(String);

/// As the audit and the log name it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Actor {
    /// A peer of the local socket.
    pub fn peer(peer: &impl fmt::Display) -> Self {
        Self(peer.to_string())
    }

    /// A wallet, over the relays.
    pub fn wallet() -> Self {
        Self("wallet".into())
    }

    /// Callers that are too many to be told apart.
    pub fn others() -> Self {
        Self("others".into())
    }

    /// The daemon itself, on schedule.
    pub fn daemon() -> Self {
        Self("daemon".into())
    }

    /// The audit record of an action that concerns a user.
    pub fn about(&self, kind: AuditKind, user: &User, at: Timestamp) -> AuditDraft {
        AuditDraft {
            user: Some(user.id),
            provider: Some(user.provider.clone()),
            wallet_id: Some(user.wallet_id.clone()),
            ..self.did(kind, at)
        }
    }

    /// The audit record of an action that concerns no user.
    pub fn did(&self, kind: AuditKind, at: Timestamp) -> AuditDraft {
        AuditDraft {
            at,
            kind,
            user: None,
            session: None,
            provider: None,
            wallet_id: None,
            reason: None,
            detail: None,
            actor: self.0.clone(),
        }
    }
}
