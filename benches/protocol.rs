//! The cost of a message: `cargo bench --bench protocol`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nostr_sdk::{Keys, SecretKey};
use portico::protocol::{AuthResponse, AuthStatus, Sealer, SessionToken};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn keys(byte: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[byte; 32]).unwrap())
}

/// An approval of the size that wallets send.
fn approval() -> AuthResponse {
    let status = AuthStatus::Approved {
        granted_permissions: vec![],
        session_token: SessionToken::new("x".repeat(290)),
    };
    AuthResponse { challenge: "c".repeat(32), subkey_proof: None, status }
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("protocol");
    group.throughput(Throughput::Elements(1));
    let rng = &mut StdRng::seed_from_u64(1);
    let (wallet, service) = (Sealer::new(keys(1), 16), Sealer::new(keys(2), 16));
    let (to, response) = (service.public_key(), approval());
    let event = wallet.seal(rng, &to, &[to], None, &response, 1_800_000_000).unwrap();

    group.bench_function("seal", |b| {
        b.iter(|| wallet.seal(rng, &to, &[to], None, black_box(&response), 1_800_000_000).unwrap());
    });
    group.bench_function("open", |b| b.iter(|| service.open(black_box(&event)).unwrap()));
    group.bench_function("open_first_of_a_peer", |b| {
        b.iter_batched(
            || Sealer::new(keys(2), 16),
            |service| service.open(&event).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("reject_foreign", |b| {
        let stranger = Sealer::new(keys(3), 16);
        b.iter(|| stranger.open(black_box(&event)).unwrap_err());
    });
}

criterion_group!(all, benches);
criterion_main!(all);
