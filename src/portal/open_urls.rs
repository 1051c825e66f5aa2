//! The open handshakes, found by the token that a wallet sends back.
//!
//! Portal's wallets send the token as it stands in the URL, other wallets decode it first, and others read it
//! as form data. So a token matches in every spelling, and two tokens that are spellings of each other are
//! never open at the same time.

use std::sync::Arc;

use dashmap::DashMap;

use super::registry::OpenHandshake;
use super::requests::MAX_STATIC_TOKEN;
use crate::protocol::{common_spelling, token_in_url};
use crate::store::Handshake;

/// Open handshakes, by their token.
#[derive(Debug, Default)]
pub(super) struct OpenUrls {
    by_token: DashMap<String, Vec<Arc<OpenHandshake>>>,
    /// The open tokens, by the common form of their spellings. One each, unless an older version opened more.
    by_spelling: DashMap<Vec<u8>, Vec<String>>,
}

impl OpenUrls {
    pub(super) fn add(&self, handshake: Arc<OpenHandshake>) {
        let token = handshake.row.token.clone();
        let is_first = {
            let mut open = self.by_token.entry(token.clone()).or_default();
            open.push(handshake);
            open.len() == 1
        };
        if is_first {
            self.by_spelling.entry(common_spelling(&token)).or_default().push(token);
        }
    }

    pub(super) fn remove(&self, row: &Handshake) {
        let last = self.by_token.remove_if_mut(&row.token, |_, open| {
            open.retain(|other| other.row.stream != row.stream);
            open.is_empty()
        });
        if last.is_some() {
            self.by_spelling.remove_if_mut(&common_spelling(&row.token), |_, tokens| {
                // Once: another may have opened the same token since.
                if let Some(at) = tokens.iter().position(|token| *token == row.token) {
                    tokens.swap_remove(at);
                }
                tokens.is_empty()
            });
        }
    }

    /// The handshakes with exactly this token, the oldest first.
    pub(super) fn on(&self, token: &str) -> Vec<Arc<OpenHandshake>> {
        self.by_token.get(token).map(|found| found.clone()).unwrap_or_default()
    }

    /// The handshakes that a wallet means when it sends this text, the oldest first; all have the same token.
    pub(super) fn scanned(&self, sent: &str) -> Vec<Arc<OpenHandshake>> {
        if sent.len() > 3 * MAX_STATIC_TOKEN {
            // Longer than any token in any spelling.
            return Vec::new();
        }
        let tokens = self.spelled_like(sent);
        let as_written = |token: &&String| *token == sent || token_in_url(token) == sent;
        let mut meant = tokens.iter().filter(|token| tokens.len() == 1 || as_written(token));
        match (meant.next(), meant.next()) {
            (Some(token), None) => self.on(token),
            // Nobody can tell which of them.
            _ => Vec::new(),
        }
    }

    /// Whether another open token is a spelling of this one: Portico could not tell their scans apart.
    pub(super) fn has_twin_of(&self, token: &str) -> bool {
        self.spelled_like(token).iter().any(|open| open != token)
    }

    /// The open tokens that share a spelling with this one.
    fn spelled_like(&self, token: &str) -> Vec<String> {
        self.by_spelling.get(&common_spelling(token)).map(|found| found.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::portal::registry::Registry;
    use crate::protocol::decode_token;
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

    /// The open tokens, in the order in which they were opened.
    fn waiting_on(tokens: &[&str]) -> OpenUrls {
        let waiting = OpenUrls::default();
        for (token, id) in tokens.iter().zip(0..) {
            waiting.add(handshake(token, id));
        }
        waiting
    }

    /// Which token a wallet means that has sent this.
    fn meant(waiting: &OpenUrls, sent: &str) -> Option<String> {
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
    fn a_wallet_that_reads_the_url_as_a_form_is_understood() {
        let waiting = waiting_on(&["a+b", "c d"]);
        for (sent, token) in
            [("a b", "a+b"), ("a+b", "a+b"), ("a%2Bb", "a+b"), ("c+d", "c d"), ("c%20d", "c d")]
        {
            assert_eq!(meant(&waiting, sent).as_deref(), Some(token), "{sent}");
        }
    }

    #[test]
    fn a_token_is_not_opened_beside_another_spelling_of_it_whatever_makes_the_difference() {
        for (one, other) in
            [("a/b", "a%2Fb"), ("a b", "a%20b"), ("à", "%C3%A0"), ("A", "%41"), ("a+b", "a b"), ("%", "%25")]
        {
            for (first, second) in [(one, other), (other, one)] {
                let waiting = waiting_on(&[first]);
                assert!(waiting.has_twin_of(second), "{first} {second}");
                assert!(!waiting.has_twin_of(first) && !waiting.has_twin_of("something else"));
                // A scan of either means the one that is open.
                assert_eq!(meant(&waiting, second).as_deref(), Some(first));
            }
        }
    }

    #[test]
    fn of_two_spellings_that_an_older_version_opened_a_scan_reaches_the_one_that_it_spells_out() {
        let both = waiting_on(&["a/b", "a%2Fb"]);
        for (sent, token) in
            [("a/b", Some("a/b")), ("a%2Fb", Some("a%2Fb")), ("a%252Fb", Some("a%2Fb")), ("%61/b", None)]
        {
            assert_eq!(meant(&both, sent).as_deref(), token, "{sent}");
        }
        let alike = waiting_on(&["a b", "a%20b"]);
        assert_eq!(meant(&alike, "a%20b"), None, "either may be meant");
    }

    #[test]
    fn what_was_taken_back_is_found_by_no_spelling_and_takes_no_room() {
        let waiting = OpenUrls::default();
        let open = [handshake("a%2Fb", 1), handshake("a%2Fb", 2)];
        open.iter().for_each(|one| waiting.add(Arc::clone(one)));
        waiting.remove(&open[0].row);
        assert_eq!(waiting.scanned("a/b").len(), 1);
        waiting.remove(&open[1].row);
        waiting.remove(&open[1].row);
        assert!(waiting.scanned("a/b").is_empty());
        assert!(waiting.by_token.is_empty() && waiting.by_spelling.is_empty());
    }

    /// Tokens that read alike.
    fn token() -> impl Strategy<Value = String> {
        prop_oneof!["[ab/ +%&25F0]{1,6}", Just("a b".to_owned()), Just("a%20b".to_owned()), ".{1,5}"]
    }

    proptest! {
        #[test]
        fn a_scan_of_our_url_reaches_its_own_stream_whether_the_wallet_decodes_or_not(
            tokens in prop::collection::vec(token(), 1..6),
        ) {
            let waiting = OpenUrls::default();
            let mut open = Vec::new();
            for (token, id) in tokens.iter().zip(0..) {
                if !waiting.on(token).is_empty() || !waiting.has_twin_of(token) {
                    waiting.add(handshake(token, id));
                    open.push(token);
                }
            }
            for token in open {
                let url = token_in_url(token);
                let as_a_form = decode_token(&url.replace('+', " ")).into_owned();
                for sent in [decode_token(&url).into_owned(), as_a_form, url.into_owned()] {
                    prop_assert_eq!(meant(&waiting, &sent), Some(token.clone()), "{}", sent);
                }
            }
        }
    }
}
