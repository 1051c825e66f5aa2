//! Verifies thirdweb tokens. They look like JWTs with the algorithm ES256, but the signature is that of a wallet
//! (EIP-191) over the payload alone.
//!
//! The received text is hashed, never a rewritten one: no two JSON writers agree on every number.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Refusal;
use crate::ethereum::{Address, recover};
use crate::portal_token::MAX_TOKEN_BYTES;
use crate::portal_token::json::Object;

/// `{"alg":"ES256","typ":"JWT"}`, the first part of every token.
pub(super) const HEADER: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9";

/// The latest time: up to here, JSON readers agree on integers (RFC 8259 §6).
const MAX_TIME: u64 = (1 << 53) - 1;

/// The rules for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `aud`, compared exactly.
    pub domain: String,
    /// The trusted issuers.
    pub admins: Vec<Address>,
    /// How far `nbf` and `iat` may be in the future, in seconds. `exp` has no leeway.
    pub leeway_secs: u64,
}

/// The content of a verified token. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// `iss`: the signer.
    pub issuer: Address,
    /// `sub`: the wallet.
    pub owner: Address,
    /// `exp`: the first second at which it is no longer valid.
    pub expires_at: u64,
    /// `iat`.
    pub issued_at: Option<u64>,
    /// The name of the token, the same in every alphabet and case: a hash of its signer and the signed text.
    pub id: [u8; 32],
    /// All claims.
    pub claims: Value,
}

/// The claims that Portico reads. Integers must be written as such: a time with a dot or an exponent is refused.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    sub: std::borrow::Cow<'a, str>,
    aud: Value,
    exp: u64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<u64>,
}

/// A time that may be missing, but not null.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(from).map(Some)
}

/// Verifies a token at `now`, in seconds since the Unix epoch, and returns its content.
///
/// # Errors
/// The first [`Refusal`] that applies.
pub fn verify(token: &str, policy: &Policy, now: u64) -> Result<Verified, Refusal> {
    let (payload, signature) = parse(token)?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).map_err(|_| Refusal::Claims)?;
    let (issuer, owner) = claims.addresses()?;
    if !policy.admins.contains(&issuer) {
        return Err(Refusal::UnknownIssuer);
    }
    if recover(&payload, &signature) != Some(issuer) {
        return Err(Refusal::Signature);
    }
    if claims.aud.as_str() != Some(&policy.domain) {
        return Err(Refusal::Audience);
    }
    claims.check_times(now, policy.leeway_secs)?;
    Ok(Verified {
        issuer,
        owner,
        expires_at: claims.exp,
        issued_at: claims.iat,
        id: Sha256::new()
            .chain_update(issuer.as_bytes())
            .chain_update(Sha256::digest(&payload))
            .finalize()
            .into(),
        claims: serde_json::from_slice(&payload).map_err(|_| Refusal::Malformed)?,
    })
}

impl Claims<'_> {
    fn addresses(&self) -> Result<(Address, Address), Refusal> {
        let issuer = Address::in_any_case(&self.iss).map_err(|_| Refusal::Claims)?;
        let owner = Address::in_any_case(&self.sub).map_err(|_| Refusal::Claims)?;
        Ok((issuer, owner))
    }

    fn check_times(&self, now: u64, leeway: u64) -> Result<(), Refusal> {
        if [Some(self.exp), self.nbf, self.iat].into_iter().flatten().any(|time| time > MAX_TIME) {
            return Err(Refusal::Claims);
        }
        let ahead = |time: Option<u64>| time.is_some_and(|time| time > now.saturating_add(leeway));
        if now >= self.exp {
            Err(Refusal::Expired)
        } else if ahead(self.nbf) {
            Err(Refusal::NotYetValid)
        } else if ahead(self.iat) {
            Err(Refusal::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}

/// Whether a token has the header of every thirdweb token, which no other kind of token here has.
pub(super) fn has_header(token: &str) -> bool {
    token.strip_prefix(HEADER).is_some_and(|rest| rest.starts_with('.'))
}

/// Payload and signature of a token. Only the form is checked: it must mean the same to every reader.
fn parse(token: &str) -> Result<(Vec<u8>, String), Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::Malformed);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    if header != HEADER {
        return Err(Refusal::Header);
    }
    let payload = decode(payload)?;
    if !is_compact(&payload) || Object::parse(&payload).is_err() {
        return Err(Refusal::Malformed);
    }
    let signature = String::from_utf8(decode(signature)?).map_err(|_| Refusal::Malformed)?;
    Ok((payload, signature))
}

/// Unpadded base64 with the unused bits zero: version 5 uses the alphabet for URLs, version 4 the other one.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    let decoded = URL_SAFE_NO_PAD.decode(part).or_else(|_| STANDARD_NO_PAD.decode(part));
    decoded.map_err(|_| Refusal::Malformed)
}

/// Whether JSON has white space only in its strings. thirdweb writes it in this way, and its own verifier hashes what
/// it writes again, so it would reject any other form.
fn is_compact(json: &[u8]) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    json.iter().all(|byte| {
        let quoted = in_string;
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => {}
        }
        quoted || !byte.is_ascii_whitespace()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_counts_where_it_is_not_said() {
        for compact in [r#"{"a b":"c \" d"}"#, r#"{"a":"\\"}"#, "[1,2]"] {
            assert!(is_compact(compact.as_bytes()), "{compact}");
        }
        for spaced in [r#"{"a": 1}"#, r#"{"a":"\\" }"#, r#"{"a":"\""} "#, "{\n}"] {
            assert!(!is_compact(spaced.as_bytes()), "{spaced}");
        }
    }
}
