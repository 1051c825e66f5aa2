//! The text of a key ring file.
//!
//! `{"version":1,"keys":[…]}`, each key with `kid`, `alg` and `created_at`. The first is the signing key and the
//! second the next one; both have `secret` (base64url of what [`SigningKey::from_secret`] takes). A retired key has
//! the `x` and `y` of its JWK and `retired_at`.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::ring::{Held, Retired};
use super::{Algorithm, InvalidKey, KeyRing, MAX_KEYS, PublicKey, SigningKey};

const VERSION: u64 = 1;

/// Room for one key in the file, in bytes. It is reserved at once, so that the text with the secrets never moves.
const KEY_BYTES: usize = 1024;

/// What is wrong with the text of a ring. The error never contains any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RingError {
    /// The text is not JSON, or does not have these members.
    #[error("not a key file: line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Another release wrote the file.
    #[error("the key file has version {0}; this release reads version {VERSION} only")]
    UnknownVersion(u64),
    /// There are more keys than a ring can have.
    #[error("{0} keys; a key file has at most {MAX_KEYS}")]
    TooManyKeys(usize),
    /// The signing key or the next key is missing, or there are too many of them.
    #[error("{0} keys without `retired_at`; there must be two: the one that signs, and the next")]
    NotSignerAndNext(usize),
    /// The file has no next key, and none could be made.
    #[error("cannot make the next key: {0}")]
    NoKey(#[from] InvalidKey),
    /// One of the keys cannot be used.
    #[error("key {number} of the file {fault}")]
    #[expect(missing_docs, reason = "the names of the fields say it")]
    Key {
        /// Its place in the file, counted from 1.
        number: usize,
        fault: KeyFault,
    },
}

/// What is wrong with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// The key signs now or next, and has no secret.
    #[error("is not retired and has no `secret`")]
    SecretMissing,
    /// The key is retired, and its secret was not deleted.
    #[error("is retired and still has a `secret`")]
    SecretKept,
    /// The secret or the public point is not a key.
    #[error("is not a key for its `alg`")]
    Invalid,
    /// The id belongs to another key.
    #[error("has the `kid` of another key")]
    WrongKid,
    /// The file contains the key twice.
    #[error("is in the file twice")]
    Duplicate,
    /// The times contradict each other.
    #[error("has a `retired_at` before its `created_at`")]
    RetiredBeforeMade,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    version: u64,
    #[serde(borrow)]
    keys: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    kid: &'a str,
    alg: Algorithm,
    /// Borrowed, so that no copy has to be erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<u64>,
}

impl KeyRing {
    /// The ring as the text of a file. The text contains the secrets of the signing key and the next one.
    pub fn to_json(&self) -> Zeroizing<String> {
        let held = [&self.signer, &self.next];
        let secrets = held.map(|held| Zeroizing::new(URL_SAFE_NO_PAD.encode(held.key.secret())));
        let held = held.into_iter().zip(&secrets).map(|(held, secret)| Entry {
            secret: Some(secret),
            created_at: held.created_at,
            ..Entry::named(held.key.public())
        });
        let retired = self.retired.iter().map(|retired| {
            let (x, y) = retired.key.coordinates();
            Entry {
                x: Some(x),
                y,
                created_at: retired.created_at,
                retired_at: Some(retired.retired_at),
                ..Entry::named(&retired.key)
            }
        });
        let keys: Vec<_> = held.chain(retired).collect();
        let mut text = Vec::with_capacity(KEY_BYTES * keys.len());
        serde_json::to_writer_pretty(&mut text, &File { version: VERSION, keys })
            .expect("texts and numbers are JSON, and memory takes them");
        text.push(b'\n');
        Zeroizing::new(String::from_utf8(text).expect("JSON is UTF-8"))
    }

