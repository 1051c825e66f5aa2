//! Makes thirdweb's tokens available to `tokens`.

use super::{IssueError, Refusal, Thirdweb};
use crate::clock::Timestamp;
use crate::ethereum::Address;
use crate::tokens::{NewOtherToken, OtherTokens, Result, Revocable, TokensError};

impl OtherTokens for Thirdweb {
    fn issue(&self, new: &NewOtherToken<'_>) -> Result<String> {
        let NewOtherToken { address, token, lifetime, context } = *new;
        match (address, token) {
            (Some(owner), None) => Ok(Self::issue(self, parse(owner)?, lifetime, context)?),
            (None, Some(token)) => Ok(self.refresh(token, lifetime, context)?),
            _ => Err(TokensError::BadRequest("address, token: give one of them".into())),
        }
    }

    fn read(&self, token: &str) -> Option<Result<Revocable>> {
        let read = Self::read(self, token)?;
        Some(match read {
            Ok(token) => Ok(Revocable { name: token.id, expires_at: Timestamp::from_secs(token.expires_at) }),
            Err(refusal) => Err(refused(refusal, refusal.to_string())),
        })
    }
}

impl From<IssueError> for TokensError {
    fn from(error: IssueError) -> Self {
        let message = error.to_string();
        match error {
            IssueError::NoKey => Self::NoIssuer { code: "no_admin_key", message },
            IssueError::Refused(refusal) => refused(refusal, message),
            IssueError::Lifetime(_) | IssueError::Context(_) | IssueError::TooLarge => {
                Self::BadRequest(message)
            }
        }
    }
}

fn refused(refusal: Refusal, message: String) -> TokensError {
    TokensError::Refused { code: refusal.code(), message }
}

fn parse(text: &str) -> Result<Address> {
    text.parse().map_err(|error| TokensError::BadRequest(format!("address: {error}")))
}
