//! The signature algorithms of access tokens.

use std::fmt;

words! {
    /// A signature algorithm, by its JOSE name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Algorithm: as_str, serde {
        /// ECDSA over P-256 with SHA-256 (RFC 7518 §3.4), which every JOSE library supports.
        Es256 = "ES256",
        /// Ed25519 (RFC 8037 §3.1).
        EdDsa = "EdDSA",
        /// ECDSA over secp256k1 with SHA-256 (RFC 8812 §3.2), which some widely used libraries have dropped.
        Es256k = "ES256K",
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
