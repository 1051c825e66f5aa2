//! Whether a session still stands, for those who know it by its id and have no token of it.

use std::sync::Arc;

use super::{Result, Sessions};
use crate::store::{StreamId, User};

impl Sessions {
    /// The user of a session. `None`: the session has ended or expired, or an operator disabled its user.
    pub async fn user_of_open(&self, session: StreamId) -> Result<Option<Arc<User>>> {
        let Some(session) = self.book.session(session).await? else { return Ok(None) };
        if session.ended.is_some() || session.expires_at <= self.book.clock.now() {
            return Ok(None);
        }
        let user = self.book.user(session.user).await?;
        Ok(user.filter(|user| !user.disabled && !self.is_withdrawn(user, &session)))
    }
}
