//! A key of an issuer, with the one algorithm that it is for.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use serde::Deserialize;

use crate::config::JwtAlgorithm;
use crate::curve::Curve;
use crate::portal_token::compact::Compact;

/// The allowed sizes of RSA keys, by their modulus in bits. Shorter ones are too weak (RFC 7518 §3.3), longer ones
/// cost too much time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key that verifies tokens, with one algorithm.
pub struct IssuerKey {
    algorithm: JwtAlgorithm,
    key: Key,
}

enum Key {
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Curve(Curve, Vec<u8>),
}

/// The members of a JWK that Portico reads (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub(super) kid: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The secret half: a key that was published with it is compromised.
    d: Option<serde::de::IgnoredAny>,
}

impl IssuerKey {
    /// The key of a JWK. `None` if it cannot verify tokens of these algorithms: it is symmetric, for encryption, too
    /// weak, not a point of its curve, or its secret was published with it.
    pub(super) fn of(jwk: &Jwk, allowed: &[JwtAlgorithm]) -> Option<Self> {
        let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let algorithm = algorithm(jwk)?;
        if !signs || !verifies || jwk.d.is_some() || !allowed.contains(&algorithm) {
            return None;
        }
        let key = match jwk.kty.as_str() {
            "RSA" => rsa(algorithm, decode(jwk.n.as_ref())?, decode(jwk.e.as_ref())?)?,
            "EC" => ec(algorithm, &decode(jwk.x.as_ref())?, &decode(jwk.y.as_ref())?)?,
            _ => on(Curve::Ed25519, decode(jwk.x.as_ref())?)?,
        };
        Some(Self { algorithm, key })
    }

    /// The only algorithm of this key.
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Whether the holder of this key signed the token.
    pub(super) fn signed(&self, token: &Compact<'_>) -> bool {
        let input = token.signing_input.as_bytes();
        match &self.key {
            Key::Rsa(parameters, key) => key.verify(parameters, input, &token.signature).is_ok(),
            Key::Curve(curve, point) => curve.verifies(point, input, &token.signature),
        }
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({:?})", self.algorithm)
    }
}

/// The algorithm of a key: the one that it names, if that fits its type; else the default of its type. An RSA key
/// without `alg` is for RS256, whatever tokens claim (RFC 8725 §3.1).
fn algorithm(jwk: &Jwk) -> Option<JwtAlgorithm> {
    use JwtAlgorithm::*;

    let fitting: &[(&str, JwtAlgorithm)] = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => &[
            ("RS256", RS256),
            ("RS384", RS384),
            ("RS512", RS512),
            ("PS256", PS256),
            ("PS384", PS384),
            ("PS512", PS512),
        ],
        ("EC", Some("P-256")) => &[("ES256", ES256)],
        ("EC", Some("P-384")) => &[("ES384", ES384)],
        // The second is its name by RFC 9864.
        ("OKP", Some("Ed25519")) => &[("EdDSA", EdDSA), ("Ed25519", EdDSA)],
        _ => return None,
    };
    match &jwk.alg {
        None => Some(fitting.first()?.1),
        Some(alg) => fitting.iter().find(|(name, _)| name == alg).map(|(_, algorithm)| *algorithm),
    }
}

fn decode(member: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member?).ok()
}

fn rsa(algorithm: JwtAlgorithm, n: Vec<u8>, e: Vec<u8>) -> Option<Key> {
    // With an exponent of 1, or an even one, a signature proves nothing.
    let exponent = e.iter().try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? + u64::from(*byte)))?;
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let is_good = exponent >= 3 && exponent % 2 == 1 && n[0] != 0 && RSA_BITS.contains(&bits);
    let parameters = match algorithm {
        JwtAlgorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        JwtAlgorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        JwtAlgorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        JwtAlgorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        JwtAlgorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        JwtAlgorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        JwtAlgorithm::ES256 | JwtAlgorithm::ES384 | JwtAlgorithm::EdDSA => return None,
    };
    is_good.then_some(Key::Rsa(parameters, RsaPublicKeyComponents { n, e }))
}

fn ec(algorithm: JwtAlgorithm, x: &[u8], y: &[u8]) -> Option<Key> {
    let curve = match algorithm {
        JwtAlgorithm::ES256 => Curve::P256,
        _ => Curve::P384,
    };
    // Uncompressed (SEC 1 §2.3.3). A shorter x with a longer y would read as another point.
    let point = [&[4], x, y].concat();
    if x.len() == y.len() { on(curve, point) } else { None }
}

fn on(curve: Curve, point: Vec<u8>) -> Option<Key> {
    curve.is_key(&point).then_some(Key::Curve(curve, point))
}
