//! The outcome of a challenge, as the store keeps it: where an approved login begins a session, both are one
//! transaction.

use super::registry::OpenChallenge;
use super::wallet;
use super::{Portal, PortalError, Result};
use crate::events::{EventBody, FailureCode};
use crate::portal_token::TokenError;
use crate::protocol::AuthStatus;
use crate::session::{Actor, Book, Reason, SessionError, until_undisturbed};
use crate::store::{Approval, StoredEvent, WalletLogin};
use crate::wallet::WalletIdentity;

/// An outcome that was kept: the event, and what it says.
type Kept = Option<(StoredEvent, EventBody)>;

impl Portal {
    /// Has the store keep an outcome, and what follows from an approval by this wallet. `None`: the challenge had
    /// ended already, and nothing was done.
    pub(super) async fn keep_outcome(
        &self,
        challenge: &OpenChallenge,
        outcome: &EventBody,
        wallet: Option<WalletLogin>,
    ) -> Result<Kept> {
        let (Some(wallet), Some(book)) = (wallet, self.book.as_ref().filter(|_| challenge.is_login)) else {
            let approval = wallet.map(|wallet| Approval { wallet, session: None });
            return Ok(self.close(challenge, outcome.clone(), approval.as_ref()).await?);
        };
        let identity = match identity_of(outcome) {
            Ok(identity) => identity,
            Err(error) => {
                let failure = failure(challenge, FailureCode::SessionTokenInvalid, Some(error));
                return Ok(self.close(challenge, failure, None).await?);
            }
        };
        let kept =
            until_undisturbed(|| self.begin_session(challenge, outcome, wallet, &identity, book)).await;
        kept.map_err(|error| match error {
            SessionError::Store(error) => PortalError::Store(error),
            _ => PortalError::Seal,
        })
    }

    async fn begin_session(
        &self,
        challenge: &OpenChallenge,
        outcome: &EventBody,
        wallet: WalletLogin,
        identity: &WalletIdentity,
        book: &Book,
    ) -> Result<Kept, SessionError> {
        let prepared = match book.prepare(identity, &Actor::wallet()).await {
            Ok(prepared) => prepared,
            Err(SessionError::Refused(reason)) => {
                let kept = self.close(challenge, refusal(challenge, &reason), None).await?;
                if kept.is_some() {
                    book.refused_at_login(identity, &reason, &Actor::wallet()).await;
                }
                return Ok(kept);
            }
            Err(error) => return Err(error),
        };
        let mut body = outcome.clone();
        if let EventBody::AuthenticateKey { login, .. } = &mut body {
            *login = Some(Box::new(prepared.logged_in));
        }
        let draft = self.events.draft(self.clock.now(), &body)?;
        let approval = Approval { wallet, session: Some(prepared.new) };
        let closed = self.store.close_challenge(challenge.id.as_str(), &draft, Some(&approval)).await?;
        let Some((event, begun)) = closed else { return Ok(None) };
        if let (Some(new), Some(begun)) = (&approval.session, &begun) {
            book.begun(new, begun);
        }
        Ok(Some((event, body)))
    }

    async fn close(
        &self,
        challenge: &OpenChallenge,
        body: EventBody,
        approval: Option<&Approval>,
    ) -> crate::store::Result<Kept> {
        let draft = self.events.draft(self.clock.now(), &body)?;
        let closed = self.store.close_challenge(challenge.id.as_str(), &draft, approval).await?;
        Ok(closed.map(|(event, _)| (event, body)))
    }
}

/// Whose wallet has approved, by its session token that was verified.
fn identity_of(outcome: &EventBody) -> Result<WalletIdentity, TokenError> {
    match outcome {
        EventBody::AuthenticateKey {
            status: AuthStatus::Approved { session_token, .. },
            session: Some(session),
            ..
        } => wallet::identity(session, session_token.expose()),
        _ => Err(TokenError::MalformedToken),
    }
}

fn refusal(challenge: &OpenChallenge, reason: &Reason) -> EventBody {
    match reason {
        Reason::UserDisabled => failure(challenge, FailureCode::UserDisabled, None),
        Reason::UserNotListed => failure(challenge, FailureCode::UserNotListed, None),
        _ => failure(challenge, FailureCode::SessionTokenInvalid, Some(TokenError::TokenExpired)),
    }
}

/// The challenge came to nothing, though its wallet has approved.
pub(super) fn failure(challenge: &OpenChallenge, code: FailureCode, error: Option<TokenError>) -> EventBody {
    EventBody::Error {
        reason: match error {
            Some(error) => format!("{}: {error}", code.reason()),
            None => code.reason().to_owned(),
        },
        code,
        detail: error.map(|error| error.code().to_owned()),
        user_key: (!challenge.ends_stream).then_some(challenge.user),
        request: None,
    }
}
