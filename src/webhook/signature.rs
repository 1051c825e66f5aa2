//! What tells the receiver that a request comes from here. Pure.

use std::fmt;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs bodies under the secret that the receiver shares.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    /// A signer under this secret.
    pub(super) fn new(secret: &SecretString) -> Self {
        let key = secret.expose_secret().as_bytes();
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104 §2)"))
    }

    /// HMAC-SHA256 (RFC 2104, FIPS 180-4) of the body, in lower-case hex.
    pub(super) fn sign(&self, body: &[u8]) -> String {
        hex::encode(self.0.clone().chain_update(body).finalize().into_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.2 and §4.3; the last is longer than a block, computed with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_others() {
        for (key, text, expected) in [
            (
                "\u{0b}".repeat(20),
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                "Jefe".into(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            ("a".repeat(131), "Hi There", "3d24ebe803c8ce6f6c9972695a47d0bbb9f938346ee195410e488a799390e005"),
        ] {
            assert_eq!(Signer::new(&SecretString::from(key)).sign(text.as_bytes()), expected);
        }
    }

    #[test]
    fn whoever_reads_the_log_cannot_forge_a_delivery() {
        let signer = Signer::new(&SecretString::from("hunter2hunter2hunter2"));
        assert_eq!(format!("{signer:?}"), "Signer([redacted])");
    }
}