    /// Reads the output of [`to_json`](Self::to_json). A ring without a next key gets one.
    ///
    /// # Errors
    ///
    /// [`RingError`].
    pub fn from_json(text: &str) -> Result<Self, RingError> {
        let Version { version } = read(text)?;
        if version != VERSION {
            return Err(RingError::UnknownVersion(version));
        }
        let File { keys, .. } = read(text)?;
        if keys.len() > MAX_KEYS {
            return Err(RingError::TooManyKeys(keys.len()));
        }
        let (mut held, mut retired, mut known) = (Vec::new(), Vec::new(), HashSet::new());
        for (number, entry) in (1..).zip(&keys) {
            let at = |fault| RingError::Key { number, fault };
            if !known.insert(entry.kid) {
                return Err(at(KeyFault::Duplicate));
            }
            match entry.retired_at {
                None => held.push(entry.held().map_err(at)?),
                Some(retired_at) => retired.push(entry.retired(retired_at).map_err(at)?),
            }
        }
        let count = held.len();
        let mut held = held.into_iter();
        let (Some(signer), next, None) = (held.next(), held.next(), held.next()) else {
            return Err(RingError::NotSignerAndNext(count));
        };
        let made = || Held::generate(signer.key.public().algorithm(), signer.created_at);
        let ring = Self { next: next.map_or_else(made, Ok)?, signer, retired };
        match ring.keys().count() {
            0..=MAX_KEYS => Ok(ring),
            count => Err(RingError::TooManyKeys(count)),
        }
    }
}

/// serde's error may quote the text, so only the position is kept.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, RingError> {
    serde_json::from_str(text)
        .map_err(|error| RingError::Malformed { line: error.line(), column: error.column() })
}

impl<'a> Entry<'a> {
    fn named(key: &'a PublicKey) -> Self {
        let (kid, alg) = (key.kid(), key.algorithm());
        Self { kid, alg, secret: None, x: None, y: None, created_at: 0, retired_at: None }
    }

