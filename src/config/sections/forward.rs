//! `[forward]`: the headers and cookies in which gateways pass on the user's tokens.

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::config::mistakes::InSection;

/// Headers that have another meaning.
const TAKEN: [&str; 6] =
    ["connection", "content-length", "content-type", "cookie", "host", "transfer-encoding"];

/// `[forward]`: the headers and cookies in which gateways pass on the user's tokens.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardRules {
    /// The header with the access token, after `Bearer `. Default `Authorization`.
    #[serde(with = "header")]
    pub access_token_header: HeaderName,
    /// The header with the wallet's credential. Default `X-Wallet-Session`.
    #[serde(with = "header")]
    pub credential_header: HeaderName,
    /// The cookie with the access token, for requests without that header.
    pub access_token_cookie: Option<String>,
    /// The cookie with the wallet's credential, for requests without that header.
    pub credential_cookie: Option<String>,
}

impl Default for ForwardRules {
    fn default() -> Self {
        Self {
            access_token_header: http::header::AUTHORIZATION,
            credential_header: HeaderName::from_static("x-wallet-session"),
            access_token_cookie: None,
            credential_cookie: None,
        }
    }
}

/// The name of a header as text.
mod header {
    use http::HeaderName;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| de::Error::custom(format!("{text:?} is not a header name")))
    }
}

impl ForwardRules {
    /// Checks the values.
    pub(in crate::config) fn check(&self, wrong: &mut InSection<'_>) {
        for (key, header) in [
            ("access_token_header", &self.access_token_header),
            ("credential_header", &self.credential_header),
        ] {
            let name = header.as_str();
            if name.starts_with("x-auth-") || TAKEN.contains(&name) {
                wrong.add(key, format!("{name:?} already has another meaning: choose another header"));
            }
        }
        if self.access_token_header == self.credential_header {
            wrong.add("credential_header", "must differ from forward.access_token_header");
        }
        let cookies = [
            ("access_token_cookie", &self.access_token_cookie),
            ("credential_cookie", &self.credential_cookie),
        ];
        for (key, cookie) in cookies {
            if cookie.as_ref().is_some_and(|name| !is_cookie_name(name)) {
                wrong.add(key, "is not a cookie name (RFC 6265 §4.1.1)");
            }
        }
        if self.access_token_cookie.is_some() && self.access_token_cookie == self.credential_cookie {
            wrong.add("credential_cookie", "must differ from forward.access_token_cookie");
        }
    }
}

/// Whether the text is a token (RFC 9110 §5.6.2), as header names are.
fn is_cookie_name(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}
