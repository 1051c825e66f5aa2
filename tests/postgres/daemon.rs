//! The daemon with its state in a PostgreSQL database.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Plan};
use crate::support::postgres::Postgres;
use crate::support::program::finished;
use crate::support::rest::refused;

/// A password that must not be shown anywhere.
const PASSWORD: &str = "hunter2-and-more";

/// A daemon with its state in this database.
fn on(url: &str) -> Plan {
    Daemon::offline().with_env("PORTICO_STORE__URL", url)
}

/// The answer of `portico config check`.
async fn checked(plan: &Plan) -> Value {
    finished(plan.tool(&["config", "check", "--json"])).await.json()["store"].clone()
}

#[tokio::test]
async fn what_was_opened_is_in_the_database_and_goes_on_after_kill_9() {
    let server = Postgres::start();
    let url = server.database().await;
    let mut daemon = on(&url).start().await;
    let (_, stream) = daemon.rest().key_handshake(json!({})).await;
    assert_eq!(server.sql(&url, "SELECT count(*) FROM portico.handshakes").await, "1");
    assert!(!daemon.database().exists(), "no second store in the data folder");
    assert!(!daemon.folder().join("data/access-keys.json").exists());
    daemon.kill_9().await;
    let daemon = daemon.restart().await;
    assert_eq!(daemon.metric("portico_open_handshakes").await, 1.0);
    assert!(daemon.rest().events(&stream).await.is_empty());
    assert!(daemon.metric("portico_store_size_bytes").await > 0.0);
}

#[tokio::test]
async fn a_second_daemon_on_a_database_is_refused_and_learns_who_uses_it() {
    let server = Postgres::start();
    let url = server.database().await;
    let mut first = on(&url).start().await;
    let (code, said) = on(&url).refusal().await;
    assert_eq!(code, 69, "{said}");
    for told in ["another daemon (on this machine, PostgreSQL process ", "uses postgres:///", "stop it first"]
    {
        assert!(said.contains(told), "{said}");
    }
    // A daemon that was killed keeps nobody out.
    first.kill_9().await;
    first.restart().await;
}

#[tokio::test]
async fn the_keys_of_one_service_are_of_no_use_to_another() {
    let server = Postgres::start();
    let url = server.database().await;
    let mut first = on(&url).start().await;
    let stored = server.sql(&url, "SELECT ring FROM portico.access_keys").await;
    assert!(!stored.contains("kid") && stored.len() > 100, "it is sealed: {stored}");
    first.terminate().await;
    let (code, said) = on(&url).refusal().await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("another service sealed them"), "{said}");
    assert_eq!(server.sql(&url, "SELECT ring FROM portico.access_keys").await, stored);
}

#[tokio::test]
async fn while_the_server_is_away_callers_are_told_so_and_then_all_goes_on() {
    let server = Postgres::alone();
    let url = server.database().await;
    let daemon = on(&url).start().await;
    server.crash();
    let answer = daemon.rest().post("/key-handshake", json!({})).await;
    assert_eq!(answer.refusal(), refused(503, "store_unavailable"));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(daemon.rest().get("/ready").await.status, 503);
    server.revive();
    daemon.until_logged("other daemons are kept away again").await;
    daemon.rest().key_handshake(json!({})).await;
    let (code, said) = on(&url).refusal().await;
    assert_eq!(code, 69, "{said}");
}

/// Split brain: the session of the first daemon is lost, and another one is quicker to take its place.
#[tokio::test]
async fn a_daemon_whose_database_another_one_took_over_stops() {
    let server = Postgres::start();
    let url = server.database().await;
    let mut daemon = on(&url).start().await;
    let take_over = "SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
        SELECT pg_advisory_lock(x'506f727469636f01'::bigint); SELECT pg_sleep(60)";
    let mut other = server.psql(&url, take_over);
    let _other = other.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    daemon.until_logged("has taken over the database").await;
    assert_eq!(daemon.ended_by_itself().await.code(), Some(70));
}

