//! Makes tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::claims::MAX_NUMERIC_DATE;
use super::{Signature, SigningKey};

/// Issues a token for `target_key`, an x-only key, valid from `issued_at` (seconds since the Unix
/// epoch) for `lifetime_secs`.
///
/// The result is byte for byte what wallets make: the same header, the same claims in the same order, and a
/// deterministic signature (RFC 6979) with low s. An expiry beyond 2⁵³ − 1 is reduced to that number.
pub fn issue(signer: &SigningKey, target_key: &[u8; 32], issued_at: u64, lifetime_secs: u64) -> String {
    let expires_at = issued_at.saturating_add(lifetime_secs).min(MAX_NUMERIC_DATE);
    let target_key = hex::encode(target_key);
    let claims =
        format!(r#"{{"exp":{expires_at},"nbf":{issued_at},"iat":{issued_at},"target_key":"{target_key}"}}"#);

    let mut token = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256K"}"#);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = Signature::sign(signer, Sha256::digest(&token).into());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
    token
}
