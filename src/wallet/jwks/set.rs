//! A JSON Web Key Set (RFC 7517 §5), reduced to the keys that verify tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::{IssuerKey, Jwk};
use crate::config::JwtAlgorithm;

/// The keys of an issuer, by their `kid`.
#[derive(Debug, Default)]
pub struct KeySet(BTreeMap<String, Arc<IssuerKey>>);

/// The text is not a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a JSON Web Key Set")]
pub struct NotAKeySet;

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Reads a set. Unusable keys are ignored. If two usable keys have the same `kid`, both are ignored.
    ///
    /// # Errors
    /// [`NotAKeySet`].
    pub fn parse(text: &[u8], allowed: &[JwtAlgorithm]) -> Result<Self, NotAKeySet> {
        // Some editors begin a file with a byte order mark, which a reader may ignore (RFC 8259 §8.1).
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let raw: Raw<'_> = serde_json::from_slice(text).map_err(|_| NotAKeySet)?;
        let mut keys = BTreeMap::new();
        for member in raw.keys {
            let Ok(jwk) = serde_json::from_str::<Jwk>(member.get()) else { continue };
            let Some(key) = IssuerKey::of(&jwk, allowed) else { continue };
            // `None` stays there as a mark: a third one does not count either.
            keys.entry(jwk.kid).and_modify(|known| *known = None).or_insert_with(|| Some(Arc::new(key)));
        }
        Ok(Self(keys.into_iter().filter_map(|(kid, key)| Some((kid, key?))).collect()))
    }

    /// The key with this id, which is compared exactly.
    pub fn key(&self, kid: &str) -> Option<Arc<IssuerKey>> {
        self.0.get(kid).cloned()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ALLOWED: [JwtAlgorithm; 3] = [JwtAlgorithm::RS256, JwtAlgorithm::ES256, JwtAlgorithm::EdDSA];

    fn ec() -> Value {
        json!({ "kty": "EC", "kid": "ec", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
    }

    fn ed() -> Value {
        json!({ "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    fn rsa(bytes: usize) -> Value {
        use base64::Engine as _;
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        json!({ "kty": "RSA", "kid": "rsa", "n": n, "e": "AQAB" })
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &ALLOWED).unwrap()
    }

    fn with(mut key: Value, member: &str, value: impl Into<Value>) -> Value {
        key[member] = value.into();
        key
    }

    #[test]
    fn a_key_is_for_the_one_algorithm_that_it_or_its_kind_names() {
        let keys = set(&[ec(), ed(), rsa(256)]);
        let algorithm = |kid| keys.key(kid).unwrap().algorithm();
        assert_eq!([algorithm("rsa"), algorithm("ec"), algorithm("ed")], ALLOWED);
        let said = set(&[with(ed(), "alg", "Ed25519"), with(ec(), "alg", "ES256")]);
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn what_is_weak_secret_or_for_something_else_is_no_key() {
        for bad in [
            rsa(255),
            rsa(1025),
            with(rsa(256), "e", "AQ"),
            with(rsa(256), "e", "Ag"),
            with(rsa(256), "e", ""),
            with(rsa(256), "n", ""),
            with(rsa(256), "alg", "RS512"),
            with(rsa(256), "alg", "HS256"),
            with(rsa(256), "d", "AQAB"),
            with(ec(), "use", "enc"),
            with(ec(), "key_ops", json!(["encrypt"])),
            with(ec(), "alg", "RS256"),
            with(ec(), "crv", "P-384"),
            with(ec(), "y", "AA"),
            with(ec(), "kid", 7),
            with(ec(), "kid", Value::Null),
            with(ed(), "x", "AA"),
            with(ed(), "crv", "X25519"),
            json!({ "kty": "oct", "kid": "oct", "k": "c2VjcmV0" }),
            json!("text"),
        ] {
            assert!(set(std::slice::from_ref(&bad)).is_empty(), "{bad}");
        }
    }

    #[test]
    fn a_kid_that_two_keys_have_names_neither_and_a_symmetric_key_takes_none_away() {
        let other = with(ed(), "kid", "ec");
        assert!(set(&[ec(), other.clone()]).is_empty());
        assert!(set(&[ec(), other.clone(), ec()]).is_empty());
        let symmetric = json!({ "kty": "oct", "kid": "ec", "k": "c2VjcmV0" });
        assert_eq!(set(&[symmetric, ec()]).len(), 1);
    }

    #[test]
    fn a_byte_order_mark_does_not_spoil_a_set() {
        let text = format!("\u{feff}{}", json!({ "keys": [ec()] }));
        assert_eq!(KeySet::parse(text.as_bytes(), &ALLOWED).unwrap().len(), 1);
    }

    #[test]
    fn one_bad_key_does_not_spoil_the_set_but_text_that_is_no_set_is_none() {
        assert_eq!(set(&[json!(null), json!({ "kty": 1 }), ec()]).len(), 1);
        for bad in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert_eq!(KeySet::parse(bad.as_bytes(), &ALLOWED).err(), Some(NotAKeySet), "{bad}");
        }
    }
}
