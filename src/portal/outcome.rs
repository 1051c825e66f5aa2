//! Stores the outcome of a challenge. If an approved login starts a session, both are one transaction.

use super::registry::OpenChallenge;
use super::{Portal, PortalError, Result};
use crate::events::{EventBody, FailureCode};
use crate::portal_token::TokenError;
use crate::session::{Actor, Book, Reason, SessionError, until_undisturbed};
use crate::store::{Approval, StoredEvent, WalletLogin};
use crate::tokens::Vouched;
use crate::wallet::WalletIdentity;
use crate::wallet::portal::identity;

/// A stored outcome: the event, and its content.
type Kept = Option<(StoredEvent, EventBody)>;

impl Portal {
    /// Stores an outcome, and what follows from an approval with a verified token. Returns `None` if the
    /// challenge had ended already; then nothing is stored.
    pub(super) async fn keep_outcome(
        &self,
        challenge: &OpenChallenge,
        outcome: &EventBody,
        vouched: Option<Vouched>,
    ) -> Result<Kept> {
        let (Some(vouched), Some(book)) = (vouched, self.book.as_ref().filter(|_| challenge.is_login)) else {
            let wallet = vouched.map(|vouched| login(&vouched));
            let approval = wallet.map(|wallet| Approval { wallet, session: None });
            return Ok(self.close(challenge, outcome.clone(), approval.as_ref()).await?);
        };
        let (wallet, identity) = (login(&vouched), identity(&vouched));
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
            book.announce_begin(new, begun);
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

/// Who logged in, and which key signed.
fn login(vouched: &Vouched) -> WalletLogin {
    WalletLogin { signer: vouched.claims.issuer, user: vouched.claims.subject, until: vouched.until }
}

fn refusal(challenge: &OpenChallenge, reason: &Reason) -> EventBody {
    match reason {
        Reason::UserDisabled => failure(challenge, FailureCode::UserDisabled, None),
        Reason::UserNotListed => failure(challenge, FailureCode::UserNotListed, None),
        _ => failure(challenge, FailureCode::SessionTokenInvalid, Some(TokenError::TokenExpired)),
    }
}

/// The login failed, although the wallet approved.
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
