//! A URL from the configuration that the daemon calls.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::address;
use crate::shown;

/// `https`, or `http` at a loopback address if [`WebUrl::check`] allows it. Without user and password. Prints without
/// its query, which may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebUrl(Url);

/// The reason why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAWebUrl {
    /// Not a URL, or a URL with another scheme.
    #[error("is not a URL like https://login.example/path")]
    Malformed,
    /// It contains a user or a password.
    #[error("must not contain a user or a password")]
    Credentials,
    /// Plain HTTP.
    #[error("must begin with https:// (http:// is accepted at a loopback address with allow_private = true)")]
    Insecure,
}

impl WebUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Checks the scheme; the HTTP client checks the address again when it connects.
    ///
    /// # Errors
    /// [`NotAWebUrl::Insecure`].
    pub fn check(&self, allow_private: bool) -> Result<(), NotAWebUrl> {
        let is_loopback = address::literal(&self.0).is_some_and(|ip| ip.is_loopback());
        let may_be_plain = allow_private && is_loopback;
        if self.0.scheme() == "https" || may_be_plain { Ok(()) } else { Err(NotAWebUrl::Insecure) }
    }
}

impl FromStr for WebUrl {
    type Err = NotAWebUrl;

    fn from_str(text: &str) -> Result<Self, NotAWebUrl> {
        let url = Url::parse(text).map_err(|_| NotAWebUrl::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(NotAWebUrl::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAWebUrl::Credentials);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown::url(&self.0))
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for WebUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WebUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_overheard_or_holds_a_password_is_refused() {
        let parse = |text: &str| text.parse::<WebUrl>();
        parse("https://login.example/keys?tenant=a").unwrap().check(false).unwrap();
        assert_eq!(parse("login.example/keys"), Err(NotAWebUrl::Malformed));
        assert_eq!(parse("file:///etc/passwd"), Err(NotAWebUrl::Malformed));
        assert_eq!(parse("https://me:secret@login.example/"), Err(NotAWebUrl::Credentials));
        let secret = parse("https://login.example/keys?key=hunter2#hunter2").unwrap();
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(shown.contains("/keys?[redacted]") && !shown.contains("hunter2"), "{shown}");
        let plain = parse("http://login.example/keys").unwrap();
        assert_eq!(plain.check(true), Err(NotAWebUrl::Insecure));
        for local in ["http://127.0.0.1:1/", "http://[::1]/"] {
            let local = parse(local).unwrap();
            assert_eq!((local.check(false), local.check(true)), (Err(NotAWebUrl::Insecure), Ok(())));
        }
    }
}
