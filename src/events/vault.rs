//! Session and access tokens in the store.
//!
//! A token is a secret, but a caller may ask for it again after a restart. So the store holds it only sealed
//! under the service's own key (NIP-44 to itself): the database file alone reveals nothing.

use std::sync::Arc;

use rand::thread_rng;

use super::EventBody;
use crate::access_token::AccessToken;
use crate::protocol::{AuthStatus, Sealer, SessionToken};
use crate::store::StoreError;

#[derive(Debug, Clone)]
pub(super) struct Vault(Arc<Sealer>);

impl Vault {
    pub(super) fn new(sealer: Arc<Sealer>) -> Self {
        Self(sealer)
    }

    /// The event in the form of the store.
    pub(super) fn seal(&self, body: &EventBody) -> Result<String, StoreError> {
        let mut body = body.clone();
        change_tokens(&mut body, |token| {
            let sealed = self.0.seal_text(&mut thread_rng(), &self.0.public_key(), token);
            sealed.map_err(|_| unusable("cannot seal a token"))
        })?;
        serde_json::to_string(&body).map_err(|_| unusable("cannot serialize an event"))
    }

    /// The event in the form for callers.
    pub(super) fn open(&self, text: &str) -> Result<EventBody, StoreError> {
        let mut body = serde_json::from_str(text).map_err(|_| unusable("cannot parse a stored event"))?;
        change_tokens(&mut body, |token| {
            let opened = self.0.open_text(&self.0.public_key(), token);
            opened.map_err(|_| unusable("a token is sealed under another key"))
        })?;
        Ok(body)
    }
}

/// Replaces each token in the event: the wallet's, and ours.
fn change_tokens(
    body: &mut EventBody,
    change: impl Fn(&str) -> Result<String, StoreError>,
) -> Result<(), StoreError> {
    let EventBody::AuthenticateKey { status, login, .. } = body else { return Ok(()) };
    if let AuthStatus::Approved { session_token, .. } = status {
        *session_token = SessionToken::new(change(session_token.expose())?);
    }
    if let Some(login) = login {
        login.access_token = AccessToken::new(change(login.access_token.expose())?);
    }
    Ok(())
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
