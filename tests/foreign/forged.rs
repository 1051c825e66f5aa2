//! Tokens that were never issued, some of them with true parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac};
use portico::access_token::{Algorithm, Claims, KeyRing, SigningKey, sign};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::daemon::Daemon;

/// What a token says.
pub(crate) fn claims(token: &str) -> Claims {
    serde_json::from_value(part(token, 1)).unwrap()
}

/// The header (0) or the claims (1) of a token.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let encoded = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

/// The same token, had it been issued an hour earlier for a minute: by the daemon's own key.
pub(crate) fn run_out(daemon: &Daemon, token: &str) -> String {
    let file = std::fs::read_to_string(daemon.folder().join("data/access-keys.json")).unwrap();
    let keys = KeyRing::from_json(&file).unwrap();
    let claims = claims(token);
    let then = claims.iat - 3600;
    let claims = Claims { iat: then, nbf: then, exp: then + 60, ..claims };
    sign(keys.signer(), &claims).unwrap()
}

/// The same claims, signed by somebody else's key under its own name.
pub(crate) fn by_foreign_key(token: &str) -> String {
    sign(&SigningKey::generate(Algorithm::Es256).unwrap(), &claims(token)).unwrap()
}

/// The same claims, signed by somebody else's key under the name of the true one.
pub(crate) fn under_true_name(token: &str) -> String {
    let foreign = by_foreign_key(token);
    let (header, _) = token.split_once('.').unwrap();
    let (_, rest) = foreign.split_once('.').unwrap();
    format!("{header}.{rest}")
}

/// The same header and signature with another user between them.
pub(crate) fn tampered(token: &str) -> String {
    let claims = Claims { sub: "somebody else".into(), ..claims(token) };
    let (header, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    format!("{header}.{}.{signature}", encode(&json!(claims)))
}

/// The same claims, signed by nobody (RFC 7519 §6).
pub(crate) fn unsigned(token: &str) -> String {
    format!("{}.", signing_input(token, "none"))
}

/// The same claims under HS256, with what is published as the secret (RFC 8725 §2.1).
pub(crate) fn keyed_with(token: &str, published: &[u8]) -> String {
    let input = signing_input(token, "HS256");
    let mut mac = Hmac::<Sha256>::new_from_slice(published).unwrap();
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn signing_input(token: &str, alg: &str) -> String {
    let mut header = part(token, 0);
    header["alg"] = json!(alg);
    format!("{}.{}", encode(&header), token.split('.').nth(1).unwrap())
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The point of a published P-256 key, uncompressed (SEC 1 §2.3.3).
pub(crate) fn point(jwk: &Value) -> Vec<u8> {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    [vec![4], coordinate("x"), coordinate("y")].concat()
}
