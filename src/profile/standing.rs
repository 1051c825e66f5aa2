//! What a wallet shows of the service, and why it may show nothing.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::nip05::Nip05Problem;

/// The text that Portal's wallet shows in place of a name.
pub const UNKNOWN_SERVICE: &str = "Unknown Service";

/// Why a wallet shows no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// There is no profile.
    #[error("there is no profile: set [profile] in portico.toml")]
    NoProfile,
    /// The main key has no profile, and only the main key could publish one.
    #[error(
        "the main key has no profile, and a subkey cannot publish one: use `portico identity publish --key-file`"
    )]
    NoProfileOfMainKey,
    /// No relay has it.
    #[error("no relay has the profile: {0}")]
    NotStored(String),
    /// The profile has a form that wallets cannot read.
    #[error("the profile cannot be read: its fields must be text")]
    Unreadable,
    /// The profile has no NIP-05 name.
    #[error("the profile has no nip05 name, and Portal's wallet shows only that name: set profile.nip05")]
    NoNip05,
    /// The NIP-05 name does not point to the service.
    #[error("{name} does not point to this service: {problem}")]
    Nip05 {
        /// The name.
        name: String,
        /// Why.
        problem: Nip05Problem,
    },
}

/// What a wallet shows of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The name, or why the wallet shows no name.
    pub name: Result<String, NoName>,
    /// Whether the relays have a newer profile than ours, published elsewhere.
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
