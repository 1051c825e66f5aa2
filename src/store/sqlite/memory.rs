//! What the store answers from memory: right because the file has one writer at a time, and that is this process (the
//! lock of the data folder sees to it). A store with several writers must not answer from memory unless it has
//! heard of all their changes.

use nostr_sdk::PublicKey;

use super::cache::SoleWriterCache;
use crate::store::{Session, StreamId, User, UserId};

/// Users that are kept in memory, and as many sessions.
const ACCOUNTS: usize = 100_000;

/// Wallets whose users are kept in memory.
const SIGNERS: usize = 50_000;

/// What is asked about again and again: every check asks for a session and its user, every token for its signer.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) users: SoleWriterCache<UserId, User>,
    pub(super) sessions: SoleWriterCache<StreamId, Session>,
    /// Of most keys that can have signed a token it is known that they are nobody's.
    pub(super) signers: SoleWriterCache<PublicKey, Option<PublicKey>>,
}

/// Something that a transaction has changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changed {
    User(UserId),
    Session(StreamId),
    /// This key signed for that user; `None`: whose it is must be asked again.
    Signer(PublicKey, Option<PublicKey>),
}

impl Changed {
    /// What is left of it when the transaction is undone: nothing was learnt.
    pub(super) fn undone(self) -> Self {
        match self {
            Self::Signer(signer, _) => Self::Signer(signer, None),
            other => other,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            users: SoleWriterCache::new(ACCOUNTS),
            sessions: SoleWriterCache::new(ACCOUNTS),
            signers: SoleWriterCache::new(SIGNERS),
        }
    }
}

impl Memory {
    /// What these transactions changed is asked of the file again.
    pub(super) fn follow(&self, changes: Vec<Changed>) {
        for changed in changes {
            match changed {
                Changed::User(id) => self.users.forget(&id),
                Changed::Session(id) => self.sessions.forget(&id),
                Changed::Signer(signer, Some(user)) => self.signers.replace(signer, Some(user)),
                Changed::Signer(signer, None) => self.signers.forget(&signer),
            }
        }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&self) {
        self.users.clear();
        self.sessions.clear();
        self.signers.clear();
    }
}
