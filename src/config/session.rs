//! `[access]`, `[sessions]` and `[forward]`: the second layer.

use std::time::Duration;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::access_token::Algorithm;

/// `[access]`: access tokens, and the keys that sign them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessRules {
    /// `iss` of access tokens (RFC 9068 §2.2). Default: `nostr:npub1…`, the service's key (NIP-21).
    pub issuer: Option<String>,
    /// `aud` of access tokens. Default: the issuer.
    pub audience: Option<String>,
    /// What signs them. Default ES256.
    pub algorithm: Algorithm,
    /// How long one holds, unless what it rests on ends before. Default 15 minutes.
    #[serde(with = "super::duration")]
    pub lifetime: Duration,
    /// The longest life of a JWT that is issued from service to service. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_service_lifetime: Duration,
    /// How long one key signs; zero: until an operator says so. Default 30 days.
    #[serde(with = "super::duration")]
    pub rotate_every: Duration,
}

impl Default for AccessRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            algorithm: Algorithm::Es256,
            lifetime: Duration::from_secs(15 * 60),
            max_service_lifetime: Duration::from_secs(30 * 24 * 3600),
            rotate_every: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// Which of the two layers a check asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Checks {
    /// The access token and the wallet's credential, which must belong together.
    Both,
    /// The access token alone; a credential that comes with it must belong to it.
    AccessToken,
    /// The wallet's credential alone; an access token that comes with it must belong to it.
    Credential,
}

/// Whose first login makes a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Every wallet's.
    Open,
    /// Nobody's: only users who exist may log in, and operators invite them.
    Listed,
}

/// `[sessions]`: users, and what a login begins.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// Whether there are any. Default false.
    pub enabled: bool,
    /// Whose first login makes a user. Default open.
    pub sign_up: SignUp,
    /// What a check asks for. Default both.
    pub checks: Checks,
    /// How long a session goes on, unless the wallet's credential ends before. Default 30 days.
    #[serde(with = "super::duration")]
    pub max_lifetime: Duration,
    /// Sessions that a user has at the same time; the oldest beyond these is ended. Default 50.
    pub max_per_user: usize,
    /// Logins with one wallet within `window`. Default 30.
    pub max_logins_per_wallet: usize,
    /// Renewals with one wallet within `window`. Default 120.
    pub max_refreshes_per_wallet: usize,
    /// The window of the two. Default 10 minutes.
    #[serde(with = "super::duration")]
    pub window: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            enabled: false,
            sign_up: SignUp::Open,
            checks: Checks::Both,
            max_lifetime: Duration::from_secs(30 * 24 * 3600),
            max_per_user: 50,
            max_logins_per_wallet: 30,
            max_refreshes_per_wallet: 120,
            window: Duration::from_secs(10 * 60),
        }
    }
}

/// `[forward]`: where gateways hand over what a user's request carries.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardRules {
    /// The header with the access token, behind `Bearer `. Default `Authorization`.
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
            access_token_header: axum::http::header::AUTHORIZATION,
            credential_header: HeaderName::from_static("x-wallet-session"),
            access_token_cookie: None,
            credential_cookie: None,
        }
    }
}

/// The name of a header as text.
mod header {
    use axum::http::HeaderName;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| de::Error::custom(format!("{text:?} is not the name of a header")))
    }
}

/// What is wrong with the three sections: the key, and the reason.
pub(super) fn check(
    access: &AccessRules,
    sessions: &SessionRules,
    forward: &ForwardRules,
) -> Result<(), (&'static str, String)> {
    /// A refresh a second would be one for every request.
    const SHORTEST: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    /// Headers that say something else about a request.
    const TAKEN: [&str; 6] =
        ["connection", "content-length", "content-type", "cookie", "host", "transfer-encoding"];
    const HOUR: Duration = Duration::from_secs(3600);

    for (key, name) in [("access.issuer", &access.issuer), ("access.audience", &access.audience)] {
        if let Some(name) = name
            && !is_string_or_uri(name)
        {
            return Err((key, format!("{name:?} is neither a name nor a URI (RFC 7519 §2)")));
        }
    }
    if !(SHORTEST..=LONGEST).contains(&access.lifetime) {
        return Err(("access.lifetime", "must be from 10s to 24h".into()));
    }
    if access.max_service_lifetime < HOUR {
        return Err(("access.max_service_lifetime", "must be at least 1h".into()));
    }
    if !access.rotate_every.is_zero() && access.rotate_every < HOUR {
        return Err(("access.rotate_every", "must be at least 1h, or 0s for never by itself".into()));
    }
    if sessions.max_lifetime < access.lifetime {
        return Err(("sessions.max_lifetime", "must be at least access.lifetime".into()));
    }
    for (key, count) in [
        ("sessions.max_per_user", sessions.max_per_user),
        ("sessions.max_logins_per_wallet", sessions.max_logins_per_wallet),
        ("sessions.max_refreshes_per_wallet", sessions.max_refreshes_per_wallet),
    ] {
        if count == 0 {
            return Err((key, "must be at least 1".into()));
        }
    }
    if sessions.window < Duration::from_secs(1) {
        return Err(("sessions.window", "must be at least 1s".into()));
    }
    for (key, header) in [
        ("forward.access_token_header", &forward.access_token_header),
        ("forward.credential_header", &forward.credential_header),
    ] {
        let name = header.as_str();
        if name.starts_with("x-auth-") || TAKEN.contains(&name) {
            return Err((key, format!("{name:?} has a meaning of its own")));
        }
    }
    if forward.access_token_header == forward.credential_header {
        return Err(("forward.credential_header", "is forward.access_token_header, too".into()));
    }
    let cookies = [
        ("forward.access_token_cookie", &forward.access_token_cookie),
        ("forward.credential_cookie", &forward.credential_cookie),
    ];
    for (key, cookie) in cookies {
        if cookie.as_ref().is_some_and(|name| !is_cookie_name(name)) {
            return Err((key, "is not the name of a cookie (RFC 6265 §4.1.1)".into()));
        }
    }
    if forward.access_token_cookie.is_some() && forward.access_token_cookie == forward.credential_cookie {
        return Err(("forward.credential_cookie", "is the cookie of the access token, too".into()));
    }
    Ok(())
}

/// A value with a colon must be a URI.
fn is_string_or_uri(text: &str) -> bool {
    let printable = !text.is_empty() && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    printable && (!text.contains(':') || url::Url::parse(text).is_ok())
}

/// A token of RFC 9110 §5.6.2, as the name of a header is.
fn is_cookie_name(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}
