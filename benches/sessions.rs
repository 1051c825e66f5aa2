//! The cost of the second layer: a repeated check of one session, which is the core of `/auth/verify` and
//! `/auth/forward`; a renewal; and a login, which is durable before the caller gets the answer.

#[allow(dead_code, reason = "time stands still here")]
#[path = "../tests/sessions/world.rs"]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use portico::config::SessionRules;
use portico::session::{Actor, Offered};
use portico::wallet::Credential;

use world::World;

fn sessions(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _in_it = runtime.enter();
    let rules = SessionRules {
        enabled: true,
        max_logins_per_wallet: usize::MAX,
        max_refreshes_per_wallet: usize::MAX,
        ..SessionRules::default()
    };
    let world = runtime.block_on(World::new(rules));
    let actor = Actor::peer(&"bench");
    let text = format!("1.{}.0", world.now() + 3600);
    let credential = Credential::alone(&text);
    let log_in = async || world.sessions().login(None, credential, actor.clone()).await.expect("a session");
    let token = runtime.block_on(log_in()).access_token;

    let mut group = c.benchmark_group("sessions");
    group.bench_function("check", |bencher| {
        let offered =
            Offered { access_token: Some(token.expose()), credential: Some(credential), provider: None };
        bencher.iter(|| runtime.block_on(world.sessions().check("verify", offered, &actor)).expect("active"));
    });
    group.bench_function("refresh", |bencher| {
        let renew = || world.sessions().refresh(Some(token.expose()), credential, None, &actor);
        bencher.iter(|| runtime.block_on(renew()).expect("a new token"));
    });
    group.bench_function("login", |bencher| bencher.iter(|| runtime.block_on(log_in())));
    group.finish();
}

criterion_group!(benches, sessions);
criterion_main!(benches);
