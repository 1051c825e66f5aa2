//! The cookie that says which browser this is.
//!
//! Browsers accept a name with the prefix `__Host-` only from this very host, over TLS and for all paths, so a
//! subdomain cannot set it (RFC 6265bis §4.1.3). A browser that sends two such cookies is not believed.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::store::SecretDigest;

const NAME: &str = "__Host-portico";

/// The bytes of a secret.
const LENGTH: usize = 32;

/// A new secret for a browser or an app, and its hash. Only the hash is kept.
pub(super) struct Secret {
    text: String,
    pub(super) digest: SecretDigest,
}

impl Secret {
    pub(super) fn new() -> Self {
        let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; LENGTH]>());
        let digest = digest(&text);
        Self { text, digest }
    }

    /// The secret itself.
    pub(super) fn expose(&self) -> &str {
        &self.text
    }

    /// The header that gives it to a browser, which keeps it until it is closed.
    pub(super) fn set_cookie(&self) -> HeaderValue {
        let text = format!("{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.text);
        let mut value = HeaderValue::from_maybe_shared(text.into_bytes())
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// The hash under which a secret is kept.
pub(super) fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret.as_bytes()).into()
}

/// The browser that sent these headers. `None`: it has no cookie, or more than one.
pub(super) fn browser_of(headers: &HeaderMap) -> Option<SecretDigest> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let secret = found.next().filter(|_| found.next().is_none())?;
    let is_ours = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == LENGTH);
    is_ours.then(|| digest(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(lines: &[&str]) -> Option<SecretDigest> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        browser_of(&headers)
    }

    #[test]
    fn a_browser_is_known_by_its_one_cookie() {
        let secret = Secret::new();
        let cookie = format!("{NAME}={}", secret.expose());
        assert_eq!(browser(&[&cookie]), Some(secret.digest));
        assert_eq!(browser(&[&format!("a=b; {cookie};c=d")]), Some(secret.digest));
        assert_eq!(browser(&["a=b", &cookie]), Some(secret.digest));
        assert_ne!(Secret::new().digest, secret.digest);
    }

    #[test]
    fn cookie_tossing_a_second_cookie_or_one_without_the_prefix_names_no_browser() {
        let (mine, tossed) = (Secret::new(), Secret::new());
        let (mine, tossed) = (mine.expose(), tossed.expose());
        for lines in [
            vec![format!("{NAME}={tossed}; {NAME}={mine}")],
            vec![format!("{NAME}={mine}"), format!("{NAME}={mine}")],
            vec![format!("portico={mine}")],
            vec![format!("__host-portico={mine}")],
            vec![format!("__Secure-portico={mine}")],
            vec![format!("{NAME}=guessed")],
            vec![format!("{NAME}=")],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(browser(&lines), None, "{lines:?}");
        }
    }

    #[test]
    fn scripts_and_other_sites_cannot_use_the_cookie() {
        let set = Secret::new().set_cookie();
        let set = set.to_str().unwrap();
        for word in ["__Host-", "; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(set.contains(word), "{set}");
        }
        assert!(!set.contains("Domain"), "{set}");
    }
}
