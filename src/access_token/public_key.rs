//! The public half of a key: how it is published, and how it verifies tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Algorithm, InvalidKey};
use crate::curve::Curve;
use crate::portal_token::compact::Compact;
use crate::portal_token::{Signature, VerifyingKey};

/// A key that verifies access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Point,
    kid: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Point {
    /// 0x04, x, y (SEC 1 §2.3.3).
    P256([u8; 65]),
    Ed25519([u8; 32]),
    Secp256k1(secp256k1::PublicKey),
}

impl PublicKey {
    /// The service's own secp256k1 key, with even y.
    pub fn of_service(key: &VerifyingKey) -> Self {
        Self::new(Point::Secp256k1(*key.point()))
    }

    /// The key of this point: uncompressed (SEC 1 §2.3.3), or 32 bytes for Ed25519 (RFC 8032 §5.1.5).
    pub(super) fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, InvalidKey> {
        let invalid = InvalidKey(algorithm);
        let point = match algorithm {
            Algorithm::Es256 if Curve::P256.is_key(bytes) => {
                Point::P256(bytes.try_into().map_err(|_| invalid)?)
            }
            Algorithm::EdDsa if Curve::Ed25519.is_key(bytes) => {
                Point::Ed25519(bytes.try_into().map_err(|_| invalid)?)
            }
            Algorithm::Es256 | Algorithm::EdDsa => return Err(invalid),
            Algorithm::Es256k => {
                Point::Secp256k1(secp256k1::PublicKey::from_slice(bytes).map_err(|_| invalid)?)
            }
        };
        Ok(Self::new(point))
    }

    /// The key with these members `x` and `y` of a JWK.
    pub(super) fn from_coordinates(
        algorithm: Algorithm,
        x: &str,
        y: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKey(algorithm));
        let bytes = match y {
            Some(y) => [vec![4], decode(x)?, decode(y)?].concat(),
            None => decode(x)?,
        };
        Self::from_bytes(algorithm, &bytes)
    }

    fn new(point: Point) -> Self {
        Self { point, kid: point.thumbprint() }
    }

    /// The id of the key: its SHA-256 thumbprint (RFC 7638), in base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The only algorithm of this key.
    pub fn algorithm(&self) -> Algorithm {
        match self.point {
            Point::P256(_) => Algorithm::Es256,
            Point::Ed25519(_) => Algorithm::EdDsa,
            Point::Secp256k1(_) => Algorithm::Es256k,
        }
    }

    /// The key as a JWK (RFC 7517 §4; RFC 7518 §6.2, RFC 8037 §2, RFC 8812 §3.1).
    pub fn jwk(&self) -> Value {
        let (crv, (x, y)) = (self.point.curve(), self.coordinates());
        let mut jwk = json!({
            "kty": if y.is_some() { "EC" } else { "OKP" },
            "crv": crv, "x": x, "use": "sig", "alg": self.algorithm(), "kid": self.kid,
        });
        if let Some(y) = y {
            jwk["y"] = Value::String(y);
        }
        jwk
    }

    /// `x` and `y` as in a JWK; Ed25519 has no `y`.
    pub(super) fn coordinates(&self) -> (String, Option<String>) {
        self.point.coordinates()
    }

    /// Whether the holder of this key signed the token.
    pub(super) fn signed(&self, token: &Compact<'_>) -> bool {
        let on = |curve: Curve, point: &[u8]| {
            curve.verifies(point, token.signing_input.as_bytes(), &token.signature)
        };
        match &self.point {
            Point::P256(point) => on(Curve::P256, point),
            Point::Ed25519(point) => on(Curve::Ed25519, point),
            Point::Secp256k1(point) => Signature::parse(&token.signature)
                .is_ok_and(|signature| signature.verify_under(point, token.digest()).is_ok()),
        }
    }
}

impl Point {
    fn curve(&self) -> &'static str {
        match self {
            Self::P256(_) => "P-256",
            Self::Ed25519(_) => "Ed25519",
            Self::Secp256k1(_) => "secp256k1",
        }
    }

    fn coordinates(&self) -> (String, Option<String>) {
        let both = |point: &[u8; 65]| {
            (URL_SAFE_NO_PAD.encode(&point[1..33]), Some(URL_SAFE_NO_PAD.encode(&point[33..])))
        };
        match self {
            Self::P256(point) => both(point),
            Self::Ed25519(point) => (URL_SAFE_NO_PAD.encode(point), None),
            Self::Secp256k1(point) => both(&point.serialize_uncompressed()),
        }
    }

    /// The members of the thumbprint, in the order of their names and without white space (RFC 7638 §3).
    fn thumbprint(&self) -> String {
        let crv = self.curve();
        let members = match self.coordinates() {
            (x, Some(y)) => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            (x, None) => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm, x: &str, y: Option<&str>) -> PublicKey {
        PublicKey::from_coordinates(algorithm, x, y).unwrap()
    }

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn the_examples_of_rfc_7515_and_rfc_8037_verify() {
        let es256 = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtc\
                     GxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djx\
                     La8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let ed_dsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-\
                      09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let (p256, ed) = (key(Algorithm::Es256, X, Some(Y)), key(Algorithm::EdDsa, ED, None));
        let (es256, ed_dsa) = (Compact::parse(es256).unwrap(), Compact::parse(ed_dsa).unwrap());
        assert!(p256.signed(&es256) && ed.signed(&ed_dsa));
        assert!(!p256.signed(&ed_dsa) && !ed.signed(&es256));
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        assert_eq!(key(Algorithm::EdDsa, ED, None).kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_jwk_has_the_members_of_its_kind_and_no_secret() {
        let p256 = key(Algorithm::Es256, X, Some(Y));
        let expected =
            json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"use":"sig","alg":"ES256","kid":p256.kid()});
        assert_eq!(p256.jwk(), expected);
        let ed = key(Algorithm::EdDsa, ED, None);
        let expected = json!({"kty":"OKP","crv":"Ed25519","x":ED,"use":"sig","alg":"EdDSA","kid":ed.kid()});
        assert_eq!(ed.jwk(), expected);
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_no_key() {
        let algorithms = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es256k];
        for (algorithm, x, y) in [
            (Algorithm::Es256, X, Some(X)),
            (Algorithm::Es256, X, None),
            (Algorithm::Es256k, X, Some(Y)),
            (Algorithm::EdDsa, X, Some(Y)),
        ] {
            assert_eq!(PublicKey::from_coordinates(algorithm, x, y), Err(InvalidKey(algorithm)));
        }
        for algorithm in algorithms {
            for x in ["", "AA", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=", "*"] {
                let y = (algorithm != Algorithm::EdDsa).then_some(Y);
                assert_eq!(PublicKey::from_coordinates(algorithm, x, y), Err(InvalidKey(algorithm)), "{x}");
            }
        }
    }

    #[test]
    fn debug_output_names_the_key() {
        let expected = "PublicKey(EdDSA kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k)";
        assert_eq!(format!("{:?}", key(Algorithm::EdDsa, ED, None)), expected);
    }
}
