//! The messages in opened events.
//!
//! Unknown fields are ignored. NIP-44 keeps a message under 64 KiB; each field states its own bound.

use std::fmt;

use nostr_sdk::{EventId, Kind};
use serde::{Deserialize, Serialize};

use super::{SubkeyProof, kind, wire};

/// A message that can be the content of an event, and knows its kind.
pub trait Content: Serialize {
    /// The kind of events with this content.
    const KIND: Kind;
}

/// A wallet scanned a handshake URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHandshake {
    /// The token of the URL; at most 1024 bytes.
    #[serde(deserialize_with = "wire::text_up_to::<1024, _>")]
    pub token: String,
    /// The wallet app.
    #[serde(default)]
    pub client_info: Option<ClientInfo>,
    /// Relays where the wallet would like to be reached. Unchecked hints of a stranger; the first 32 of up to
    /// 512 bytes are kept.
    #[serde(default, deserialize_with = "wire::relay_hints")]
    pub preferred_relays: Vec<String>,
}

/// The name of a wallet app, as the app gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// Its name, cut after 128 bytes.
    #[serde(deserialize_with = "wire::text_cut_at::<128, _>")]
    pub name: String,
    /// Its version, cut after 128 bytes.
    #[serde(deserialize_with = "wire::text_cut_at::<128, _>")]
    pub version: String,
}

/// A service asks a user to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthChallenge {
    /// Random; the answer repeats it. At most 256 bytes.
    #[serde(deserialize_with = "wire::text_up_to::<256, _>")]
    pub challenge: String,
    /// The deadline for the answer, in seconds since the Unix epoch.
    #[serde(with = "wire::seconds")]
    pub expires_at: u64,
    /// The permissions that the service asks for; at most 64 of up to 128 bytes.
    #[serde(default, deserialize_with = "wire::permissions")]
    pub required_permissions: Vec<String>,
    /// The proof that the sender acts for a main key, if it is a subkey.
    #[serde(default)]
    pub subkey_proof: Option<SubkeyProof>,
}

/// A user's answer to a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthResponse {
    /// The challenge that is answered; at most 256 bytes.
    #[serde(deserialize_with = "wire::text_up_to::<256, _>")]
    pub challenge: String,
    /// The proof that the sender acts for a main key, if it is a subkey.
    #[serde(default)]
    pub subkey_proof: Option<SubkeyProof>,
    /// Approved or declined.
    pub status: AuthStatus,
}

/// Approved or declined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum AuthStatus {
    /// The user approved.
    Approved {
        /// The granted permissions; the first 64 texts of up to 128 bytes, because a wallet may know other
        /// kinds of permissions than Portico.
        #[serde(default, deserialize_with = "wire::granted_permissions")]
        granted_permissions: Vec<String>,
        /// The login token that the wallet issued.
        session_token: SessionToken,
    },
    /// The user declined.
    Declined {
        /// The reason, for people; cut after 1024 bytes, absent if it is no text.
        #[serde(default, deserialize_with = "wire::remark_cut_at::<1024, _>")]
        reason: Option<String>,
    },
}

/// A wallet's token that is not verified yet. It is a secret, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionToken(String);

impl SessionToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Content for KeyHandshake {
    const KIND: Kind = kind::KEY_HANDSHAKE;
}

impl Content for AuthChallenge {
    const KIND: Kind = kind::AUTH_CHALLENGE;
}

impl Content for AuthResponse {
    const KIND: Kind = kind::AUTH_RESPONSE;
}

impl Content for SubkeyProof {
    const KIND: Kind = kind::SUBKEY_PROOF;
}

