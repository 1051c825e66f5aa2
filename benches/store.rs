//! Durable writes a second, for different numbers of simultaneous callers. It shows the effect of group commit.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use portico::actor::Actor;
use portico::clock::Timestamp;
use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::store::{
    Accounts, AuditDraft, AuditKind, Begun, EventDraft, NewSession, Revocation, Revocations, Session,
    StreamId, User, UserId,
};

fn durable_writes(c: &mut Criterion) {
    measure(c, "durable writes", revoke);
}

/// First logins: a user, a session, its stream and its audit record.
fn logins(c: &mut Criterion) {
    measure(c, "logins", log_in);
}

fn measure<T>(c: &mut Criterion, name: &str, write: impl AsyncFn(&SqliteStore, u64) -> T) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("portico.db"), SqliteOptions::default())
        .expect("a store in a new folder");
    let mut group = c.benchmark_group(name);
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

async fn revoke(store: &SqliteStore, n: u64) -> bool {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    let revocation = Revocation { digest, expires_at: Timestamp::from_secs(n) };
    let (at, actor) = (Timestamp::from_secs(0), Actor::daemon());
    let record = actor.did(AuditKind::TokenRevoked, at);
    store.revoke(&revocation, at, &record).await.expect("a durable write")
}

async fn log_in(store: &SqliteStore, n: u64) -> Begun {
    let now = Timestamp::from_secs(1_795_199_512);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let mut credential = [0; 32];
    // Hashes arrive in no order.
    credential[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let (id, user) = (StreamId::new(now, random), UserId::new(now, random));
    let told = EventDraft { at: now, body: "{}".into() };
    let login = NewSession {
        user: User {
            id: user,
            provider: "portal".into(),
            wallet_id: format!("{n:064x}"),
            auth_method: "nostr".into(),
            auth_identifier: format!("{n:064x}"),
            username: None,
            email: None,
            roles: Vec::new(),
            permissions: Vec::new(),
            disabled: false,
            revision: 1,
            created_at: now,
            last_login: now,
            logins: 0,
        },
        known_as: None,
        session: Session {
            id,
            user,
            credential,
            created_at: now,
            expires_at: Timestamp::from_secs(now.secs() + 600),
            ended: None,
        },
        begins: told.clone(),
        max_sessions: 10,
        superseded: ("superseded".into(), told),
        audit: AuditDraft {
            at: now,
            kind: AuditKind::Login,
            user: Some(user),
            session: Some(id),
            provider: None,
            wallet_id: None,
            reason: None,
            detail: None,
            actor: "bench".into(),
        },
    };
    store.begin_session(&login).await.expect("a login")
}

criterion_group!(benches, durable_writes, logins);
criterion_main!(benches);
