//! The cost of a token: `cargo bench --bench token`.
//!
//! Compare `verify_cold` with `raw_ecdsa`: a verification cannot take less time than its
//! arithmetic.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portico::access_token;
use portico::portal_token::{Policy, SignatureCache, SigningKey, UnverifiedToken, issue, verify};
use secp256k1::{Message, SECP256K1, SecretKey};
use sha2::{Digest, Sha256};

const NOW: u64 = 1_800_000_000;

/// Enough distinct tokens that no cache contains them.
const TOKENS: u64 = 4096;

fn signer() -> SigningKey {
    SigningKey::from_secret(&SecretKey::from_slice(&[1; 32]).unwrap())
}

fn tokens() -> Vec<String> {
    let target = signer().verifying_key().to_xonly_bytes();
    (0..TOKENS).map(|n| issue(&signer(), &target, NOW - n, 7 * 24 * 60 * 60)).collect()
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("token");
    group.throughput(Throughput::Elements(1));
    let (tokens, key, policy) = (tokens(), signer().verifying_key(), Policy::default());

    let secret = SecretKey::from_slice(&[1; 32]).unwrap();
    let point = secret.x_only_public_key(SECP256K1).0.public_key(secp256k1::Parity::Even);
    let secret = if secret.public_key(SECP256K1) == point { secret } else { secret.negate() };
    let signed = tokens.iter().map(|token| {
        let message = Message::from_digest(Sha256::digest(token).into());
        (message, SECP256K1.sign_ecdsa(&message, &secret))
    });
    let mut signed = signed.collect::<Vec<_>>().into_iter().cycle();
    group.bench_function("raw_ecdsa", |b| {
        b.iter_batched(
            || signed.next().unwrap(),
            |(message, signature)| SECP256K1.verify_ecdsa(&message, &signature, &point).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });

    let mut next = tokens.iter().cycle();
    group.bench_function("verify_cold", |b| {
        b.iter_batched(
            || next.next().unwrap(),
            |token| verify(&key, token, NOW, &policy, |_| false).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });

    let cache = SignatureCache::new(2 * tokens.len());
    let cached = |token: &str| {
        let token = UnverifiedToken::parse(token).unwrap();
        cache.verify(&token, &key).unwrap();
        token.claims().and_then(|claims| claims.check_times(NOW, &policy)).unwrap();
    };
    tokens.iter().for_each(|token| cached(token));
    group.bench_function("verify_cached", |b| {
        b.iter_batched(|| next.next().unwrap(), |token| cached(token), criterion::BatchSize::SmallInput);
    });

    group.bench_function("recover_signer", |b| {
        let token = UnverifiedToken::parse(&tokens[0]).unwrap();
        b.iter(|| black_box(&token).signer_candidates().unwrap());
    });

    group.bench_function("parse", |b| b.iter(|| UnverifiedToken::parse(black_box(&tokens[0])).unwrap()));

    let padded = format!("{}=", tokens[0]);
    group.bench_function("reject_malformed", |b| {
        b.iter(|| verify(&key, black_box(&padded), NOW, &policy, |_| false).unwrap_err());
    });

    group.bench_function("issue", |b| {
        let (signer, target) = (signer(), key.to_xonly_bytes());
        b.iter(|| issue(&signer, black_box(&target), NOW, 3600));
    });
}

/// Access tokens. Each verification is complete: form, key, signature and claims.
fn access_benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("access");
    group.throughput(Throughput::Elements(1));
    let key = access_token::SigningKey::generate(access_token::Algorithm::Es256).unwrap();
    let claims = access_token::Claims {
        iss: "https://portico.example".into(),
        sub: "01a1fa72-4b3c-7d5e-8f60-718293a4b5c6".into(),
        aud: "https://app.example".into(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 900,
        jti: "01a1fa72-4b3c-7d5e-8f60-718293a4b5c7".into(),
        sid: Some("01a1fa72-4b3c-7d5e-8f60-718293a4b5c8".into()),
        wallet_id: Some(hex::encode(signer().verifying_key().to_xonly_bytes())),
        provider: Some("portal".into()),
        auth_method: None,
        auth_identifier: None,
        roles: Some(vec!["member".into()]),
        permissions: Some(vec!["orders:read".into()]),
        target_key: None,
        scope: None,
        client_id: None,
    };
    group.bench_function("sign_es256", |b| b.iter(|| access_token::sign(&key, black_box(&claims)).unwrap()));

    let token = access_token::sign(&key, &claims).unwrap();
    let expected = access_token::Expected { issuer: &claims.iss, audience: &claims.aud };
    group.bench_function("verify_es256", |b| {
        b.iter(|| {
            let token = access_token::UnverifiedToken::parse(black_box(&token)).unwrap();
            token.verify(key.public()).unwrap().check(&expected, NOW, 60).unwrap();
        });
    });
}

criterion_group!(all, benches, access_benches);
criterion_main!(all);
