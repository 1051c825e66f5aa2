//! How many durable writes a second, by how many callers write at once: what group commit is for.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use portico::clock::Timestamp;
use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::store::{Revocation, Store};

fn durable_writes(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("portico.db"), SqliteOptions::default())
        .expect("a store in a new folder");
    let mut group = c.benchmark_group("durable writes");
    let mut next = 0_u64;
    for writers in [1, 16, 64, 256_u64] {
        group.throughput(Throughput::Elements(writers));
        group.bench_function(BenchmarkId::from_parameter(writers), |bencher| {
            bencher.iter(|| {
                let batch = join_all((next..next + writers).map(|n| write(&store, n)));
                next += writers;
                runtime.block_on(batch)
            });
        });
    }
    group.finish();
}

async fn write(store: &SqliteStore, n: u64) -> bool {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    let revocation = Revocation { digest, expires_at: Timestamp::from_secs(n) };
    store.revoke(&revocation, Timestamp::from_secs(0)).await.expect("a durable write")
}

criterion_group!(benches, durable_writes);
criterion_main!(benches);
