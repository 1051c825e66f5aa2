//! Tokens exchanged with jwt-compact, the library of the wallets.

use jwt_compact::alg::{Es256k, SigningKey as _};
use jwt_compact::prelude::*;
use portico::portal_token::{Policy, SigningKey, issue, verify};
use secp256k1::{Parity, SECP256K1, SecretKey};
use serde::{Deserialize, Serialize};

type TheirSecret = <Es256k as jwt_compact::Algorithm>::SigningKey;

const NOW: u64 = 1_800_000_000;

#[derive(Serialize)]
struct Outgoing {
    exp: u64,
    nbf: u64,
    iat: u64,
    target_key: String,
}

#[derive(Deserialize)]
struct Target {
    target_key: String,
}

/// A Nostr secret as we take it, and as wallets hand it to their library: negated where y is odd.
struct Issuer {
    ours: SigningKey,
    theirs: TheirSecret,
}

/// Issuers of both parities.
fn issuers() -> impl Iterator<Item = Issuer> {
    let secrets: Vec<_> = (1..=16).map(|byte| SecretKey::from_slice(&[byte; 32]).unwrap()).collect();
    let parity = |secret: &SecretKey| secret.x_only_public_key(SECP256K1).1;
    assert!(secrets.iter().any(|secret| parity(secret) == Parity::Even));
    assert!(secrets.iter().any(|secret| parity(secret) == Parity::Odd));
    secrets.into_iter().map(move |secret| {
        let lifted = if parity(&secret) == Parity::Odd { secret.negate() } else { secret };
        Issuer {
            ours: SigningKey::from_secret(&secret),
            theirs: TheirSecret::from_slice(&lifted.secret_bytes()).unwrap(),
        }
    })
}

#[test]
fn their_tokens_verify_here() {
    for issuer in issuers() {
        let key = issuer.ours.verifying_key();
        let claims = Claims::new(Outgoing {
            exp: NOW + 3600,
            nbf: NOW,
            iat: NOW,
            target_key: hex::encode(key.to_xonly_bytes()),
        });
        let token =
            Es256k::<sha2_010::Sha256>::default().token(&Header::empty(), &claims, &issuer.theirs).unwrap();
        let claims = verify(&key, &token, NOW, &Policy::default(), |_| false).unwrap();
        assert_eq!((claims.target_key, claims.expires_at), (key.to_xonly_bytes(), NOW + 3600));
    }
}

#[test]
fn our_tokens_verify_there() {
    for issuer in issuers() {
        let target = issuer.ours.verifying_key().to_xonly_bytes();
        let token = issue(&issuer.ours, &target, NOW, 3600);
        let untrusted = UntrustedToken::new(&token).unwrap();
        let token = Es256k::<sha2_010::Sha256>::default()
            .validator::<Target>(&issuer.theirs.to_verifying_key())
            .validate(&untrusted)
            .unwrap();
        assert_eq!(token.claims().custom.target_key, hex::encode(target));
        assert_eq!(token.claims().expiration.unwrap().timestamp(), (NOW + 3600) as i64);
    }
}
