//! Who may speak on the Unix socket, by the kernel's word; and whose socket it is.

use std::os::unix::fs::PermissionsExt;

use nostr_sdk::Keys;

use crate::support::daemon::Daemon;
use crate::support::program::{Finished, finished, portico, portico_for_all};

/// `nobody`, on most systems.
const SOMEBODY_ELSE: u32 = 65534;

/// `portico issue`, run as another user of this machine. `None`: only root can do that.
async fn issue_as_somebody_else(daemon: &Daemon) -> Option<Finished> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return None;
    }
    let mut command = portico_for_all(daemon.folder());
    command.arg("issue").arg(Keys::generate().public_key().to_hex()).arg("--socket").arg(daemon.socket());
    command.current_dir("/").uid(SOMEBODY_ELSE).gid(SOMEBODY_ELSE);
    Some(finished(command).await)
}

async fn daemon(config: &str) -> Daemon {
    let config = format!("[local]\nsocket_mode = \"0666\"\n{config}");
    Daemon::on(&[]).with_config(&config).where_others_can_look().start().await
}

#[tokio::test]
async fn another_user_of_the_machine_is_refused_even_where_the_file_would_let_them_in() {
    let daemon = daemon("").await;
    let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    if let Some(issued) = issue_as_somebody_else(&daemon).await {
        assert_eq!(issued.code, 77, "{issued:?}");
        assert!(issued.stderr.contains("forbidden") && issued.stderr.contains("65534"), "{issued:?}");
        assert!(issued.stdout.is_empty());
    }
    assert_eq!(daemon.rest().get("/info").await.status, 200, "its own user may");
}

#[tokio::test]
async fn another_user_or_group_that_is_listed_may_speak() {
    for config in ["allow_uids = [65534]", "allow_gids = [65534]"] {
        let daemon = daemon(config).await;
        if let Some(issued) = issue_as_somebody_else(&daemon).await {
            assert_eq!((issued.code, issued.stdout.split('.').count()), (0, 3), "{issued:?}");
        }
    }
}

#[tokio::test]
async fn by_default_the_file_lets_in_its_owner_alone() {
    let daemon = Daemon::on(&[]).where_others_can_look().start().await;
    let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if let Some(issued) = issue_as_somebody_else(&daemon).await {
        assert_eq!(issued.code, 77, "{issued:?}");
    }
}

#[tokio::test]
async fn headers_that_only_matter_on_tcp_are_not_looked_at() {
    let daemon = Daemon::on(&[]).start().await;
    let rest = daemon.rest().with("host", "evil.example").with("origin", "https://evil.example");
    assert_eq!(rest.get("/info").await.status, 200);
}

#[tokio::test]
async fn a_second_daemon_does_not_take_the_socket_of_one_that_lives() {
    let daemon = Daemon::on(&[]).start().await;
    let mut second = portico(daemon.folder());
    second.arg("serve").arg("--socket").arg(daemon.socket());
    second.arg("--data-dir").arg(daemon.folder().join("other")).arg("--relays").arg("relays.toml");
    let second = finished(second).await;
    assert_eq!(second.code, 69, "{second:?}");
    assert!(second.stderr.contains("another daemon is listening"), "{second:?}");
    assert_eq!(daemon.rest().get("/health").await.text, "OK");
}

#[tokio::test]
async fn the_socket_of_a_killed_daemon_is_replaced_and_any_other_file_is_not() {
    let mut daemon = Daemon::on(&[]).start().await;
    daemon.kill_9().await;
    assert!(daemon.socket().exists());
    let mut daemon = daemon.restart().await;
    assert!(daemon.terminate().await.success());
    assert!(!daemon.socket().exists());

    std::fs::write(daemon.socket(), "precious").unwrap();
    let mut command = portico(daemon.folder());
    command.args(["serve", "--socket", "portico.sock", "--relays", "relays.toml", "--data-dir", "data"]);
    command.args(["--key-file", "service.key"]);
    let refused = finished(command).await;
    assert_eq!(refused.code, 64, "{refused:?}");
    assert_eq!(std::fs::read_to_string(daemon.socket()).unwrap(), "precious");
}
