//! Signs requests to the receiver, so that it can verify that Portico sent them. Pure.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::config::WebhookKeys;

/// Signs bodies with the secret that the receiver shares.
#[derive(Clone)]
pub(super) struct Signer {
    portal: Hmac<Sha256>,
    standard: Hmac<Sha256>,
}

impl Signer {
    /// A signer with these keys.
    pub(super) fn new(keys: &WebhookKeys) -> Self {
        let mac = |key: &[u8]| Hmac::new_from_slice(key).expect("HMAC takes any key (RFC 2104 §2)");
        let (text, standard) = (keys.text.expose_secret(), keys.standard.expose_secret());
        Self { portal: mac(text.as_bytes()), standard: mac(standard) }
    }

    /// `x-portal-signature`: HMAC-SHA256 (RFC 2104, FIPS 180-4) of the body, in lower-case hex.
    pub(super) fn sign(&self, body: &[u8]) -> String {
        hex::encode(self.portal.clone().chain_update(body).finalize().into_bytes())
    }

    /// `webhook-signature` (Standard Webhooks): a MAC of id, time and body, so that an attacker cannot replay
    /// a recorded request later.
    pub(super) fn sign_at(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let head = format!("{id}.{}.", at.secs());
        let mac = self.standard.clone().chain_update(head).chain_update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{SecretSlice, SecretString};

    use super::*;

    /// A signer under any text, short ones of RFC 4231 too.
    fn under(text: &str) -> Signer {
        let standard = SecretSlice::from(text.as_bytes().to_vec());
        Signer::new(&WebhookKeys { text: SecretString::from(text), standard })
    }

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
            assert_eq!(under(&key).sign(text.as_bytes()), expected);
        }
    }

    #[test]
    fn whoever_reads_the_log_cannot_forge_a_delivery() {
        let signer = under("hunter2hunter2hunter2");
        assert_eq!(format!("{signer:?}"), "Signer([redacted])");
    }

    /// The example in the specification of Standard Webhooks, and the same under a plain text; as PyPI's
    /// `standardwebhooks` 1.1.0 signs them.
    #[test]
    fn signatures_with_a_time_are_those_of_others() {
        for (secret, expected) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,M04OjfrIllUQVh7F6qzV64l0HX5jtzZ3ZYON+pgbpLA="),
            ("a secret of the operator's", "v1,7qNBpAgE9odfoqy1XetVCNY1xfdazSAXwquQprEjuSY="),
        ] {
            let signer = Signer::new(&WebhookKeys::of(SecretString::from(secret)).unwrap());
            let at = Timestamp::from_secs(1_614_265_330);
            let signature = signer.sign_at("msg_p5jXN8AQM9LWM0D4loKWxEk", at, br#"{"test": 2432232314}"#);
            assert_eq!(signature, expected);
        }
    }
}
