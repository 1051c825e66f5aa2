//! Who asks, for the handlers that want to know.

use std::ffi::CString;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::config::Local;
use crate::http::envelope::ApiError;
use crate::http::peer::Peer;
use crate::http::serve::Known;
use crate::session::Actor;

/// Who may speak on the Unix socket: root, the daemon's own user, and those that the configuration lists.
pub(super) fn known(local: &Local) -> Known {
    let (allow_uids, allow_gids) = (local.allow_uids.clone(), local.allow_gids.clone());
    Arc::new(move |uid, gid| {
        uid == 0
            || uid == geteuid().as_raw()
            || allow_uids.contains(&uid)
            || allow_gids.contains(&gid)
            || (!allow_gids.is_empty() && is_member(uid, gid, &allow_gids))
    })
}

/// Whether a user belongs to a listed group by its other groups.
fn is_member(uid: u32, gid: u32, listed: &[u32]) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, Gid::from_raw(gid))
        .is_ok_and(|groups| groups.iter().any(|group| listed.contains(&group.as_raw())))
}

/// Who asks, as the audit names them.
pub(super) struct Asker(pub(super) Actor);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        peer(parts).map(|peer| Self(Actor::peer(&peer)))
    }
}

/// Over which socket the request came.
pub(super) struct Calling(pub(super) Peer);

impl<S: Sync> FromRequestParts<S> for Calling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        peer(parts).map(Self)
    }
}

fn peer(parts: &Parts) -> Result<Peer, ApiError> {
    parts.extensions.get::<Peer>().copied().ok_or_else(ApiError::internal)
}
