//! Parses exported sessions strictly: the base64 of a JSON object. Portico trusts little of it and keeps less.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::json::{Object, count_signers};

/// The longest session, in bytes of base64, that fits a body of 64 KiB.
pub const MAX_SESSION_BYTES: usize = 48 * 1024;

/// The most wallets in one session, because each costs a question.
const MAX_WALLETS: usize = 32;

/// An exported session, without its signers. Nothing in it is verified.
#[derive(Debug)]
pub struct ExportedSession {
    /// The user that it names.
    pub user_id: String,
    /// The cookie, by which the provider identifies it.
    pub cookie: SecretString,
    /// The embedded wallets that it names, those with an address.
    pub wallets: Vec<EmbeddedWallet>,
    /// The number of signers in it.
    pub signers: usize,
}

/// An embedded wallet that a session names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedWallet {
    /// Its id at the provider.
    pub id: String,
    /// Its address.
    pub address: String,
}

/// Why a text is not a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionFormatError {
    /// The text is too long.
    #[error("it is longer than {MAX_SESSION_BYTES} bytes")]
    TooLong,
    /// The text is not base64 of either form.
    #[error("it is neither base64 with padding nor base64url without")]
    NotBase64,
    /// The text is not one JSON object, or a name occurs twice in it.
    #[error("it is not one JSON object without duplicate names")]
    NotJson,
    /// A required member is missing or invalid.
    #[error("{0} is missing or invalid")]
    Field(&'static str),
    /// The user has no embedded wallet, so libraries would call the session active without asking the provider.
    #[error("it has no embedded wallet")]
    NoEmbeddedWallet,
}

impl SessionFormatError {
    /// The code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoEmbeddedWallet => "no_embedded_wallet",
            _ => "malformed_session",
        }
    }
}

impl ExportedSession {
    /// Parses a session. Its decoded text, including the signers, is erased before this returns.
    ///
    /// # Errors
    /// [`SessionFormatError`].
    pub fn parse(text: &str) -> Result<Self, SessionFormatError> {
        let decoded = decode(text)?;
        let whole: &RawValue = serde_json::from_slice(&decoded).map_err(|_| SessionFormatError::NotJson)?;
        let signers = count_signers(whole).ok_or(SessionFormatError::NotJson)?;
        let session: Object<'_> =
            serde_json::from_str(whole.get()).map_err(|_| SessionFormatError::NotJson)?;

        let plain = |name: &'static str| session.plain(name).ok_or(SessionFormatError::Field(name));
        let user_id = plain("userId")?;
        let cookie = plain("sessionCookie")?;
        let wallets =
            session.get("wallets").and_then(embedded).ok_or(SessionFormatError::Field("wallets"))?;
        if wallets.is_empty() {
            return Err(SessionFormatError::NoEmbeddedWallet);
        }
        let empty =
            [("userId", user_id), ("sessionCookie", cookie)].into_iter().find(|(_, text)| text.is_empty());
        if let Some((name, _)) = empty {
            return Err(SessionFormatError::Field(name));
        }
        Ok(Self {
            user_id: user_id.to_owned(),
            cookie: SecretString::from(cookie),
            wallets: wallets.into_iter().flatten().collect(),
            signers,
        })
    }
}

/// The buffer is allocated in full before, because a buffer that grows leaves copies behind.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, SessionFormatError> {
    if text.len() > MAX_SESSION_BYTES {
        return Err(SessionFormatError::TooLong);
    }
    let mut decoded = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3]);
    let length = STANDARD
        .decode_slice(text, &mut decoded)
        .or_else(|_| URL_SAFE_NO_PAD.decode_slice(text, &mut decoded))
        .map_err(|_| SessionFormatError::NotBase64)?;
    decoded.truncate(length);
    Ok(decoded)
}

