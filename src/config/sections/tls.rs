//! `[tls]`: trusted CAs for outgoing connections.

use figment::value::magic::RelativePathBuf;
use serde::Deserialize;

use crate::config::files::{self, show_path};
use crate::config::mistakes::InSection;
use crate::tls::Tls;

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct RawTls {
    pub(in crate::config) ca_file: Option<RelativePathBuf>,
}

impl RawTls {
    /// Reads the file; `None`: there is a mistake.
    pub(in crate::config) fn check(self, wrong: &mut InSection<'_>) -> Option<Tls> {
        let Some(path) = self.ca_file else { return Some(Tls::default()) };
        let path = path.relative();
        let pem = match files::read_bytes(&path) {
            Ok(Some(pem)) => Ok(pem),
            Ok(None) => Err(format!("cannot read {}: the file does not exist", show_path(&path))),
            Err(error) => Err(format!("cannot read {}: {error}", show_path(&path))),
        };
        let tls = pem.and_then(|pem| Tls::with_ca_file(&path, &pem).map_err(|error| error.to_string()));
        wrong.keep("ca_file", tls)
    }
}
