//! Public keys in requests.

use nostr_sdk::PublicKey;

use crate::http::envelope::ApiError;
use crate::portal_token::is_curve_point;

/// A public key in a request: hex or `npub` (NIP-19), and a point of the curve.
pub(super) fn public_key(field: &str, text: &str) -> Result<PublicKey, ApiError> {
    let key = PublicKey::parse(text).ok().filter(|key| is_curve_point(key.as_bytes()));
    key.ok_or_else(|| {
        ApiError::bad_request(format!("{field}: must be a public key (64 hex digits or npub1…)"))
    })
}
