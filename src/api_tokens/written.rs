//! The text of a token: `portico_`, its public part, `_`, its secret part.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::store::ApiTokenId;

/// Programs that search for leaked secrets find a token by this prefix.
const PREFIX: &str = "portico_";

/// A token that was just made. Only this value contains its secret.
pub(super) struct Fresh {
    pub(super) id: ApiTokenId,
    pub(super) secret_hash: [u8; 32],
    pub(super) text: SecretString,
}

/// Makes a token. Its secret has 256 random bits, so nobody can guess it from its hash.
pub(super) fn fresh() -> Fresh {
    let id = rand::random::<ApiTokenId>();
    let secret = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
    let text = format!("{PREFIX}{}_{}", hex::encode(id), secret.expose_secret()).into();
    Fresh { id, secret_hash: hash(secret.expose_secret()), text }
}

/// The public and the secret part of a text. `None`: it is not the text of a token.
pub(super) fn parts(text: &str) -> Option<(ApiTokenId, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let mut public = ApiTokenId::default();
    hex::decode_to_slice(id, &mut public).ok()?;
    Some((public, secret))
}

/// Whether this secret has that hash. Compares the hashes in constant time.
pub(super) fn is_secret(secret: &str, secret_hash: &[u8; 32]) -> bool {
    hash(secret).ct_eq(secret_hash).into()
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_public_part_and_opened_by_its_secret() {
        let Fresh { id, secret_hash, text } = fresh();
        let (public, secret) = parts(text.expose_secret()).unwrap();
        assert_eq!(public, id);
        assert!(is_secret(secret, &secret_hash));
        assert!(!is_secret(&secret[1..], &secret_hash) && !is_secret("", &secret_hash));
    }

    #[test]
    fn two_tokens_have_nothing_in_common() {
        let (one, two) = (fresh(), fresh());
        assert_ne!(one.id, two.id);
        assert_ne!(one.secret_hash, two.secret_hash);
    }

    #[test]
    fn the_stored_hash_opens_nothing() {
        let Fresh { secret_hash, .. } = fresh();
        let stolen = [hex::encode(secret_hash), String::from_utf8_lossy(&secret_hash).into_owned()];
        assert!(stolen.iter().all(|stolen| !is_secret(stolen, &secret_hash)));
    }

    #[test]
    fn a_text_that_does_not_look_like_a_token_has_no_parts() {
        for text in
            ["", "portico_", "portico__", "portico_00_s", "portico_0011223344556677", "0011223344556677_s"]
        {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
