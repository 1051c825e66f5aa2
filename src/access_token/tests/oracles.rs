//! Tokens and keys as other people's software reads them.

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{DecodingKey, Validation};
use jwt_compact::alg::Es256k;
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{AlgorithmExt as _, UntrustedToken};
use sha2_010::Sha256;

use super::*;

#[test]
fn jsonwebtoken_verifies_a_token_from_the_published_key_alone() {
    for key in [&*ES256, &*ED_DSA] {
        let jwk: Jwk = serde_json::from_value(key.public().jwk()).unwrap();
        assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), key.public().kid());
        assert_eq!(jwk.common.key_id.as_deref(), Some(key.public().kid()));
        let mut validation = Validation::new(key.public().algorithm().as_str().parse().unwrap());
        validation.set_audience(&["https://app.example"]);
        validation.set_issuer(&["https://portico.example"]);
        validation.validate_exp = false;
        let key_of_jwk = DecodingKey::from_jwk(&jwk).unwrap();
        let decode = |token: &str| jsonwebtoken::decode::<Claims>(token, &key_of_jwk, &validation);

        let token = decode(&sign(key, &claims()).unwrap()).unwrap();
        assert_eq!(token.claims, claims());
        assert_eq!(token.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(token.header.kid.as_deref(), Some(key.public().kid()));
        let other = SigningKey::generate(key.public().algorithm()).unwrap();
        assert!(decode(&sign(&other, &claims()).unwrap()).is_err());
    }
}

#[test]
fn jwt_compact_verifies_an_es256k_token_from_the_published_key_alone() {
    let jwk = ES256K.public().jwk().to_string();
    let jwk: JsonWebKey<'_> = serde_json::from_str(&jwk).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(jwk.thumbprint::<Sha256>()), ES256K.public().kid());
    let point = secp256k1::PublicKey::try_from(&jwk).unwrap();
    let verifier: Es256k<Sha256> = Es256k::default();
    let verify = |key: &SigningKey| {
        let token = sign(key, &claims()).unwrap();
        let token = UntrustedToken::new(&token).unwrap();
        let verified = verifier.validator::<serde_json::Value>(&point).validate(&token);
        verified.map(|token| token.claims().custom["jti"].clone())
    };
    assert_eq!(verify(&ES256K).unwrap(), claims().jti);
    assert!(verify(&SigningKey::generate(Algorithm::Es256k).unwrap()).is_err());
}
