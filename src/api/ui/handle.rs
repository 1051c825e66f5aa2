//! Names of sessions for the page. A session's id is also the id of its stream, which the page must not learn.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::portal::StreamId;

/// Makes names that stand for ids until the daemon restarts, and that nobody can turn back.
pub(super) struct Handles([u8; 32]);

impl Default for Handles {
    fn default() -> Self {
        Self(rand::random())
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").finish_non_exhaustive()
    }
}

impl Handles {
    pub(super) fn of(&self, id: StreamId) -> String {
        let hash = Sha256::new().chain_update(self.0).chain_update(id.as_bytes()).finalize();
        hex::encode(&hash[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_handle_stands_for_one_id_and_does_not_contain_it() {
        let (one, other) = (Handles::default(), Handles::default());
        let id = |byte| StreamId::new(Timestamp::from_secs(1), [byte; 10]);
        assert_eq!(one.of(id(1)), one.of(id(1)));
        assert_ne!(one.of(id(1)), one.of(id(2)));
        assert_ne!(one.of(id(1)), other.of(id(1)), "another daemon has other names");
        assert!(!id(1).to_string().replace('-', "").contains(&one.of(id(1))));
    }
}
