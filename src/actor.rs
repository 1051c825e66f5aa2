//! Who asked for something, as the audit names them.

use std::fmt;

use crate::clock::Timestamp;
use crate::store::{AuditDraft, AuditKind, User};

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// A peer of the local socket.
    pub fn peer(peer: &impl fmt::Display) -> Self {
        Self(peer.to_string())
    }

    /// A wallet, over the relays.
    pub fn wallet() -> Self {
        Self("wallet".into())
    }

    /// The daemon itself, on schedule.
    pub fn daemon() -> Self {
        Self("daemon".into())
    }

    /// What the audit says of something that was done about a user.
    pub fn about(&self, kind: AuditKind, user: &User, at: Timestamp) -> AuditDraft {
        AuditDraft {
            user: Some(user.id),
            provider: Some(user.provider.clone()),
            wallet_id: Some(user.wallet_id.clone()),
            ..self.did(kind, at)
        }
    }

    /// What the audit says of something that is about nobody.
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
