//! What a service manager is told, over a socket as systemd's.

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;
use tokio::net::{UnixDatagram, UnixStream};

use crate::support::daemon::{Daemon, Plan};
use crate::support::relay::TestRelay;
use crate::support::soon;

/// The end of `$NOTIFY_SOCKET` that listens.
struct Manager(UnixDatagram);

impl Manager {
    /// A manager, and the plan of a daemon that it looks after.
    fn of(plan: Plan) -> (Self, Plan) {
        let path = plan.folder().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        (Self(socket), plan.with_env("NOTIFY_SOCKET", path.display()))
    }

    /// The next message that has this among its lines.
    async fn until(&self, line: &str) -> String {
        let mut buffer = [0; 4096];
        soon(line, async {
            loop {
                let length = self.0.recv(&mut buffer).await.unwrap();
                let message = std::str::from_utf8(&buffer[..length]).unwrap();
                if message.lines().any(|one| one == line) {
                    return message.to_owned();
                }
            }
        })
        .await
    }

    /// Forgets what has been said so far.
    fn forget(&self) {
        while self.0.try_recv(&mut [0; 4096]).is_ok() {}
    }
}

#[tokio::test]
async fn the_daemon_is_ready_when_its_sockets_are_open_whether_there_is_a_relay_or_not() {
    let mut relay = TestRelay::start().await;
    relay.stop();
    let (manager, plan) = Manager::of(Daemon::on(&[&relay]));
    let socket = plan.socket();
    let connected_when_ready = async {
        let told = manager.until("READY=1").await;
        UnixStream::connect(&socket).await.unwrap();
        told
    };
    let (mut daemon, told) = tokio::join!(plan.start(), connected_when_ready);
    assert!(told.contains("STATUS=0 of 1 relays ready, 0 requests open\n"), "{told}");

    relay.restart().await;
    manager.until("STATUS=1 of 1 relays ready, 0 requests open").await;
    daemon.rest().login(json!({})).await;
    manager.until("STATUS=1 of 1 relays ready, 1 requests open").await;
    daemon.terminate().await;
    manager.until("STOPPING=1").await;
}

#[tokio::test]
async fn a_reload_is_told_from_its_beginning_to_its_end_even_where_it_fails() {
    let (manager, plan) = Manager::of(Daemon::on(&[]));
    let daemon = plan.start().await;
    manager.until("READY=1").await;
    for list in ["", "nonsense"] {
        std::fs::write(daemon.folder().join("relays.toml"), list).unwrap();
        daemon.reload();
        let told = manager.until("RELOADING=1").await;
        let since = told.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(since.parse::<u64>().unwrap() > 0);
        manager.until("READY=1").await;
    }
    daemon.until_logged("the old one stays in force").await;
}

#[tokio::test]
async fn a_daemon_whose_store_and_relays_fail_still_shows_that_it_lives() {
    let mut relay = TestRelay::start().await;
    let (manager, plan) = Manager::of(Daemon::on(&[&relay]));
    let daemon = plan.with_env("WATCHDOG_USEC", 50_000).start().await;
    for _ in 0..3 {
        manager.until("WATCHDOG=1").await;
    }
    relay.stop();
    let _locked = lock(&daemon.folder().join("data/portico.db"));
    assert_eq!(daemon.rest().get("/ready").await.status, 503);
    manager.forget();
    for _ in 0..3 {
        manager.until("WATCHDOG=1").await;
    }
}

#[tokio::test]
async fn a_process_that_is_not_the_one_under_watch_shows_no_sign_of_life() {
    let (manager, plan) = Manager::of(Daemon::on(&[]));
    let plan = plan.with_env("WATCHDOG_USEC", 1_000).with_env("WATCHDOG_PID", 1);
    let mut daemon = plan.start().await;
    daemon.terminate().await;
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = manager.0.try_recv(&mut buffer) {
        said += std::str::from_utf8(&buffer[..length]).unwrap();
    }
    assert!(said.contains("STOPPING=1") && !said.contains("WATCHDOG=1"), "{said}");
}

/// Keeps everybody else from writing.
fn lock(database: &Path) -> Connection {
    let db = Connection::open(database).unwrap();
    db.busy_timeout(crate::support::PATIENCE).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    db
}
