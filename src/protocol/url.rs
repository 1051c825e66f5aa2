//! The handshake URL: the content of the QR code.

use std::fmt;
use std::str::FromStr;

use nostr_sdk::{FromBech32, PublicKey, ToBech32};
use thiserror::Error;

use super::percent::{self, Encoded};
use super::url_token::{decode_token, token_in_url};

const SCHEME: &str = "portal://";

/// How a wallet reaches a service, and the token that it sends back.
///
/// `portal://<npub>?relays=<url>,<url>&token=<token>[&subkey=<npub>][&no_request=true]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeUrl {
    /// The public key of the service.
    pub main_key: PublicKey,
    /// The subkey that the service uses, if any; the wallet sends its handshake to it.
    pub subkey: Option<PublicKey>,
    /// The URLs of the service's relays, unchanged. Empty ones are lost when a URL is parsed.
    pub relays: Vec<String>,
    /// What the wallet sends back, decoded or as it stands in the URL: see [`token_in_url`].
    pub token: String,
    /// Tells the wallet that no challenge will follow.
    pub no_request: bool,
}

/// Why a text is not a handshake URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It does not begin with `portal://`.
    #[error("not a portal:// URL")]
    Scheme,
    /// The main key or the subkey is not an `npub` (NIP-19) of a point of the curve.
    #[error("not an npub")]
    Key,
    /// A relay is not percent-encoded UTF-8.
    #[error("bad percent-encoding")]
    Encoding,
    /// A parameter occurs twice.
    #[error("a parameter occurs twice")]
    Duplicate,
    /// `relays` or `token` is missing.
    #[error("a parameter is missing")]
    Missing,
    /// `no_request` is neither `true` nor `false`.
    #[error("no_request is neither true nor false")]
    NoRequest,
}

impl fmt::Display for HandshakeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}?relays=", npub(&self.main_key)?)?;
        for (index, relay) in self.relays.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", Encoded(relay))?;
        }
        write!(f, "&token={}", token_in_url(&self.token))?;
        if let Some(subkey) = &self.subkey {
            write!(f, "&subkey={}", npub(subkey)?)?;
        }
        if self.no_request {
            f.write_str("&no_request=true")?;
        }
        Ok(())
    }
}

impl FromStr for HandshakeUrl {
    type Err = UrlError;

    /// Parses a URL; parameters may come in any order, and unknown ones are ignored.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix(SCHEME).ok_or(UrlError::Scheme)?;
        let (main_key, query) = rest.split_once('?').ok_or(UrlError::Missing)?;
        let main_key = key(main_key)?;
        let (mut relays, mut token, mut subkey, mut no_request) = (None, None, None, None);
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "relays" => once(&mut relays, relay_list(value)?)?,
                "token" => once(&mut token, decode_token(value).into_owned())?,
                "subkey" => once(&mut subkey, key(value)?)?,
                "no_request" => once(&mut no_request, value.parse().map_err(|_| UrlError::NoRequest)?)?,
                _ => {}
            }
        }
        Ok(Self {
            main_key,
            subkey,
            relays: relays.ok_or(UrlError::Missing)?,
            token: token.ok_or(UrlError::Missing)?,
            no_request: no_request.unwrap_or(false),
        })
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), UrlError> {
    if place.replace(value).is_some() { Err(UrlError::Duplicate) } else { Ok(()) }
}

/// Each URL is encoded separately, so the commas between them are plain.
fn relay_list(value: &str) -> Result<Vec<String>, UrlError> {
    value.split(',').filter(|relay| !relay.is_empty()).map(decode).collect()
}

fn decode(value: &str) -> Result<String, UrlError> {
    percent::decode(value).ok_or(UrlError::Encoding)
}

fn key(npub: &str) -> Result<PublicKey, UrlError> {
    let key = PublicKey::from_bech32(npub).map_err(|_| UrlError::Key)?;
    key.xonly().map_err(|_| UrlError::Key)?;
    Ok(key)
}

fn npub(key: &PublicKey) -> Result<String, fmt::Error> {
    key.to_bech32().map_err(|never| match never {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostr_sdk::{Keys, SecretKey};
    use proptest::prelude::*;

    const NPUB: &str = "npub16evtuu93f4jq8ymls3rl8kqc6jkn2v2mja07cafvv70jdp5nsv4sa4p28v";

    #[test]
    fn parameters_come_in_any_order_and_unknown_ones_are_ignored() {
        let url: HandshakeUrl =
            format!("portal://{NPUB}?new=1&no_request=false&token=t&flag&relays=").parse().unwrap();
        assert_eq!((url.token.as_str(), url.relays.len(), url.no_request), ("t", 0, false));
    }

    #[test]
    fn each_fault_has_its_own_reason() {
        let off_curve = npub(&PublicKey::from_byte_array([0; 32])).unwrap();
        for (url, expected) in [
            (format!("https://{NPUB}?relays=&token=t"), UrlError::Scheme),
            (format!("portal://{NPUB}"), UrlError::Missing),
            (format!("portal://{NPUB}?token=t"), UrlError::Missing),
            (format!("portal://{NPUB}?relays=x"), UrlError::Missing),
            (format!("portal://{}?relays=&token=t", &NPUB[..60]), UrlError::Key),
            (format!("portal://{}?relays=&token=t", "ab".repeat(32)), UrlError::Key),
            (format!("portal://{NPUB}?relays=&token=t&subkey=x"), UrlError::Key),
            (format!("portal://{off_curve}?relays=&token=t"), UrlError::Key),
            (format!("portal://{NPUB}?relays=%zz&token=t"), UrlError::Encoding),
            (format!("portal://{NPUB}?relays=%F&token=t"), UrlError::Encoding),
            (format!("portal://{NPUB}?relays=&token=t&token=u"), UrlError::Duplicate),
            (format!("portal://{NPUB}?relays=&token=t&no_request=1"), UrlError::NoRequest),
        ] {
            assert_eq!(url.parse::<HandshakeUrl>(), Err(expected), "{url}");
        }
    }

    fn public_key() -> impl Strategy<Value = PublicKey> {
        any::<[u8; 32]>().prop_filter_map("zero or beyond n", |bytes| {
            SecretKey::from_slice(&bytes).ok().map(|secret| Keys::new(secret).public_key())
        })
    }

    proptest! {
        #[test]
        fn what_is_displayed_parses_back(
            main_key in public_key(), subkey in prop::option::of(public_key()),
            relays in prop::collection::vec(".+", 0..4), token: String, no_request: bool,
        ) {
            let url = HandshakeUrl { main_key, subkey, relays, token, no_request };
            let text = url.to_string();
            prop_assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()));
            prop_assert_eq!(text.parse(), Ok(url));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String, query: String) {
            let _ = text.parse::<HandshakeUrl>();
            let _ = format!("portal://{NPUB}?{query}").parse::<HandshakeUrl>();
            let _ = format!("portal://{NPUB}?relays={query}&token=%{query}").parse::<HandshakeUrl>();
        }
    }
}
