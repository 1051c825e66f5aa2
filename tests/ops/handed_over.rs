//! Sockets that somebody else opened: served like our own, and left to whom they belong.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};

use nostr_sdk::Keys;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::daemon::{Daemon, Plan};
use crate::support::program::{finished, portico_for_all};
use crate::support::rest::{Rest, refused};
use crate::support::soon;

/// A plan with its Unix socket opened beforehand, for all to connect to.
fn with_socket(plan: Plan) -> Plan {
    let socket = UnixListener::bind(plan.socket()).unwrap();
    std::fs::set_permissions(plan.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    plan.handed(socket)
}

#[tokio::test]
async fn whoever_connects_while_the_daemon_restarts_waits_and_is_served() {
    let mut daemon = with_socket(Daemon::on(&[])).start().await;
    let before = std::fs::metadata(daemon.socket()).unwrap();
    assert!(daemon.terminate().await.success());

    let mut caller = UnixStream::connect(daemon.socket()).await.unwrap();
    caller.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let daemon = daemon.restart().await;
    let mut answer = String::new();
    soon("an answer", caller.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("OK"), "{answer}");
    let after = std::fs::metadata(daemon.socket()).unwrap();
    assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()), "it is not ours to replace");
}

#[tokio::test]
async fn another_user_is_refused_on_a_socket_that_lets_everybody_connect() {
    let daemon = with_socket(Daemon::on(&[]).where_others_can_look()).start().await;
    assert_eq!(daemon.rest().get("/info").await.status, 200, "its own user may");
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED with another uid: that takes root");
        return;
    }
    let mut command = portico_for_all(daemon.folder());
    command.arg("issue").arg(Keys::generate().public_key().to_hex()).arg("--socket").arg(daemon.socket());
    command.current_dir("/").uid(65534).gid(65534);
    let issued = finished(command).await;
    assert!(issued.code == 77 && issued.stderr.contains("forbidden"), "{issued:?}");
}

#[tokio::test]
async fn a_tcp_socket_asks_for_the_token_and_the_host_as_our_own_does() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let daemon = with_socket(Daemon::on(&[])).handed(tcp).start().await;
    assert_eq!(daemon.address(), address);
    let rest = daemon.rest_over_tcp();
    assert_eq!(rest.get("/info").await.status, 200);
    let nobody = Rest::tcp(address, "guess".into());
    assert_eq!(nobody.get("/info").await.refusal(), refused(401, "unauthorized"));
    let rebound = rest.with("host", "evil.example");
    assert_eq!(rebound.get("/info").await.refusal(), refused(403, "forbidden"));
    assert_eq!(daemon.rest().get("/info").await.status, 200, "the Unix socket is there too");
}

#[tokio::test]
async fn a_tcp_socket_that_other_machines_reach_is_refused_unless_the_operator_says_so() {
    let open_to_all = || TcpListener::bind("0.0.0.0:0").unwrap();
    let (code, said) = Daemon::on(&[]).handed(open_to_all()).refusal().await;
    assert!(code == 64 && said.contains("local.allow_remote"), "{code}: {said}");
    let plan = Daemon::on(&[]).with_config("[local]\nallow_remote = true\n").handed(open_to_all());
    assert_eq!(plan.start().await.rest().get("/health").await.text, "OK");
}

#[tokio::test]
async fn what_cannot_be_served_is_named_and_not_left_to_wait_for_ever() {
    let unix = |name: &str, plan: &Plan| UnixListener::bind(plan.folder().join(name)).unwrap();
    let plan = Daemon::on(&[]);
    let (first, second) = (unix("first", &plan), unix("second", &plan));
    let (code, said) = plan.handed(first).handed(second).refusal().await;
    assert!(
        code == 69 && said.contains("socket 2") && said.contains("a second Unix socket"),
        "{code}: {said}"
    );

    let (code, said) = Daemon::on(&[]).handed(UnixDatagram::unbound().unwrap()).refusal().await;
    assert!(code == 69 && said.contains("socket 1"), "{code}: {said}");

    let (connected, _other_end) = std::os::unix::net::UnixStream::pair().unwrap();
    let (code, said) = Daemon::on(&[]).handed(connected).refusal().await;
    assert!(code == 69 && said.contains("is not a listening socket"), "{code}: {said}");
}

#[tokio::test]
async fn sockets_that_were_meant_for_another_process_are_left_alone() {
    for pid in ["1", ""] {
        let plan = Daemon::on(&[]).with_env("LISTEN_FDS", 1).with_env("LISTEN_PID", pid);
        let mut daemon = plan.start().await;
        assert_eq!(daemon.rest().get("/health").await.text, "OK", "on a socket of its own");
        assert!(daemon.terminate().await.success());
        assert!(!daemon.socket().exists());
    }
}
