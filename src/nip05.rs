//! The document of a NIP-05 name, fetched from the host of the name.

use nostr_sdk::nips::nip05::Nip05Address;

use crate::address;
use crate::outbound::{Answer, Outbound, OutboundError};

/// Why a host gave no document, in words for whoever runs this daemon.
pub(crate) fn reason(error: &OutboundError) -> String {
    match error {
        OutboundError::Private => "its address is private: lookup.allow_private".into(),
        error => error.in_full(),
    }
}

/// The largest document that is read, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 256 * 1024;

/// Asks the host of a name for its document, over HTTPS. Only where private addresses are allowed, a loopback address
/// is asked over plain HTTP.
///
/// # Errors
/// The host sent no answer, or one that is too large.
pub(crate) async fn fetch(http: &Outbound, name: &Nip05Address) -> Result<Answer, OutboundError> {
    let mut url = name.url().clone();
    if http.allows_private() && address::literal(&url).is_some_and(|ip| ip.is_loopback()) {
        let _ = url.set_scheme("http");
    }
    http.send(http.client().get(url).build()?, MAX_DOCUMENT).await
}
