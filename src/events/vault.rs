//! Session and access tokens at rest.
//!
//! A token is a secret, yet a caller may ask for it again after a restart. So the store holds it only
//! sealed under the service's own key (NIP-44 to itself): the database file alone reveals nothing.

use std::sync::Arc;

use rand::thread_rng;

use super::EventBody;
use crate::protocol::{AuthStatus, Sealer, SessionToken};
use crate::store::StoreError;

#[derive(Debug, Clone)]
pub(super) struct Vault(Arc<Sealer>);

impl Vault {
    pub(super) fn new(sealer: Arc<Sealer>) -> Self {
        Self(sealer)
    }

    /// The event as the store keeps it.
    pub(super) fn seal(&self, body: &EventBody) -> Result<String, StoreError> {
        let mut body = body.clone();
        for token in tokens_in(&mut body) {
            let sealed = self.0.seal_text(&mut thread_rng(), &self.0.public_key(), token.expose());
            *token = SessionToken::new(sealed.map_err(|_| unusable("a token cannot be sealed"))?);
        }
        serde_json::to_string(&body).map_err(|_| unusable("an event cannot be written"))
    }

    /// The event as callers see it.
    pub(super) fn open(&self, text: &str) -> Result<EventBody, StoreError> {
        let mut body = serde_json::from_str(text).map_err(|_| unusable("an event cannot be read"))?;
        for token in tokens_in(&mut body) {
            let opened = self.0.open_text(&self.0.public_key(), token.expose());
            *token = SessionToken::new(opened.map_err(|_| unusable("a token is sealed under another key"))?);
        }
        Ok(body)
    }
}

fn tokens_in(body: &mut EventBody) -> impl Iterator<Item = &mut SessionToken> {
    let (of_wallet, of_ours) = match body {
        EventBody::AuthenticateKey { status, login, .. } => {
            let of_wallet = match status {
                AuthStatus::Approved { session_token, .. } => Some(session_token),
                AuthStatus::Declined { .. } => None,
            };
            (of_wallet, login.as_mut().map(|login| &mut login.access_token))
        }
        _ => (None, None),
    };
    of_wallet.into_iter().chain(of_ours)
}

fn unusable(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

#[cfg(test)]
mod tests {
    use nostr_sdk::Keys;

    use super::*;

    fn approval(token: &str) -> EventBody {
        let user = Keys::parse(&"4e".repeat(32)).unwrap().public_key();
        EventBody::AuthenticateKey {
            user_key: user,
            recipient: user,
            challenge: "c".into(),
            status: AuthStatus::Approved {
                granted_permissions: vec![],
                session_token: SessionToken::new(token),
            },
            session: None,
            login: None,
        }
    }

    fn vault(secret: &str) -> Vault {
        Vault::new(Arc::new(Sealer::new(Keys::parse(&secret.repeat(32)).unwrap(), 8)))
    }

    #[test]
    fn another_user_on_the_machine_who_reads_the_database_finds_no_token_in_it() {
        let vault = vault("1b");
        let stored = vault.seal(&approval("eyJ.secret.token")).unwrap();
        assert!(!stored.contains("secret"), "{stored}");
        let EventBody::AuthenticateKey { status: AuthStatus::Approved { session_token, .. }, .. } =
            vault.open(&stored).unwrap()
        else {
            panic!("another kind of event came back");
        };
        assert_eq!(session_token.expose(), "eyJ.secret.token");
    }

    #[test]
    fn a_token_sealed_under_another_key_is_an_error_not_garbage() {
        let stored = vault("1b").seal(&approval("t.o.ken")).unwrap();
        assert!(matches!(vault("2c").open(&stored), Err(StoreError::Corrupt(_))));
    }
}
