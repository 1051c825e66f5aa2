//! The text that a user signs to log in. It is similar to that of EIP-4361, and made from a payload field by field.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::ethereum::{Address, recover};

/// The fields, with the names of the thirdweb package. The fields that version 4 leaves out are optional.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Payload {
    /// `evm`; only in version 4.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The account.
    pub address: String,
    /// The chain, in decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
    /// The domain that asks for the signature.
    pub domain: String,
    /// When the text expires, RFC 3339.
    pub expiration_time: String,
    /// When it becomes valid.
    pub invalid_before: String,
    /// When it was made.
    pub issued_at: String,
    /// Unique for each text.
    pub nonce: String,
    /// Further resources that the user agrees to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// For people.
    pub statement: String,
    /// Where the user logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The version of the text's form.
    pub version: String,
}

/// The required content of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedPayload {
    /// Compared exactly.
    pub domain: String,
    /// `None`: the domain, if the payload has any.
    pub uri: Option<String>,
    /// Compared exactly.
    pub statement: String,
    /// Compared exactly.
    pub version: String,
    /// The allowed chains. If empty: any chain, or none.
    pub chain_ids: Vec<u64>,
    /// All of these are required; the user may add more.
    pub resources: Vec<String>,
    /// How far `issued_at` may be in the future, in seconds.
    pub leeway_secs: u64,
}

/// Why a user who signed is refused: the first reason that applies, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefusal {
    /// A field has a control character, or an address or time is invalid.
    #[error("a field of the payload is invalid")]
    Malformed,
    /// `domain`, `uri`, `statement`, `version`, `chain_id` or `resources` is not the one that this service requires.
    #[error("the payload is not for this service: {0}")]
    Foreign(&'static str),
    /// `expiration_time` has passed.
    #[error("the payload has expired")]
    Expired,
    /// `invalid_before` or `issued_at` is in the future.
    #[error("the payload is not valid yet")]
    NotYetValid,
    /// `address` did not sign the text.
    #[error("the address did not sign the payload")]
    Signature,
    /// The text was not made here for this address, or was used before.
    #[error("the payload was not made here, or was used before")]
    UnknownNonce,
}

impl SignInRefusal {
    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_payload",
            Self::Foreign(_) => "foreign_payload",
            Self::Expired => "payload_expired",
            Self::NotYetValid => "payload_not_yet_valid",
            Self::Signature => "invalid_signature",
            Self::UnknownNonce => "unknown_nonce",
        }
    }
}

impl Payload {
    /// The text that the user signs.
    pub fn message(&self) -> String {
        let Self { address, domain, statement, version, nonce, .. } = self;
        let mut text =
            format!("{domain} wants you to sign in with your Ethereum account:\n{address}\n\n{statement}\n");
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        };
        line("URI", self.uri.as_deref());
        line("Version", Some(version));
        line("Chain ID", self.chain_id.as_deref());
        line("Nonce", Some(nonce));
        line("Issued At", Some(&self.issued_at));
        line("Expiration Time", Some(&self.expiration_time));
        line("Not Before", Some(&self.invalid_before));
        if let Some(resources) = self.resources.as_ref().filter(|resources| !resources.is_empty()) {
            text.push_str("\nResources:");
            for resource in resources {
                let _ = write!(text, "\n- {resource}");
            }
        }
        text
    }

    /// A hash that identifies the text.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.message()).into()
    }

    /// The account that signed the text, if the content is right and valid at `now`. This does not check that the
    /// text was made here and not used before.
    ///
    /// # Errors
    /// [`SignInRefusal`].
    pub fn verify(
        &self,
        signature: &str,
        expected: &ExpectedPayload,
        now: Timestamp,
    ) -> Result<Address, SignInRefusal> {
        self.is_of_one_line_each()?;
        self.is_as(expected)?;
        self.check_times(now, expected.leeway_secs)?;
        let address = Address::in_any_case(&self.address).map_err(|_| SignInRefusal::Malformed)?;
        if recover(self.message().as_bytes(), signature) != Some(address) {
            return Err(SignInRefusal::Signature);
        }
        Ok(address)
    }

    /// A field with a line feed could look like another field: the text would be ambiguous.
    fn is_of_one_line_each(&self) -> Result<(), SignInRefusal> {
        let Self {
            address,
            domain,
            expiration_time,
            invalid_before,
            issued_at,
            nonce,
            statement,
            version,
            ..
        } = self;
        let fields = [address, domain, expiration_time, invalid_before, issued_at, nonce, statement, version];
        let optional = [&self.kind, &self.chain_id, &self.uri].into_iter().flatten();
        let mut all = fields.into_iter().chain(optional).chain(self.resources.iter().flatten());
        let is_evm = self.kind.as_ref().is_none_or(|kind| kind == "evm");
        if !is_evm || all.any(|field| field.chars().any(char::is_control)) {
            return Err(SignInRefusal::Malformed);
        }
        Ok(())
    }

    fn is_as(&self, expected: &ExpectedPayload) -> Result<(), SignInRefusal> {
        let uri = match (&expected.uri, &self.uri) {
            (Some(expected), uri) => uri.as_ref() == Some(expected),
            (None, uri) => uri.as_ref().is_none_or(|uri| *uri == expected.domain),
        };
        let is_chain = |chain: &u64| self.chain_id.as_ref() == Some(&chain.to_string());
        let chain = expected.chain_ids.is_empty() || expected.chain_ids.iter().any(is_chain);
        let resources = self.resources.as_deref().unwrap_or_default();
        for (name, holds) in [
            ("domain", self.domain == expected.domain),
            ("uri", uri),
            ("statement", self.statement == expected.statement),
            ("version", self.version == expected.version),
            ("chain_id", chain),
            ("resources", expected.resources.iter().all(|resource| resources.contains(resource))),
        ] {
            if !holds {
                return Err(SignInRefusal::Foreign(name));
            }
        }
        Ok(())
    }

    /// A text is valid to its last millisecond, as at thirdweb.
    fn check_times(&self, now: Timestamp, leeway_secs: u64) -> Result<(), SignInRefusal> {
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| SignInRefusal::Malformed);
        let ahead = now.plus(std::time::Duration::from_secs(leeway_secs));
        if now > time(&self.expiration_time)? {
            Err(SignInRefusal::Expired)
        } else if now < time(&self.invalid_before)? || time(&self.issued_at)? > ahead {
            Err(SignInRefusal::NotYetValid)
        } else {
            Ok(())
        }
    }
}
