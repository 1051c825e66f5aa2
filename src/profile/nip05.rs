//! Whether a NIP-05 name points to a key, and if not, why. The operator's own domain is asked, so the reason
//! is given in full.

use hyper::StatusCode;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, LOCATION};
use nostr_sdk::PublicKey;
use nostr_sdk::nips::nip05::Nip05Address;
use serde_json::Value;

use crate::nip05;
use crate::outbound::{Answer, Outbound};
use crate::quoted::one_line;

/// How much of a host's answer is repeated, in characters.
const MAX_SHOWN: usize = 200;

/// The name points to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// Whether wallets that are web pages can read the document, too (CORS).
    pub for_web_pages: bool,
}

/// Why a name does not point to a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nip05Problem {
    /// It does not have the form of a name at a host.
    #[error("it is not a name like shop@app.example")]
    Malformed,
    /// The host cannot be reached.
    #[error("the host cannot be reached: {0}")]
    Unreachable(String),
    /// The host answers with a redirect, which NIP-05 does not allow to follow.
    #[error("the host answers with a redirect to {0}, which NIP-05 forbids to follow")]
    Redirect(String),
    /// The host answers with an error.
    #[error("the host answers with {0}")]
    Status(StatusCode),
    /// The answer is not a NIP-05 document.
    #[error("the host's answer is not a JSON object with \"names\"")]
    NoDocument,
    /// The document does not list the name.
    #[error("the host's document does not list {0:?}")]
    NotListed(String),
    /// The document lists another key.
    #[error("the host's document lists another key: {0}")]
    OtherKey(String),
}

/// Asks the host of a name whether it lists this key. The name must have an `@`, as Portal's wallet demands.
///
/// # Errors
/// [`Nip05Problem`].
pub async fn confirm(http: &Outbound, name: &str, key: &PublicKey) -> Result<Confirmed, Nip05Problem> {
    let address = name.contains('@').then(|| Nip05Address::parse(name).ok()).flatten();
    let address = address.ok_or(Nip05Problem::Malformed)?;
    let answer = nip05::fetch(http, &address).await;
    let answer = answer.map_err(|error| Nip05Problem::Unreachable(nip05::reason(&error)))?;
    judge(&answer, address.name(), key)
}

fn judge(answer: &Answer, name: &str, key: &PublicKey) -> Result<Confirmed, Nip05Problem> {
    if answer.status.is_redirection() {
        let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("(nowhere)");
        return Err(Nip05Problem::Redirect(one_line(to, MAX_SHOWN)));
    }
    if !answer.status.is_success() {
        return Err(Nip05Problem::Status(answer.status));
    }
    let document: Value = serde_json::from_slice(&answer.body).map_err(|_| Nip05Problem::NoDocument)?;
    let names = document.get("names").and_then(Value::as_object).ok_or(Nip05Problem::NoDocument)?;
    let listed = names.get(name).and_then(Value::as_str);
    match listed {
        None => Err(Nip05Problem::NotListed(name.to_owned())),
        // Hex in lower case, as NIP-05 has it: wallets read no npub here.
        Some(listed) if PublicKey::from_hex(listed).is_ok_and(|listed| listed == *key) => {
            let origins = answer.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            Ok(Confirmed { for_web_pages: origins.is_some_and(|origins| origins == "*") })
        }
        Some(listed) => Err(Nip05Problem::OtherKey(one_line(listed, MAX_SHOWN))),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderValue};
    use nostr_sdk::Keys;

    use super::*;

    fn answer(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }

    #[test]
    fn a_name_is_confirmed_by_a_document_that_lists_the_key() {
        let key = Keys::generate().public_key();
        let document = format!("{{\"names\":{{\"shop\":\"{key}\"}}}}");
        let cors = [("access-control-allow-origin", "*")];
        assert_eq!(
            judge(&answer(200, &document, &cors), "shop", &key),
            Ok(Confirmed { for_web_pages: true })
        );
        assert_eq!(judge(&answer(200, &document, &[]), "shop", &key), Ok(Confirmed { for_web_pages: false }));
    }

    #[test]
    fn each_way_in_which_it_is_not_has_a_reason_of_its_own() {
        let (key, other) = (Keys::generate().public_key(), Keys::generate().public_key());
        let document = format!("{{\"names\":{{\"shop\":\"{other}\"}}}}");
        let problem = |answer: Answer| judge(&answer, "shop", &key).unwrap_err();
        assert_eq!(problem(answer(200, &document, &[])), Nip05Problem::OtherKey(other.to_hex()));
        assert_eq!(problem(answer(200, "{\"names\":{}}", &[])), Nip05Problem::NotListed("shop".into()));
        for body in ["<html>", "[]", "{}", "{\"names\":[]}"] {
            assert_eq!(problem(answer(200, body, &[])), Nip05Problem::NoDocument, "{body}");
        }
        assert_eq!(problem(answer(404, "{}", &[])), Nip05Problem::Status(StatusCode::NOT_FOUND));
        let moved = answer(301, "", &[("location", "https://www.app.example/")]);
        assert_eq!(problem(moved), Nip05Problem::Redirect("https://www.app.example/".into()));
    }
}