/// The embedded wallets that the session names; `None` inside: a wallet without an address (yet).
fn embedded(wallets: &RawValue) -> Option<Vec<Option<EmbeddedWallet>>> {
    let wallets: Object<'_> = serde_json::from_str(wallets.get()).ok()?;
    let mut embedded = Vec::new();
    for (id, wallet) in wallets.members() {
        let wallet: Object<'_> = serde_json::from_str(wallet.get()).ok()?;
        if wallet.get("id").is_some() && wallet.plain("id") != Some(id) {
            return None;
        }
        let is_external = wallet.get("isExternal").is_some_and(|value| value.get() != "false");
        if !is_external {
            let address = wallet.plain("address").map(str::to_owned);
            embedded.push(address.map(|address| EmbeddedWallet { id: id.to_owned(), address }));
        }
    }
    (embedded.len() <= MAX_WALLETS).then_some(embedded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ExportedSession, SessionFormatError> {
        ExportedSession::parse(&STANDARD.encode(json))
    }

    #[test]
    fn only_the_wallets_that_the_provider_has_made_are_read_whatever_an_export_calls_them() {
        let with =
            |wallets: &str| read(&format!(r#"{{"userId":"u","sessionCookie":"s","wallets":{wallets}}}"#));
        let made = with(r#"{"a":{"address":"0x1"},"b":{"id":"b"},"c":{"address":"0x2","isExternal":true}}"#);
        assert_eq!(made.unwrap().wallets, [EmbeddedWallet { id: "a".into(), address: "0x1".into() }]);
        for (wallets, error) in [
            ("{}", SessionFormatError::NoEmbeddedWallet),
            (r#"{"a":{"isExternal":true}}"#, SessionFormatError::NoEmbeddedWallet),
            (r#"{"a":{"isExternal":1}}"#, SessionFormatError::NoEmbeddedWallet),
            (r#"{"a":{"id":"b"}}"#, SessionFormatError::Field("wallets")),
            (r#"{"a":"b"}"#, SessionFormatError::Field("wallets")),
            ("[]", SessionFormatError::Field("wallets")),
        ] {
            assert_eq!(with(wallets).unwrap_err(), error, "{wallets}");
        }
        let many = |count: usize| {
            let wallets: Vec<_> = (0..count).map(|id| format!(r#""{id}":{{}}"#)).collect();
            with(&format!("{{{}}}", wallets.join(",")))
        };
        many(MAX_WALLETS).unwrap();
        assert_eq!(many(MAX_WALLETS + 1).unwrap_err(), SessionFormatError::Field("wallets"));
    }

    #[test]
    fn a_cookie_that_could_be_read_in_two_ways_or_end_a_header_is_refused() {
        for cookie in [r"s\u003ax", r#"s\"x"#, r"s\nx", "s x", "sé", "s\u{7f}", ""] {
            let json = format!(r#"{{"userId":"u","wallets":{{"a":{{}}}},"sessionCookie":"{cookie}"}}"#);
            assert_eq!(read(&json).unwrap_err(), SessionFormatError::Field("sessionCookie"), "{cookie:?}");
        }
    }

    #[test]
    fn what_is_too_long_not_text_or_not_base64_is_refused() {
        let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_SESSION_BYTES));
        assert_eq!(read(&long).unwrap_err(), SessionFormatError::TooLong);
        let not_text = STANDARD.encode(b"{\"x\":\"\xff\"}");
        assert_eq!(ExportedSession::parse(&not_text).unwrap_err(), SessionFormatError::NotJson);
        // Without padding, with bits that say nothing, of both alphabets.
        for text in ["e30", "e31=", "-+==", "e30=\n", "é"] {
            let error = ExportedSession::parse(text).unwrap_err();
            let wanted = match text {
                // base64url needs none.
                "e30" => SessionFormatError::Field("userId"),
                _ => SessionFormatError::NotBase64,
            };
            assert_eq!(error, wanted, "{text:?}");
        }
    }
}
