//! Who is signed in at the operator's page. Only in memory: after a restart everybody signs in again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::api::caller::Caller;
use crate::http::envelope::ApiError;
use crate::http::standing::Voucher;
use crate::metrics::{Limit, Metrics};
use crate::portal::StreamId;
use crate::rights::Right;
use crate::session::{Actor, UserId};

/// The most people who are signed in at once.
const MOST: usize = 64;

type Hash = [u8; 32];

/// Whoever signed in.
#[derive(Debug, Clone)]
pub(super) enum Who {
    /// The holder of an API token.
    Caller(Caller),
    /// A user with a wallet, in this session.
    User { id: UserId, session: StreamId },
}

/// The two secrets of a session. They exist only in the answer to the sign-in.
pub(super) struct Secrets {
    /// For the cookie, which scripts cannot read.
    pub(super) cookie: String,
    /// For the page's header, which other ports of the host do not receive.
    pub(super) key: String,
}

/// Somebody who is signed in.
pub(super) struct PageSession {
    cookie: Hash,
    key: Hash,
    pub(super) who: Who,
    pub(super) ends_at: Instant,
    ended: CancellationToken,
}

/// Leaves out the hashes, which must not reach a log.
impl fmt::Debug for PageSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageSession").field("who", &self.who).finish_non_exhaustive()
    }
}

/// All sessions.
#[derive(Debug)]
pub(super) struct PageSessions {
    lifetime: Duration,
    open: Mutex<HashMap<Hash, Arc<PageSession>>>,
    /// Sessions that had to make room, until [`Self::sweep`] hands them over.
    displaced: Mutex<Vec<Arc<PageSession>>>,
    metrics: Arc<Metrics>,
}

impl PageSessions {
    pub(super) fn new(lifetime: Duration, metrics: Arc<Metrics>) -> Self {
        Self { lifetime, open: Mutex::default(), displaced: Mutex::default(), metrics }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Signs somebody in. If too many are, the one who signed in first makes room.
    pub(super) fn begin(&self, who: Who) -> Secrets {
        let secrets = Secrets { cookie: secret(), key: secret() };
        let session = PageSession {
            cookie: hash(&secrets.cookie),
            key: hash(&secrets.key),
            who,
            ends_at: Instant::now() + self.lifetime,
            ended: CancellationToken::new(),
        };
        let mut open = self.open();
        while open.len() >= MOST {
            let first = open.values().min_by_key(|one| one.ends_at).map(|one| one.cookie);
            let Some(gone) = first.and_then(|first| open.remove(&first)) else { break };
            gone.ended.cancel();
            self.metrics.limits.reached(Limit::PageSessions);
            self.displaced.lock().unwrap_or_else(PoisonError::into_inner).push(gone);
        }
        open.insert(session.cookie, Arc::new(session));
        secrets
    }

    /// The session of this cookie, if this key belongs to it. The hash of the cookie finds it; the key is compared in
    /// constant time.
    pub(super) fn find(&self, cookie: &str, key: &str) -> Option<Arc<PageSession>> {
        let session = self.open().get(&hash(cookie)).cloned()?;
        let is_its_key: bool = session.key.ct_eq(&hash(key)).into();
        (is_its_key && session.ends_at > Instant::now()).then_some(session)
    }

    /// Signs somebody out.
    pub(super) fn end(&self, session: &PageSession) {
        self.open().remove(&session.cookie);
        session.ended.cancel();
    }

    /// Removes the sessions that are over, and returns them with those that had to make room.
    pub(super) fn sweep(&self) -> Vec<Arc<PageSession>> {
        let now = Instant::now();
        let mut gone = std::mem::take(&mut *self.displaced.lock().unwrap_or_else(PoisonError::into_inner));
        self.open().retain(|_, session| {
            let is_over = session.ends_at <= now || session.check().is_err();
            if is_over {
                session.ended.cancel();
                gone.push(Arc::clone(session));
            }
            !is_over
        });
        gone
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Hash, Arc<PageSession>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageSession {
    /// Refuses a session that was ended, or whose API token was revoked or has expired.
    ///
    /// # Errors
    /// 401.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.ended.is_cancelled() || self.ends_at <= Instant::now() {
            return Err(ApiError::unauthorized("this session has ended: sign in again"));
        }
        match &self.who {
            Who::Caller(caller) => caller.require(Right::Operate),
            Who::User { .. } => Ok(()),
        }
    }

    /// Whether a user who signed in with a wallet still has an open session and the role.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn stands(&self, api: &Api, role: &str) -> Result<bool, ApiError> {
        match &self.who {
            Who::Caller(_) => Ok(true),
            Who::User { session, .. } => {
                let user = api.sessions()?.user_of_open(*session).await?;
                Ok(user.is_some_and(|user| user.roles.iter().any(|known| known == role)))
            }
        }
    }

