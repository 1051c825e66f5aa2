//! Who asks, for the handlers that want to know.

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::config::{Account, Local};
use crate::http::envelope::ApiError;
use crate::http::peer::Peer;
use crate::http::serve::Known;
use crate::rights::{Right, Rights};
use crate::session::Actor;

/// What the users of this machine may do on the Unix socket: root and the daemon's own user everything, others what
/// the rows of the configuration that name them, or a group of theirs, add up to.
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

/// The groups of a user besides the one that its process runs in.
fn groups_of(uid: u32, gid: u32) -> Vec<u32> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return Vec::new() };
    let Ok(name) = CString::new(user.name) else { return Vec::new() };
    let groups = getgrouplist(&name, Gid::from_raw(gid)).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).collect()
}

/// Who asks, and what they may do. The guard says so, and nothing else decides it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    pub(super) rights: Rights,
}

impl Caller {
    /// Refuses what the caller has no right to.
    ///
    /// # Errors
    /// 403 `missing_right`.
    pub(super) fn require(&self, right: Right) -> Result<(), ApiError> {
        self.rights.missing(right.into()).map_or(Ok(()), |right| Err(ApiError::missing_right(right)))
    }
}

/// As the audit and the log name them.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

/// Who asks, as the audit names them.
pub(super) struct Asker(pub(super) Actor);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().ok_or_else(ApiError::internal)?;
        Ok(Self(Actor::peer(caller)))
    }
}

/// Over which socket the request came.
pub(super) struct Calling(pub(super) Peer);

impl<S: Sync> FromRequestParts<S> for Calling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Peer>().copied().map(Self).ok_or_else(ApiError::internal)
    }
}
