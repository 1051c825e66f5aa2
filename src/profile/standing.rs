//! What a wallet shows of the service, and why it shows nothing.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::nip05::Nip05Problem;

/// What Portal's wallet shows in place of a name.
pub const UNKNOWN_SERVICE: &str = "Unknown Service";

/// Why a wallet shows no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// There is no profile.
    #[error("there is no profile: set [profile] in portico.toml")]
    NoProfile,
    /// There is none of the main key, and only that one could publish it.
    #[error(
        "the main key has no profile, and a subkey cannot publish one: portico identity publish --key-file"
    )]
    NoProfileOfMainKey,
    /// No relay has it.
    #[error("no relay has the profile: {0}")]
    NotStored(String),
    /// It is no profile that wallets can read.
    #[error("the profile cannot be read: its fields must be text")]
    Unreadable,
    /// It has no NIP-05 name.
    #[error("the profile has no nip05 name, and Portal's wallet shows no other: set profile.nip05")]
    NoNip05,
    /// Its NIP-05 name does not lead back to the service.
    #[error("{name} does not lead back to the service: {problem}")]
    Nip05 {
        /// The name.
        name: String,
        /// What is wrong.
        problem: Nip05Problem,
    },
}

/// What a wallet shows of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The name, or why there is none.
    pub name: Result<String, NoName>,
    /// A newer profile than ours, published elsewhere, is at the relays.
    pub elsewhere: bool,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Ok(name) => write!(f, "Portal's wallet shows {name}"),
            Err(reason) => write!(f, "Portal's wallet shows {UNKNOWN_SERVICE:?}: {reason}"),
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Standing", 3)?;
        fields.serialize_field("wallet_shows", &self.name.as_ref().ok())?;
        fields.serialize_field("problem", &self.name.as_ref().err().map(ToString::to_string))?;
        fields.serialize_field("published_elsewhere", &self.elsewhere)?;
        fields.end()
    }
}