#[tokio::test]
async fn config_check_says_what_it_found_and_changes_nothing() {
    let server = Postgres::start();
    let url = server.database().await;
    let plan = on(&url);
    let found = checked(&plan).await;
    assert_eq!((&found["kind"], &found["password"]), (&"postgresql".into(), &"none".into()));
    assert!(found["url"].as_str().unwrap().starts_with("postgres:///"), "{found}");
    assert_eq!(found["server"], server.sql("postgres", "SHOW server_version").await);
    assert_eq!((&found["schema"], &found["used_by"]), (&Value::Null, &Value::Null));
    assert_eq!(server.sql(&url, "SELECT to_regnamespace('portico')").await, "");

    let daemon = plan.start().await;
    let found = checked(&on(&url)).await;
    assert_eq!(found["schema"], found["schema_known"]);
    assert!(found["used_by"].as_str().unwrap().starts_with("another daemon (on this machine"), "{found}");
    drop(daemon);
}

#[tokio::test]
async fn config_check_fails_if_there_is_no_such_database() {
    let server = Postgres::start();
    let plan = on(&server.url("nothing_here"));
    let (code, said) = finished(plan.tool(&["config", "check"])).await.into_refusal();
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("nothing_here") && said.contains("does not exist"), "{said}");
}

/// A server where the role `app` needs a password.
async fn with_password(server: &Postgres) -> String {
    let url = server.database().await;
    let name = url.rsplit('/').next().unwrap();
    server.sql("postgres", &format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")).await;
    server.sql("postgres", &format!("GRANT CREATE ON DATABASE {name} TO app")).await;
    let rules = "local all portico trust\nlocal all all scram-sha-256\n";
    fs::write(server.folder().join("data/pg_hba.conf"), rules).unwrap();
    server.crash();
    server.revive();
    url.replace("portico@", "app@")
}

/// A thief who reads the log, the output of commands or an error learns no password.
#[tokio::test]
async fn the_password_opens_the_database_from_url_or_file_and_is_shown_nowhere() {
    let server = Postgres::alone();
    let url = with_password(&server).await;
    let in_url = url.replace("app@", &format!("app:{PASSWORD}@"));
    let mut shown = String::new();

    let mut daemon = on(&in_url).start().await;
    shown += &checked(&on(&in_url)).await.to_string();
    shown += &daemon.rest().get("/metrics").await.text;
    daemon.terminate().await;
    shown += &daemon.log();

    let file = daemon.folder().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let plan = on(&url).with_env("PORTICO_STORE__PASSWORD_FILE", file.display());
    fs::copy(daemon.folder().join("service.key"), plan.folder().join("service.key")).unwrap();
    let mut from_file = plan.start().await;
    from_file.terminate().await;
    shown += &from_file.log();

    let (code, said) = on(&in_url.replace(PASSWORD, "hunter2-and-wrong")).refusal().await;
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("password authentication failed"), "{said}");
    shown += &said;
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_password_that_others_could_read_is_refused() {
    let server = Postgres::start();
    let url = server.database().await.replace("portico@", &format!("portico:{PASSWORD}@"));
    let exposed = Daemon::offline().with_config(&format!("[store]\nurl = \"{url}\"\n"));
    let config = exposed.folder().join("portico.toml");
    fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
    let (code, said) = exposed.refusal().await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("store.url") && !said.contains("hunter2"), "{said}");

    let plain = server.database().await;
    for (name, mode, word) in [("open", 0o644, "chmod"), ("missing", 0, "does not exist")] {
        let plan = on(&plain);
        let file = plan.folder().join(name);
        if mode > 0 {
            fs::write(&file, PASSWORD).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
        let (code, said) = plan.with_env("PORTICO_STORE__PASSWORD_FILE", file.display()).refusal().await;
        assert_eq!(code, 64, "{said}");
        assert!(said.contains(word) && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(server.sql(&plain, "SELECT to_regnamespace('portico')").await, "");
}

#[tokio::test]
async fn backup_and_restore_name_the_tools_of_the_database() {
    let server = Postgres::start();
    let plan = on(&server.database().await);
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let (code, said) = finished(plan.tool(&[command, "copy"])).await.into_refusal();
        assert_eq!(code, 64, "{said}");
        assert!(said.contains(tool), "{said}");
    }
    assert!(!plan.folder().join("copy").exists());
}