    /// Counts a change.
    ///
    /// # Errors
    /// 429: the API token has made too many in this time.
    pub(super) fn may_change(&self) -> Result<(), ApiError> {
        match &self.who {
            Who::Caller(caller) => caller.may_change(),
            Who::User { .. } => Ok(()),
        }
    }

    /// As the audit names whoever changes something here.
    pub(super) fn actor(&self) -> Actor {
        match &self.who {
            Who::Caller(caller) => Actor::peer(caller),
            Who::User { id, .. } => Actor::peer(&format_args!("user:{id}")),
        }
    }

    /// As the log names the caller.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        match &self.who {
            Who::Caller(caller) => caller.label(),
            Who::User { id, .. } => Some(format!("user:{id}").into()),
        }
    }
}

/// A connection may stay as long as somebody is signed in on it.
impl Voucher for PageSession {
    fn over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            tokio::select! {
                () = self.ended.cancelled() => {}
                () = tokio::time::sleep_until(self.ends_at) => {}
                () = async {
                    match &self.who {
                        Who::Caller(caller) => caller.over().await,
                        Who::User { .. } => std::future::pending().await,
                    }
                } => {}
            }
        })
    }
}

pub(super) fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

pub(super) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::http::peer::Peer;
    use crate::rights::Rights;

    const HOUR: Duration = Duration::from_secs(3600);

    fn somebody() -> Who {
        Who::Caller(Caller::new(Peer::Unix { uid: 1, rights: Rights::ALL }, Rights::ALL))
    }

    fn sessions() -> PageSessions {
        PageSessions::new(HOUR, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_time_and_its_connections_with_it() {
        let sessions = sessions();
        let Secrets { cookie, key } = sessions.begin(somebody());
        let session = sessions.find(&cookie, &key).unwrap();
        let began = Instant::now();
        session.over().await;
        assert_eq!(began.elapsed(), HOUR);
        assert!(sessions.find(&cookie, &key).is_none() && session.check().is_err());
        assert_eq!(sessions.sweep().len(), 1);
        assert!(sessions.sweep().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cookie_that_leaked_to_another_port_of_the_host_opens_nothing() {
        let sessions = sessions();
        let (one, other) = (sessions.begin(somebody()), sessions.begin(somebody()));
        assert!(sessions.find(&one.cookie, &one.key).is_some());
        for wrong in [other.key.as_str(), one.cookie.as_str(), "1", ""] {
            assert!(sessions.find(&one.cookie, wrong).is_none());
        }
        assert!(sessions.find(&one.key, &one.key).is_none(), "a key is no cookie");
    }

    #[tokio::test(start_paused = true)]
    async fn who_signs_out_is_out_at_once() {
        let sessions = sessions();
        let Secrets { cookie, key } = sessions.begin(somebody());
        let session = sessions.find(&cookie, &key).unwrap();
        sessions.end(&session);
        session.over().await;
        assert!(sessions.find(&cookie, &key).is_none() && session.check().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_makes_room_and_is_handed_over_once() {
        let sessions = sessions();
        let user = UserId::new(Timestamp::from_secs(1), [7; 10]);
        let session = StreamId::new(Timestamp::from_secs(1), [8; 10]);
        let first = sessions.begin(Who::User { id: user, session });
        tokio::time::advance(Duration::from_secs(1)).await;
        let rest: Vec<_> = (0..MOST).map(|_| sessions.begin(somebody())).collect();
        assert!(sessions.find(&first.cookie, &first.key).is_none());
        assert!(rest.iter().all(|one| sessions.find(&one.cookie, &one.key).is_some()));
        let gone = sessions.sweep();
        assert!(matches!(gone.as_slice(), [one] if matches!(one.who, Who::User { .. })));
        assert!(sessions.sweep().is_empty());
    }

    #[test]
    fn no_secret_is_in_what_a_log_shows() {
        let sessions = sessions();
        let Secrets { cookie, key } = sessions.begin(somebody());
        let shown = format!("{:?}", sessions.find(&cookie, &key).unwrap());
        assert!(!shown.contains(&cookie[..8]) && !shown.contains("key"), "{shown}");
    }
}
