//! `[service]`: the service's identity.

use std::path::PathBuf;

use figment::value::magic::RelativePathBuf;
use secrecy::SecretString;
use serde::Deserialize;

use crate::config::Overrides;
use crate::config::mistakes::InSection;
use crate::config::moved::Moved;
use crate::config::places::{homeless, xdg};
use crate::config::sections::written::optional_one_or_more;
use crate::nip05;
use crate::quoted::quoted;

/// `[service]`: the identity.
#[derive(Debug, Clone)]
pub struct Service {
    /// The file with the key: `nsec1…` or 64 hex digits; made if it is missing.
    pub key_file: PathBuf,
    /// The key itself, from Portal's variables; then no file is used.
    pub given_key: Option<SecretString>,
    /// The SUBKEY_PROOF content itself, from Portal's variables.
    pub given_proof: Option<String>,
    /// The file with the SUBKEY_PROOF content, if the key is a subkey.
    pub subkey_proof_file: Option<PathBuf>,
    /// Names under which `/.well-known/nostr.json` lists the service. Default: `_`.
    pub nip05_names: Vec<String>,
}

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawService {
    pub(in crate::config) key_file: Option<RelativePathBuf>,
    pub(in crate::config) subkey_proof_file: Option<RelativePathBuf>,
    #[serde(deserialize_with = "optional_one_or_more")]
    pub(in crate::config) nip05_names: Option<Vec<String>>,
}

impl RawService {
    /// Checks the section; `None`: there is a mistake.
    pub(in crate::config) fn check(
        self,
        overrides: &Overrides,
        moved: &Moved,
        wrong: &mut InSection<'_>,
    ) -> Option<Service> {
        let key_file = overrides
            .key_file
            .clone()
            .or(self.key_file.map(|path| path.relative()))
            .or_else(|| xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("portico/service.key")))
            .ok_or_else(|| homeless("--key-file"));
        let names = self.nip05_names.unwrap_or_else(|| vec!["_".into()]);
        let nip05_names = wrong.keep_each("nip05_names", names, check_nip05_name);
        let key_file = wrong.keep("key_file", key_file);
        Some(Service {
            key_file: key_file?,
            given_key: moved.key.clone(),
            given_proof: moved.proof.clone(),
            subkey_proof_file: self.subkey_proof_file.map(|path| path.relative()),
            nip05_names,
        })
    }
}

/// Checks a name of the service's NIP-05 document; the document has them in lower case.
fn check_nip05_name(name: String) -> Result<String, String> {
    if nip05::is_local(&name) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(format!("{} is not a NIP-05 name: use a-z, 0-9, -, _ and .", quoted(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nip05_name_is_one_that_clients_look_up() {
        let name = |name: &str| check_nip05_name(name.into());
        assert_eq!((name("_"), name("Shop-1.x_")), (Ok("_".into()), Ok("shop-1.x_".into())));
        for wrong in ["", "Bö b", "a@b", "x/y", "a b", "ä", "a\n"] {
            assert!(name(wrong).unwrap_err().contains(&quoted(wrong)), "{wrong}");
        }
    }
}
