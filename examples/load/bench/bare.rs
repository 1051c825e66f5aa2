//! What the processors can do at all: ECDSA verification and nothing else, on every core.

use std::time::{Duration, Instant};

use nostr_sdk::Keys;
use portico::portal_token::{Signature, SigningKey, VerifyingKey, issue};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::report::tenth;
use crate::{Result, Usage};

/// Verifies one signature again and again for that long.
pub(super) fn verification(time: Duration) -> Result<Value> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let before = Usage::of(std::process::id())?;
    let began = Instant::now();
    let done: usize = std::thread::scope(|scope| {
        let verifiers: Vec<_> = (0..threads).map(|_| scope.spawn(|| verify_until(began + time))).collect();
        verifiers.into_iter().map(|verifier| verifier.join().expect("no thread panics")).sum()
    });
    let cpu_s = Usage::of(std::process::id())?.cpu_s - before.cpu_s;
    let per_s = (done as f64 / began.elapsed().as_secs_f64()).round();
    let cpu_us = tenth(cpu_s * 1e6 / done.max(1) as f64);
    eprintln!("load: bare verification on {threads} threads: {per_s}/s, {cpu_us} µs each");
    Ok(json!({ "what": "bare", "threads": threads, "per_s": per_s, "cpu_us": cpu_us }))
}

fn verify_until(end: Instant) -> usize {
    let (key, signature, digest) = signed();
    let mut done = 0;
    while Instant::now() < end {
        signature.verify(&key, digest).expect("it was signed with that key");
        done += 1;
    }
    done
}

fn signed() -> (VerifyingKey, Signature, [u8; 32]) {
    use base64::Engine as _;
    let signing = SigningKey::from_secret(Keys::generate().secret_key());
    let token = issue(&signing, &signing.verifying_key().to_xonly_bytes(), 0, 1);
    let (input, signature) = token.rsplit_once('.').expect("a token has three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let signature = Signature::parse(&bytes).expect("64 bytes");
    (signing.verifying_key(), signature, Sha256::digest(input).into())
}