    fn held(&self) -> Result<Held, KeyFault> {
        let secret = self.secret.ok_or(KeyFault::SecretMissing)?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).map_err(|_| KeyFault::Invalid)?);
        let key = SigningKey::from_secret(self.alg, &secret).map_err(|_| KeyFault::Invalid)?;
        self.check_kid(key.public())?;
        Ok(Held { key: Arc::new(key), created_at: self.created_at })
    }

    fn retired(&self, retired_at: u64) -> Result<Retired, KeyFault> {
        if self.secret.is_some() {
            return Err(KeyFault::SecretKept);
        }
        if retired_at < self.created_at {
            return Err(KeyFault::RetiredBeforeMade);
        }
        let x = self.x.as_deref().ok_or(KeyFault::Invalid)?;
        let key = PublicKey::from_coordinates(self.alg, x, self.y.as_deref());
        let key = key.map_err(|_| KeyFault::Invalid)?;
        self.check_kid(&key)?;
        Ok(Retired { key, created_at: self.created_at, retired_at })
    }

    fn check_kid(&self, key: &PublicKey) -> Result<(), KeyFault> {
        if key.kid() == self.kid { Ok(()) } else { Err(KeyFault::WrongKid) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// One key of each algorithm, the last signs; and the next.
    fn ring() -> KeyRing {
        let ring = KeyRing::new(Algorithm::Es256, NOW).unwrap();
        let ring = ring.rotate(Algorithm::EdDsa, NOW + 10).unwrap();
        ring.rotate(Algorithm::Es256k, NOW + 20).unwrap()
    }

    /// What comes of a file that was changed.
    fn changed(change: impl FnOnce(&mut Value)) -> Result<KeyRing, RingError> {
        let mut file = serde_json::from_str(&ring().to_json()).unwrap();
        change(&mut file);
        KeyRing::from_json(&file.to_string())
    }

    fn remove(entry: &mut Value, name: &str) {
        entry.as_object_mut().unwrap().remove(name).unwrap();
    }

    #[test]
    fn a_ring_survives_the_round_trip() {
        let mut ring = ring();
        for algorithm in Algorithm::ALL {
            ring = ring.rotate(algorithm, NOW + 30).unwrap();
            let again = KeyRing::from_json(&ring.to_json()).unwrap();
            assert_eq!(again.to_json(), ring.to_json());
            assert_eq!(again.signer().secret(), ring.signer().secret());
            assert_eq!(again.next.key.secret(), ring.next.key.secret());
            assert_eq!(again.signing_since(), NOW + 30);
            for now in [NOW, NOW + 911, NOW + 921, NOW + 931] {
                assert_eq!(again.published(now, 900), ring.published(now, 900));
            }
        }
    }

    #[test]
    fn the_secret_of_a_retired_key_is_not_in_the_file() {
        let before = KeyRing::new(Algorithm::Es256, NOW).unwrap();
        let secret = URL_SAFE_NO_PAD.encode(before.signer().secret());
        assert!(before.to_json().contains(&secret));
        let after = before.rotate(Algorithm::Es256, NOW + 10).unwrap().to_json();
        assert!(!after.contains(&secret));
        let file: Value = serde_json::from_str(&after).unwrap();
        assert_eq!(file["keys"][2]["kid"], before.signer().public().kid());
        assert_eq!(file["keys"][2]["x"], before.signer().public().jwk()["x"]);
        assert_eq!(file["keys"][2].get("secret"), None);
    }

    #[test]
    fn a_ring_without_a_next_key_is_given_one() {
        let old = ring();
        let mut file: Value = serde_json::from_str(&old.to_json()).unwrap();
        file["keys"].as_array_mut().unwrap().remove(1);
        let ring = KeyRing::from_json(&file.to_string()).unwrap();
        let kids = |ring: &KeyRing| ring.keys().map(|one| one.key.kid().to_owned()).collect::<Vec<_>>();
        let (ours, before) = (kids(&ring), kids(&old));
        assert_eq!((ours.len(), &ours[0], &ours[2..]), (4, &before[0], &before[2..]));
        assert_ne!(ours[1], before[1]);
        assert_eq!(ring.next.key.public().algorithm(), Algorithm::Es256k);
        assert_eq!(ring.signing_since(), NOW + 20);
    }

    #[test]
    fn a_full_ring_without_a_next_key_has_no_room_for_one() {
        let mut full = ring();
        while let Ok(more) = full.rotate(Algorithm::Es256, NOW + 30) {
            full = more;
        }
        let mut file: Value = serde_json::from_str(&full.to_json()).unwrap();
        let retired: Value = serde_json::from_str(&ring().to_json()).unwrap();
        file["keys"][1] = retired["keys"][2].clone();
        let verdict = KeyRing::from_json(&file.to_string());
        assert_eq!(verdict.unwrap_err(), RingError::TooManyKeys(MAX_KEYS + 1));
    }

    #[test]
    fn the_text_with_the_secrets_has_room_from_the_start() {
        let mut full = KeyRing::new(Algorithm::Es256, u64::MAX).unwrap();
        while let Ok(more) = full.rotate(Algorithm::Es256, u64::MAX) {
            full = more;
        }
        assert!(full.to_json().len() < KEY_BYTES * MAX_KEYS);
        let one = KeyRing::new(Algorithm::Es256, u64::MAX).unwrap();
        assert!(one.to_json().len() < KEY_BYTES * 2);
    }

    #[test]
    fn exactly_one_key_signs_and_one_is_next() {
        let verdict = changed(|file| {
            file["keys"].as_array_mut().unwrap().drain(..2);
        });
        assert_eq!(verdict.unwrap_err(), RingError::NotSignerAndNext(0));
        assert_eq!(changed(|file| file["keys"] = json!([])).unwrap_err(), RingError::NotSignerAndNext(0));
        let verdict = changed(|file| {
            let other: Value = serde_json::from_str(&ring().to_json()).unwrap();
            file["keys"].as_array_mut().unwrap().push(other["keys"][0].clone());
        });
        assert_eq!(verdict.unwrap_err(), RingError::NotSignerAndNext(3));
    }

    #[test]
    fn a_key_that_is_not_what_it_says_is_named_by_its_place() {
        let fault = |change: &dyn Fn(&mut Value)| match changed(|file| change(&mut file["keys"])) {
            Err(RingError::Key { number, fault }) => (number, fault),
            other => panic!("{other:?}"),
        };
        let other = ring();
        let secret = URL_SAFE_NO_PAD.encode(other.signer().secret());
        assert_eq!(fault(&|keys| remove(&mut keys[0], "secret")), (1, KeyFault::SecretMissing));
        assert_eq!(fault(&|keys| keys[0]["secret"] = json!("AA")), (1, KeyFault::Invalid));
        assert_eq!(fault(&|keys| keys[0]["secret"] = json!("*")), (1, KeyFault::Invalid));
        assert_eq!(fault(&|keys| keys[0]["alg"] = json!("ES256")), (1, KeyFault::Invalid));
        assert_eq!(fault(&|keys| keys[0]["secret"] = json!(secret)), (1, KeyFault::WrongKid));
        assert_eq!(fault(&|keys| remove(&mut keys[1], "secret")), (2, KeyFault::SecretMissing));
        assert_eq!(fault(&|keys| keys[1]["secret"] = json!(secret)), (2, KeyFault::WrongKid));
        assert_eq!(fault(&|keys| keys[1] = keys[0].clone()), (2, KeyFault::Duplicate));
        assert_eq!(fault(&|keys| keys[2]["secret"] = json!(secret)), (3, KeyFault::SecretKept));
        assert_eq!(fault(&|keys| remove(&mut keys[2], "x")), (3, KeyFault::Invalid));
        assert_eq!(fault(&|keys| remove(&mut keys[3], "y")), (4, KeyFault::Invalid));
        assert_eq!(fault(&|keys| keys[3]["kid"] = json!("other")), (4, KeyFault::WrongKid));
        assert_eq!(fault(&|keys| keys[3]["retired_at"] = json!(1)), (4, KeyFault::RetiredBeforeMade));
        assert_eq!(fault(&|keys| keys[3] = keys[2].clone()), (4, KeyFault::Duplicate));
    }

    #[test]
    fn a_file_of_another_form_is_refused_and_its_text_is_not_shown() {
        let secret = "c2VjcmV0";
        for text in [
            "",
            "{}",
            "[]",
            &format!("\"{secret}\""),
            &format!(r#"{{"version":"{secret}","keys":[]}}"#),
            &format!(r#"{{"version":1,"keys":"{secret}"}}"#),
            &format!(r#"{{"version":1,"keys":[],"{secret}":1}}"#),
            &format!(r#"{{"version":1,"keys":[{{"kid":"a","alg":"{secret}","created_at":1}}]}}"#),
            &format!(r#"{{"version":1,"keys":[{{"kid":"a","alg":"ES256","created_at":"{secret}"}}]}}"#),
            r#"{"version":1,"keys":[{"kid":"a","alg":"ES256","secret":"c2Vj\u0063mV0","created_at":1}]}"#,
        ] {
            let error = KeyRing::from_json(text).unwrap_err();
            assert!(matches!(error, RingError::Malformed { .. }), "{text}: {error}");
            assert!(!error.to_string().contains(secret), "{error}");
        }
        let error = KeyRing::from_json("{\"version\":1,\n\"keys\":7}").unwrap_err();
        assert_eq!(error.to_string(), "not a key file: line 2, column 8");
    }

    #[test]
    fn a_file_of_a_later_release_is_not_guessed_at() {
        let verdict = KeyRing::from_json(r#"{"version":2,"rings":[]}"#);
        assert_eq!(verdict.unwrap_err(), RingError::UnknownVersion(2));
    }

    #[test]
    fn a_file_of_too_many_keys_is_refused() {
        let verdict = changed(|file| {
            let keys = file["keys"].as_array_mut().unwrap();
            keys.resize(MAX_KEYS + 1, keys[1].clone());
        });
        assert_eq!(verdict.unwrap_err(), RingError::TooManyKeys(MAX_KEYS + 1));
    }
}
