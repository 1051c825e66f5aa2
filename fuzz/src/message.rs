//! Decrypted messages: JSON of a wallet, or of somebody who acts as one.

use std::fmt::Debug;

use nostr_sdk::PublicKey;
use portico::protocol::{AuthChallenge, AuthResponse, AuthStatus, KeyHandshake, SubkeyProof};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Every kind of message parses the text.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(handshake) = round_trip::<KeyHandshake>(text) {
        assert!(handshake.token.len() <= 1024);
        assert!(handshake.preferred_relays.len() <= 32);
        assert!(handshake.preferred_relays.iter().all(|relay| relay.len() <= 512));
    }
    round_trip::<AuthChallenge>(text);
    if let Some(response) = round_trip::<AuthResponse>(text)
        && let AuthStatus::Approved { session_token, .. } = &response.status
        // A shorter text may occur elsewhere in the message by chance.
        && session_token.expose().len() > 64
        && !response.challenge.contains(session_token.expose())
    {
        assert!(!format!("{:?}", response.status).contains(session_token.expose()));
    }
    if let Some(proof) = round_trip::<SubkeyProof>(text) {
        let stranger = PublicKey::from_byte_array([0x79; 32]);
        for now in [0, proof.metadata.valid_from, proof.metadata.expires_at, u64::MAX] {
            let _ = proof.verify(&stranger, &proof.main_key, now);
            let _ = proof.verify(&proof.main_key, &stranger, now);
        }
    }
}

/// Writing the parsed message and parsing it again gives the same message.
fn round_trip<M: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> Option<M> {
    let message: M = serde_json::from_str(text).ok()?;
    let written = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<M>(&written).unwrap(), message);
    Some(message)
}
