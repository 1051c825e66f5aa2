//! What the cryptography of one login costs on this machine, with nothing around it.
//!
//! The daemon verifies two events (the scan and the approval) and signs one (the challenge), agrees on a key with
//! the wallet, and verifies the signature of its session token. No daemon can log somebody in for less.

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};
use nostr_sdk::nips::nip44::v2::ConversationKey;
use nostr_sdk::{Event, EventBuilder, Keys, Kind};
use secp256k1::{Message, PublicKey, SECP256K1, ecdsa};

use crate::Result;

/// So many logins' worth, each with keys of its own, as those of real wallets.
const ROUNDS: usize = 500;

/// The processor time of one login's cryptography, in milliseconds: the median of some measurements.
pub(crate) fn cost_ms() -> Result<f64> {
    const MEASUREMENTS: usize = 5;

    let service = Keys::generate();
    let wallets: Vec<Wallet> = (0..ROUNDS).map(|_| Wallet::new()).collect::<Result<_>>()?;
    let mut costs = Vec::with_capacity(MEASUREMENTS);
    for _ in 0..MEASUREMENTS {
        let began = taken_ms()?;
        for wallet in &wallets {
            wallet.log_in(&service)?;
        }
        costs.push((taken_ms()? - began) / ROUNDS as f64);
    }
    costs.sort_by(f64::total_cmp);
    Ok((costs[MEASUREMENTS / 2] * 10_000.0).round() / 10_000.0)
}

/// What the daemon gets of one wallet.
struct Wallet {
    key: nostr_sdk::PublicKey,
    scan: Event,
    approval: Event,
    /// The digest of its session token, the signature, and whose it is.
    token: (Message, ecdsa::Signature, PublicKey),
}

impl Wallet {
    fn new() -> Result<Self> {
        let keys = Keys::generate();
        let event = |text: &str| EventBuilder::new(Kind::Custom(27000), text).sign_with_keys(&keys);
        let digest = Message::from_digest(event("token")?.id.to_bytes());
        let signature = SECP256K1.sign_ecdsa(&digest, keys.secret_key());
        let signer = keys.secret_key().public_key(SECP256K1);
        let (scan, approval) = (event("scan")?, event("approval")?);
        Ok(Self { key: keys.public_key(), scan, approval, token: (digest, signature, signer) })
    }

    fn log_in(&self, service: &Keys) -> Result<()> {
        let (digest, signature, signer) = &self.token;
        let genuine = self.scan.verify_signature() && self.approval.verify_signature();
        black_box(service.sign_schnorr(digest));
        black_box(ConversationKey::derive(service.secret_key(), &self.key)?);
        SECP256K1.verify_ecdsa(digest, signature, signer)?;
        if genuine { Ok(()) } else { Err("a signature does not verify".into()) }
    }
}

/// The processor time that this thread has taken so far.
fn taken_ms() -> Result<f64> {
    let taken = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(std::time::Duration::from(taken).as_secs_f64() * 1e3)
}
