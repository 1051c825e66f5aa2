//! The event kinds of the protocol.
//!
//! Kinds from 20000 to 29999 are ephemeral (NIP-01): a relay passes them on and stores nothing.

use nostr_sdk::Kind;

/// Service → wallet: asks the user to log in. Holds an [`AuthChallenge`](super::AuthChallenge).
pub const AUTH_CHALLENGE: Kind = Kind::Custom(27000);

/// Wallet → service: the user's answer. Holds an [`AuthResponse`](super::AuthResponse).
pub const AUTH_RESPONSE: Kind = Kind::Custom(27001);

/// Wallet → service: the wallet scanned the URL. Holds a [`KeyHandshake`](super::KeyHandshake).
pub const KEY_HANDSHAKE: Kind = Kind::Custom(27010);

/// Either way: a key proves its main key. Holds a [`SubkeyProof`](super::SubkeyProof).
pub const SUBKEY_PROOF: Kind = Kind::Custom(30000);