/// The message of an opened event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A wallet has scanned a URL.
    KeyHandshake(KeyHandshake),
    /// A service asks a user to log in.
    AuthChallenge(AuthChallenge),
    /// A user answers a challenge.
    AuthResponse(AuthResponse),
    /// A key that could not read a message proves its main key.
    SubkeyProof {
        /// The proof; not verified.
        proof: SubkeyProof,
        /// The message that it could not read, from the `e` tag.
        about: Option<EventId>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_needs_nothing_but_its_token() {
        let bare = KeyHandshake { token: "t".into(), client_info: None, preferred_relays: vec![] };
        for json in
            [r#"{"token":"t"}"#, r#"{"token":"t","client_info":null,"preferred_relays":null,"colour":"red"}"#]
        {
            assert_eq!(serde_json::from_str::<KeyHandshake>(json).unwrap(), bare);
        }
        assert!(serde_json::from_str::<KeyHandshake>(r#"{"preferred_relays":[]}"#).is_err());
    }

    #[test]
    fn hints_are_cut_and_what_carries_meaning_is_refused() {
        let relays = vec!["w".repeat(513); 1].into_iter().chain(vec!["wss://r".to_owned(); 40]);
        let json = serde_json::json!({
            "token": "t",
            "client_info": { "name": "é".repeat(100) },
            "preferred_relays": relays.collect::<Vec<_>>(),
        });
        let handshake: KeyHandshake = serde_json::from_value(json).unwrap();
        assert_eq!(handshake.preferred_relays, vec!["wss://r"; 32]);
        assert_eq!(handshake.client_info.unwrap().name, "é".repeat(64));

        let long = serde_json::json!({ "token": "t".repeat(1025) });
        assert!(serde_json::from_value::<KeyHandshake>(long).is_err());
        for permissions in [vec!["p".to_owned(); 65], vec!["p".repeat(129)]] {
            let json = serde_json::json!({
                "challenge": "c", "expires_at": "1", "required_permissions": permissions,
            });
            assert!(serde_json::from_value::<AuthChallenge>(json).is_err());
        }
    }

    #[test]
    fn times_are_strings_of_digits_and_nothing_else() {
        let challenge = |expires_at: &str| {
            serde_json::from_str::<AuthChallenge>(&format!(
                r#"{{"challenge":"c","expires_at":{expires_at}}}"#
            ))
        };
        assert_eq!(challenge(r#""18446744073709551615""#).unwrap().expires_at, u64::MAX);
        for bad in ["1", r#""""#, r#""+1""#, r#""-1""#, r#""1.5""#, r#"" 1""#, r#""18446744073709551616""#] {
            assert!(challenge(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_session_token_does_not_print() {
        let json = r#"{"challenge":"c","status":{"status":"approved","session_token":"s3cret"}}"#;
        let response: AuthResponse = serde_json::from_str(json).unwrap();
        let AuthStatus::Approved { session_token, .. } = &response.status else { panic!("approved") };
        assert_eq!(session_token.expose(), "s3cret");
        assert!(!format!("{response:?}").contains("s3cret"));
    }

    #[test]
    fn an_approval_counts_whatever_else_the_wallet_grants() {
        let long = "p".repeat(129);
        let many = vec!["p"; 65];
        for (granted, read) in [
            (serde_json::json!(["a", { "payments": { "limit": 5 } }, "b"]), vec!["a", "b"]),
            (serde_json::json!([null, 7, true, ["a"], "b", long]), vec!["b"]),
            (serde_json::json!(many), vec!["p"; 64]),
            (serde_json::json!({ "payments": true }), vec![]),
            (serde_json::json!("all"), vec![]),
            (serde_json::json!(null), vec![]),
        ] {
            let status = serde_json::json!({
                "status": "approved", "granted_permissions": granted, "session_token": "t", "colour": "red",
            });
            let json = serde_json::json!({ "challenge": "c", "status": status });
            let response: AuthResponse = serde_json::from_str(&json.to_string()).unwrap();
            let AuthStatus::Approved { granted_permissions, session_token } = response.status else {
                panic!("approved")
            };
            assert_eq!((granted_permissions, session_token.expose()), (owned(&read), "t"), "{granted}");
        }
    }

    #[test]
    fn a_refusal_counts_whatever_its_reason_looks_like() {
        for (reason, read) in [(r#""no""#, Some("no")), ("null", None), ("7", None), (r#"{"code":1}"#, None)]
        {
            let json = format!(r#"{{"challenge":"c","status":{{"status":"declined","reason":{reason}}}}}"#);
            let response: AuthResponse = serde_json::from_str(&json).unwrap();
            assert_eq!(response.status, AuthStatus::Declined { reason: read.map(str::to_owned) }, "{reason}");
        }
    }

    fn owned(list: &[&str]) -> Vec<String> {
        list.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_status_that_is_neither_yes_nor_no_is_refused() {
        for status in [r#"{"status":"maybe"}"#, "{}", r#"{"status":"approved"}"#, "null"] {
            let json = format!(r#"{{"challenge":"c","status":{status}}}"#);
            assert!(serde_json::from_str::<AuthResponse>(&json).is_err(), "{status}");
        }
    }
}
