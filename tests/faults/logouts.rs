//! `kill -9` in a storm of logins and logouts: what was acknowledged holds.
//!
//! `PORTICO_KILLS=100` kills the daemon that often; `PORTICO_SEED` repeats the moments of another run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::kills::number;
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::{Answer, Rest, refused};
use crate::support::soon;

/// Users, each with a caller for logins and logouts.
const USERS: usize = 8;

/// What is known of a session that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It goes on.
    Open,
    /// It was to be ended, and no answer came.
    Doubtful,
    /// Its end was acknowledged.
    Ended,
}

/// What callers were told, by access token: the credential, and what is known.
type Ledger = Mutex<BTreeMap<String, (String, Known)>>;

async fn ask(rest: &Rest, path: &str, body: &Value) -> Option<Answer> {
    let answer = rest.try_send(Method::POST, path, body.to_string()).await;
    if answer.is_err() {
        // It is down: the next one comes in a moment, and is asked then.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answer.ok()
}

/// One user logs in and out, again and again.
async fn storm(rest: Rest, credential: String, ledger: Arc<Ledger>, stop: CancellationToken) {
    for n in 0_usize.. {
        if stop.is_cancelled() {
            return;
        }
        let Some(begun) = ask(&rest, "/auth/login", &json!({ "credential": credential })).await else {
            continue;
        };
        let token = begun.data()["access_token"].as_str().unwrap().to_owned();
        let know = |known| ledger.lock().unwrap().insert(token.clone(), (credential.clone(), known));
        if n % 3 == 0 {
            know(Known::Open);
            continue;
        }
        know(Known::Doubtful);
        if let Some(ended) = ask(&rest, "/auth/logout", &json!({ "access_token": token })).await {
            assert_eq!(ended.data(), json!({ "revoked": 1 }));
            know(Known::Ended);
        }
    }
}

/// The daemon still knows it: everything if `all`, else what was acknowledged lately.
async fn is_kept(rest: &Rest, ledger: &Ledger, all: bool) {
    const LATELY: usize = 150;
    let known = ledger.lock().unwrap().clone();
    let skipped = if all { 0 } else { known.len().saturating_sub(LATELY) };
    for (token, (credential, known)) in known.into_iter().skip(skipped) {
        let both = json!({ "access_token": token, "credential": credential });
        let checked = rest.post("/auth/verify", both).await;
        match known {
            Known::Open => assert_eq!(checked.data()["active"], true),
            Known::Ended => assert_eq!(checked.refusal(), refused(401, "session_revoked")),
            // One or the other, and the same ever after.
            Known::Doubtful => {
                let now = if checked.status == 200 { Known::Open } else { Known::Ended };
                let mut ledger = ledger.lock().unwrap();
                if let Some(entry) = ledger.get_mut(&token).filter(|entry| all && entry.1 == Known::Doubtful)
                {
                    entry.1 = now;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_storm_of_logins_and_logouts_undoes_none_that_was_acknowledged() {
    let (kills, seed) = (number("PORTICO_KILLS", 5), number("PORTICO_SEED", rand::random::<u32>().into()));
    eprintln!("PORTICO_KILLS={kills} PORTICO_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let relay = TestRelay::start().await;
    let config = "[sessions]\nenabled = true\nmax_per_user = 1000000\nmax_logins_per_wallet = 1000000\n\
                  [access]\nlifetime = \"24h\"\n";
    let mut daemon = Daemon::on(&[&relay]).with_config(config).start_subscribed(&[&relay]).await;
    let (ledger, stop) = (Arc::<Ledger>::default(), CancellationToken::new());
    let mut storms = JoinSet::new();
    for _ in 0..USERS {
        let member = Member::of(&daemon).await;
        storms.spawn(storm(daemon.rest(), member.credential, Arc::clone(&ledger), stop.clone()));
    }
    for _ in 0..kills {
        // Paused time does not affect another process, and the test needs a random moment.
        tokio::time::sleep(Duration::from_millis(rng.gen_range(20..400))).await;
        daemon.kill_9().await;
        daemon = daemon.restart().await;
        is_kept(&daemon.rest(), &ledger, false).await;
        if let Some(ended) = storms.try_join_next() {
            ended.expect("no caller sees anything wrong");
        }
    }
    soon("a login and a logout", async {
        let acknowledged = || {
            let known = ledger.lock().unwrap();
            let is_there = |state| known.values().any(|(_, known)| *known == state);
            is_there(Known::Open) && is_there(Known::Ended)
        };
        while !acknowledged() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.cancel();
    while storms.join_next().await.transpose().expect("no caller sees anything wrong").is_some() {}
    // Twice: what was in doubt has been decided by then.
    is_kept(&daemon.rest(), &ledger, true).await;
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    is_kept(&daemon.rest(), &ledger, true).await;
    let count = ledger.lock().unwrap().len();
    eprintln!("{count} logins were acknowledged");
}
