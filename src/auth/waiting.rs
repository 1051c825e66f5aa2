//! The handshakes that wait to be scanned, found by what wallets send back.
//!
//! Portal's wallets send the token as it stands in the URL, others decode it first. Either way it is one token. A scan
//! that could mean two different tokens reaches neither.

use std::borrow::Cow;
use std::sync::Arc;

use dashmap::DashMap;

use super::registry::OpenHandshake;
use super::requests::MAX_STATIC_TOKEN;
use crate::protocol::{decode_token, token_in_url};
use crate::store::Handshake;

/// Handshakes that are open, by their token.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_token: DashMap<String, Vec<Arc<OpenHandshake>>>,
    /// Of tokens that decoding changes, by what becomes of them: whoever prints a URL of their own may have put the
    /// token there as it is.
    by_decoded: DashMap<String, Vec<String>>,
}

impl Waiting {
    pub(super) fn add(&self, handshake: Arc<OpenHandshake>) {
        let token = handshake.row.token.clone();
        let is_first = {
            let mut open = self.by_token.entry(token.clone()).or_default();
            open.push(handshake);
            open.len() == 1
        };
        if is_first && let Some(decoded) = changed_by_decoding(&token) {
            self.by_decoded.entry(decoded).or_default().push(token);
        }
    }

    pub(super) fn remove(&self, row: &Handshake) {
        let last = self.by_token.remove_if_mut(&row.token, |_, open| {
            open.retain(|other| other.row.stream != row.stream);
            open.is_empty()
        });
        if last.is_some()
            && let Some(decoded) = changed_by_decoding(&row.token)
        {
            self.by_decoded.remove_if_mut(&decoded, |_, tokens| {
                // Once: another may have opened the same token since.
                if let Some(at) = tokens.iter().position(|token| *token == row.token) {
                    tokens.swap_remove(at);
                }
                tokens.is_empty()
            });
        }
    }

    /// Those that wait on exactly this token, the oldest first.
    pub(super) fn on(&self, token: &str) -> Vec<Arc<OpenHandshake>> {
        self.by_token.get(token).map(|found| found.clone()).unwrap_or_default()
    }

    /// Those that a wallet means which has sent this, the oldest first; all are of one token.
    pub(super) fn scanned(&self, sent: &str) -> Vec<Arc<OpenHandshake>> {
        if sent.len() > 3 * MAX_STATIC_TOKEN {
            // Longer than any token in any spelling.
            return Vec::new();
        }
        let exact = self.on(sent);
        let decoded = decode_token(sent);
        let encoded = if decoded == sent { Vec::new() } else { self.on(&decoded) };
        let as_in_our_url = !encoded.is_empty() && token_in_url(&decoded) == sent;
        match (exact.is_empty(), as_in_our_url) {
            (false, false) => exact,
            (true, true) => encoded,
            (false, true) => Vec::new(),
            (true, false) => self.otherwise_spelled(sent, encoded),
        }
    }

    /// Spellings that no URL of ours leads to: one token of all must be meant.
    fn otherwise_spelled(&self, sent: &str, encoded: Vec<Arc<OpenHandshake>>) -> Vec<Arc<OpenHandshake>> {
        let mut tokens = self.by_decoded.get(sent).map(|found| found.clone()).unwrap_or_default();
        tokens.sort_unstable();
        tokens.dedup();
        match &tokens[..] {
            [] => encoded,
            [token] if encoded.is_empty() => self.on(token),
            _ => Vec::new(),
        }
    }

    /// Whether another token is open such that what stands for one of the two in a URL is the other.
    pub(super) fn has_twin_of(&self, token: &str) -> bool {
        let is_open = |token: &str| self.by_token.contains_key(token);
        let written = token_in_url(token);
        let read = decode_token(token);
        (written != token && is_open(&written))
            || (read != token && token_in_url(&read) == token && is_open(&read))
    }
}

