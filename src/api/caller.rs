//! The caller of a request, for the handlers that need it.

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::api_tokens::{HeldToken, Maker};
use crate::config::{Account, Local};
use crate::http::body::MayStillCall;
use crate::http::envelope::ApiError;
use crate::http::peer::Peer;
use crate::http::serve::Known;
use crate::http::standing::Voucher;
use crate::metrics::Limit;
use crate::rights::{Right, Rights};
use crate::session::Actor;

/// The rights of the users of this machine on the Unix socket. Root and the daemon's own user have all rights. The
/// rows of the configuration that name a user or one of its groups add up.
pub(super) fn known(local: &Local) -> Known {
    let allowed = local.allowed();
    Arc::new(move |uid, gid| {
        if uid == 0 || uid == geteuid().as_raw() {
            return Rights::ALL;
        }
        let has_groups = allowed.iter().any(|row| matches!(row.who, Account::Group(_)));
        let groups = if has_groups { groups_of(uid, gid) } else { Vec::new() };
        let names = |who| match who {
            Account::User(listed) => listed == uid,
            Account::Group(listed) => listed == gid || groups.contains(&listed),
        };
        let rows = allowed.iter().filter(|row| names(row.who));
        rows.fold(Rights::NONE, |rights, row| rights.and(row.may))
    })
}

/// The groups of a user besides the primary group of its process.
fn groups_of(uid: u32, gid: u32) -> Vec<u32> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return Vec::new() };
    let Ok(name) = CString::new(user.name) else { return Vec::new() };
    let groups = getgrouplist(&name, Gid::from_raw(gid)).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).collect()
}

/// The caller and its rights. Only the guard makes this value.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    pub(super) rights: Rights,
    /// The API token with a name that the caller has shown, if it has.
    token: Option<Arc<HeldToken>>,
}

impl Caller {
    /// A caller with the rights that the kernel or the configuration gives it.
    pub(super) fn new(peer: Peer, rights: Rights) -> Self {
        Self { peer, rights, token: None }
    }

    /// A caller that has shown this token.
    pub(super) fn with_token(peer: Peer, token: Arc<HeldToken>) -> Self {
        Self { peer, rights: token.rights(), token: Some(token) }
    }

    /// Refuses a caller that lacks a right, or with a token that has expired or was revoked.
    ///
    /// # Errors
    /// 401, or 403 `missing_right`.
    pub(super) fn require(&self, right: Right) -> Result<(), ApiError> {
        if let Some(token) = &self.token {
            holds(token)?;
            token.note_use();
        }
        self.rights.missing(right.into()).map_or(Ok(()), |right| Err(ApiError::missing_right(right)))
    }

    /// Counts a change that the caller asks for.
    ///
    /// # Errors
    /// 429: its token has made too many in this time.
    pub(super) fn may_change(&self) -> Result<(), ApiError> {
        let Some(token) = &self.token else { return Ok(()) };
        token.take_change().map_err(|retry_after| {
            let message = "this API token has made too many changes: wait, or make them over the Unix socket";
            ApiError::limit_reached(Limit::ChangesPerToken, message, Some(retry_after))
        })
    }

    /// What decides again about the caller, once the body of its request is there. `None`: nothing can have changed.
    pub(super) fn asked_again(&self) -> Option<MayStillCall> {
        let token = self.token.clone()?;
        Some(MayStillCall(Arc::new(move || holds(&token))))
    }

    /// What its connection may stay for. `None`: nothing that ends.
    pub(super) fn voucher(&self) -> Option<Arc<dyn Voucher>> {
        self.token.clone().map(|token| token as Arc<dyn Voucher>)
    }

    /// Waits until the caller's token is revoked or expires. For a caller without such a token it waits for ever.
    pub(super) async fn over(&self) {
        match &self.token {
            Some(token) => token.over().await,
            None => std::future::pending().await,
        }
    }

    /// The name of its API token, if it has shown one with a name.
    pub(super) fn token_name(&self) -> Option<&str> {
        self.token.as_deref().map(HeldToken::name)
    }

    /// The name of its token, as the audit and the log have it.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        self.token.as_ref().map(|token| token.label())
    }

    /// As one who makes or revokes API tokens.
    pub(super) fn maker(&self) -> Maker {
        Maker { actor: Actor::peer(self), rights: self.rights, token: self.token.clone() }
    }
}

/// A connection may stay as long as its token is valid.
impl Voucher for HeldToken {
    fn over(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::over(self))
    }
}

/// Refuses a token that has expired or was revoked.
fn holds(token: &HeldToken) -> Result<(), ApiError> {
    if token.is_over() { Err(ApiError::token_over()) } else { Ok(()) }
}

/// The caller's name in the audit and the log.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label() {
            Some(label) => f.write_str(&label),
            None => self.peer.fmt(f),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

/// The caller as the actor of an audit record.
pub(super) struct Asker(pub(super) Actor);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(Actor::peer(&caller)))
    }
}

/// The socket that the request came through.
pub(super) struct Calling(pub(super) Peer);

impl<S: Sync> FromRequestParts<S> for Calling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Peer>().copied().map(Self).ok_or_else(ApiError::internal)
    }
}
