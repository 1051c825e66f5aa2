//! Public keys, as callers write them.

use nostr_sdk::PublicKey;

use crate::http::envelope::ApiError;
use crate::portal_token::is_curve_point;

/// A public key as callers write it: hex or `npub` (NIP-19), naming a curve point.
pub(super) fn public_key(field: &str, text: &str) -> Result<PublicKey, ApiError> {
    let key = PublicKey::parse(text).ok().filter(|key| is_curve_point(key.as_bytes()));
    key.ok_or_else(|| ApiError::bad_request(format!("{field}: not a public key (64 hex digits or npub1…)")))
}
