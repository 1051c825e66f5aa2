//! The cost of finding the request of an incoming answer: `cargo bench --bench registry`.
//!
//! It must not depend on the number of open requests. `answer` finds the same few requests again and again.
//! `any_answer` finds each of them in turn: with many requests the processor's caches miss, as in production.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::StreamExt;
use nostr_sdk::{Event, EventId, JsonUtil, Keys, PublicKey, Tags, secp256k1::schnorr::Signature};
use portico::clock::Timestamp;
use portico::config::AuthLimits;
use portico::portal::Opening;
use portico::protocol::{AuthChallenge, Sealer, kind};
use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::store::{Challenge, Envelope, Logins, StreamId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A key for each user: 32 bytes that name a curve point.
fn users() -> impl Iterator<Item = PublicKey> {
    (1u64..).filter_map(|n| {
        let mut bytes = [1; 32];
        bytes[24..].copy_from_slice(&n.to_be_bytes());
        PublicKey::from_slice(&bytes).ok().filter(|key| key.xonly().is_ok())
    })
}

fn challenge(n: usize, user: PublicKey, event: &str) -> Challenge {
    Challenge {
        challenge: format!("{n:032}"),
        stream: StreamId::new(NOW, (n as u128).to_be_bytes()[6..].try_into().unwrap()),
        user,
        relays: Vec::new(),
        envelopes: vec![Envelope { recipient: user, event: event.to_owned() }],
        renewals: 0,
        ends_stream: true,
        is_login: false,
        created_at: NOW,
        expires_at: Timestamp::from_secs(NOW.secs() + 300),
    }
}

/// A service with `count` open challenges, as it is after a restart.
async fn opening(count: usize) -> Opening {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("db"), SqliteOptions::default()).unwrap();
    let service = Sealer::new(Keys::generate(), 1);
    let message = AuthChallenge {
        challenge: "0".repeat(32),
        expires_at: NOW.secs() + 300,
        required_permissions: Vec::new(),
        subkey_proof: None,
    };
    let to = service.public_key();
    let event = service.seal(&mut StdRng::seed_from_u64(1), &to, &[to], None, &message, NOW.secs()).unwrap();
    let event = event.as_json();
    futures_util::stream::iter(users().take(count).enumerate())
        .for_each_concurrent(512, |(n, user)| {
            let challenge = challenge(n, user, &event);
            let store = &store;
            async move { store.open_challenge(&challenge).await.unwrap() }
        })
        .await;
    Opening::load(&store, &AuthLimits::default(), NOW).await.unwrap()
}

fn answer_of(author: PublicKey) -> Event {
    let signature = Signature::from_slice(&[0; 64]).unwrap();
    let at = nostr_sdk::Timestamp::from_secs(NOW.secs());
    Event::new(EventId::all_zeros(), author, at, kind::AUTH_RESPONSE, Tags::new(), "", signature)
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = c.benchmark_group("registry");
    for count in [10, 1_000, 100_000] {
        let opening = runtime.block_on(opening(count));
        let gate = opening.gate();
        let known: Vec<(Event, String)> =
            users().take(count).enumerate().map(|(n, user)| (answer_of(user), format!("{n:032}"))).collect();
        let few: Vec<_> = known.iter().step_by(count / 10).collect();
        for (name, asked) in [("answer", few), ("any_answer", known.iter().collect())] {
            let mut next = asked.into_iter().cycle();
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    let (event, challenge) = next.next().unwrap();
                    assert!(gate.admits(black_box(event)) && opening.awaits(&event.pubkey, challenge));
                });
            });
        }
        let stranger = answer_of(Keys::generate().public_key());
        group.bench_function(BenchmarkId::new("stranger", count), |b| {
            b.iter(|| assert!(!gate.admits(black_box(&stranger))));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