fn changed_by_decoding(token: &str) -> Option<String> {
    match decode_token(token) {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::auth::registry::Registry;
    use crate::clock::Timestamp;
    use crate::store::{HandshakeKind, StreamId};

    fn handshake(token: &str, id: u8) -> Arc<OpenHandshake> {
        let row = Handshake {
            stream: StreamId::from_bytes([id; 16]),
            token: token.to_owned(),
            kind: HandshakeKind::Handshake,
            no_request: false,
            created_at: Timestamp::from_secs(0),
            expires_at: None,
        };
        Arc::new(OpenHandshake::new(row, Registry::default().keep_room()))
    }

    /// What is open, and in which order it was opened.
    fn waiting_on(tokens: &[&str]) -> Waiting {
        let waiting = Waiting::default();
        for (token, id) in tokens.iter().zip(0..) {
            waiting.add(handshake(token, id));
        }
        waiting
    }

    /// Which token a wallet means that has sent this.
    fn meant(waiting: &Waiting, sent: &str) -> Option<String> {
        let found: HashSet<_> =
            waiting.scanned(sent).iter().map(|handshake| handshake.row.token.clone()).collect();
        assert!(found.len() <= 1, "{sent} reaches {found:?}");
        found.into_iter().next()
    }

    #[test]
    fn a_token_is_known_in_every_spelling() {
        let token = "table/14:@+=,()!*'#% à&";
        let waiting = waiting_on(&[token]);
        let all: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for sent in [token, &token_in_url(token), &all, "table%2F14:@+=,()!*'#%25%20%c3%a0%26"] {
            assert_eq!(meant(&waiting, sent).as_deref(), Some(token), "{sent}");
        }
        assert_eq!(meant(&waiting, "table"), None);
    }

    #[test]
    fn a_token_that_looks_encoded_and_the_one_it_decodes_to_keep_their_scans_apart() {
        let (plain, encoded) = ("a/b", "a%2Fb");
        let both = waiting_on(&[plain, encoded]);
        assert_eq!(meant(&both, plain).as_deref(), Some(plain));
        assert_eq!(meant(&both, encoded).as_deref(), Some(encoded));
        assert_eq!(meant(&both, &token_in_url(encoded)).as_deref(), Some(encoded));
        // Where only one of them is there, either spelling means it.
        for only in [plain, encoded] {
            let waiting = waiting_on(&[only]);
            for sent in [plain, encoded] {
                assert_eq!(meant(&waiting, sent).as_deref(), Some(only), "{sent}");
            }
        }
        assert!(!waiting_on(&[plain]).has_twin_of(encoded) && !waiting_on(&[encoded]).has_twin_of(plain));
    }

    #[test]
    fn a_scan_that_could_mean_two_tokens_reaches_neither_and_the_second_is_not_let_in() {
        let (plain, encoded) = ("a b", "a%20b");
        for (first, second) in [(plain, encoded), (encoded, plain)] {
            assert!(waiting_on(&[first]).has_twin_of(second), "{second}");
            assert!(!waiting_on(&[first]).has_twin_of("a"));
        }
        let both = waiting_on(&[plain, encoded]);
        assert_eq!(meant(&both, encoded), None);
        assert_eq!(meant(&both, plain).as_deref(), Some(plain));
        let three = waiting_on(&["%61b", "a%62"]);
        assert_eq!(meant(&three, "ab"), None, "either may be meant");
    }

    #[test]
    fn what_was_taken_back_is_found_by_no_spelling_and_takes_no_room() {
        let waiting = Waiting::default();
        let open = [handshake("a%2Fb", 1), handshake("a%2Fb", 2)];
        open.iter().for_each(|one| waiting.add(Arc::clone(one)));
        waiting.remove(&open[0].row);
        assert_eq!(waiting.scanned("a/b").len(), 1);
        waiting.remove(&open[1].row);
        waiting.remove(&open[1].row);
        assert!(waiting.scanned("a/b").is_empty());
        assert!(waiting.by_token.is_empty() && waiting.by_decoded.is_empty());
    }

    /// Tokens that read alike.
    fn token() -> impl Strategy<Value = String> {
        prop_oneof!["[ab/ %&25F0]{1,6}", Just("a b".to_owned()), Just("a%20b".to_owned()), ".{1,5}"]
    }

    proptest! {
        #[test]
        fn a_scan_of_our_url_reaches_its_own_stream_whether_the_wallet_decodes_or_not(
            tokens in prop::collection::vec(token(), 1..6),
        ) {
            let waiting = Waiting::default();
            let mut open = Vec::new();
            for (token, id) in tokens.iter().zip(0..) {
                if !waiting.on(token).is_empty() || !waiting.has_twin_of(token) {
                    waiting.add(handshake(token, id));
                    open.push(token);
                }
            }
            for token in open {
                let url = token_in_url(token);
                for sent in [url.clone(), decode_token(&url)] {
                    prop_assert_eq!(meant(&waiting, &sent), Some(token.clone()), "{}", sent);
                }
            }
        }
    }
}
