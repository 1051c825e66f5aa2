//! Crowds on the local sockets that hold a connection and say little or nothing stop no login.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::phone::Phone;
use crate::support::relay::TestRelay;

/// What is to be held open; fewer where the system allows a process fewer files.
const CONNECTIONS: u64 = 10_000;

/// Files that this process needs for other things, and the daemon too.
const SPARE: u64 = 200;

/// What a client has sent when it falls silent.
const SILENCES: [&str; 4] = [
    "",
    "GET /events/x HT",
    "POST /login HTTP/1.1\r\nhost: localhost\r\nx-slow: lor",
    "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{\"static_token\":",
];

/// How many connections each side can hold.
fn crowd() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    CONNECTIONS.min(hard - SPARE)
}

/// A connection that is kept, and how it is hung up on from this side alone.
trait Idle: Write + Send {
    fn half_close(&self) -> io::Result<()>;
}

impl Idle for TcpStream {
    fn half_close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Idle for UnixStream {
    fn half_close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_that_say_nothing_or_half_a_word_stop_no_login() {
    let relay = TestRelay::start().await;
    let daemon = Daemon::on(&[&relay]).with_tcp().start_subscribed(&[&relay]).await;
    let (count, address, socket) = (crowd(), daemon.address(), daemon.socket());
    let connect = move || {
        let mut idle: Vec<Box<dyn Idle>> = Vec::new();
        for (n, said) in (0..count).zip(SILENCES.iter().cycle()) {
            let mut connection: Box<dyn Idle> = if (n / SILENCES.len() as u64).is_multiple_of(2) {
                Box::new(UnixStream::connect(&socket).unwrap())
            } else {
                Box::new(TcpStream::connect(address).unwrap())
            };
            connection.write_all(said.as_bytes()).unwrap();
            if n.is_multiple_of(16) {
                connection.half_close().unwrap();
            }
            idle.push(connection);
        }
        idle
    };
    let idle = tokio::task::spawn_blocking(connect).await.unwrap();

    for rest in [daemon.rest(), daemon.rest_over_tcp()] {
        let (url, stream) = rest.login(json!({})).await;
        let mut phone = Phone::new();
        phone.scan(&url).await;
        let asked = phone.challenge().await;
        phone.approve(&asked).await;
        assert_eq!(daemon.ended(&stream).await.len(), 2);
    }
    let held = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count() as u64;
    // Those over TCP are strangers, of whom few may stay. Of the others, those that hung up from their side are over.
    assert!(held > count / 3, "they were held: {held} of {count}");
    drop(idle);
}
