//! What the store answers from memory. This is correct because the file has one writer at a time, which is
//! this process (the lock of the data folder ensures it). A store with several writers may answer from memory
//! only if it has heard of all their changes.

use nostr_sdk::PublicKey;

use super::cache::SoleWriterCache;
use crate::store::{Session, StreamId, User, UserId, WalletLogin};

/// How many users are cached, and how many sessions.
const ACCOUNTS: usize = 100_000;

/// How many wallets are cached with their users.
const SIGNERS: usize = 50_000;

/// Rows that are read very often: every check reads a session and its user, every token its signer.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) users: SoleWriterCache<UserId, User>,
    pub(super) sessions: SoleWriterCache<StreamId, Session>,
    /// Most keys that can sign a token belong to no user, and the cache remembers that.
    pub(super) signers: SoleWriterCache<PublicKey, Option<WalletLogin>>,
}

/// A row that a transaction has changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changed {
    User(UserId),
    Session(StreamId),
    /// This key signed for that user; `None`: read it again.
    Signer(PublicKey, Option<WalletLogin>),
}

impl Changed {
    /// The report if the transaction is undone: nothing was learnt.
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
    /// The changes of these transactions are read from the file again.
    pub(super) fn follow(&self, changes: Vec<Changed>) {
        for changed in changes {
            match changed {
                Changed::User(id) => self.users.forget(&id),
                Changed::Session(id) => self.sessions.forget(&id),
                Changed::Signer(signer, Some(login)) => self.signers.replace(signer, Some(login)),
                Changed::Signer(signer, None) => self.signers.forget(&signer),
            }
        }
    }

    /// Empties the memory.
    pub(super) fn clear(&self) {
        self.users.clear();
        self.sessions.clear();
        self.signers.clear();
    }
}
