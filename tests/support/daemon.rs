//! The built daemon as a process of its own, on a folder of its own.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::postgres::Postgres;
use super::program::{Log, command_of, finished, portico};
use super::relay::TestRelay;
use super::rest::Rest;
use super::socket::Socket;
use super::soon;

/// Where daemons keep their state, if `PORTICO_TEST_STORE=postgres` asks for another place than their folders: each in a
/// database of its own.
fn store() -> Option<(&'static str, String)> {
    match std::env::var("PORTICO_TEST_STORE").as_deref() {
        Err(_) | Ok("sqlite") => None,
        Ok("postgres") => Some(("PORTICO_STORE__URL", Postgres::start().make_database())),
        Ok(other) => panic!("PORTICO_TEST_STORE={other}: sqlite or postgres"),
    }
}

/// A daemon that is to be started.
pub(crate) struct Plan {
    folder: TempDir,
    tcp: bool,
    env: Vec<(&'static str, String)>,
    key_file: &'static str,
    /// Whether it is told by flags where its files are.
    flags: bool,
    /// Sockets that it is started with, as a service manager would do it.
    handed: Vec<OwnedFd>,
    /// How many files it may open, if not as many as the test.
    files: Option<u32>,
}

/// A daemon. It is killed when this is dropped.
pub(crate) struct Daemon {
    plan: Plan,
    child: Child,
    log: Log,
    listen: Option<SocketAddr>,
    web: Option<SocketAddr>,
}

impl Daemon {
    /// A daemon on these relays, started and subscribed at all of them.
    pub(crate) async fn start(relays: &[&TestRelay]) -> Self {
        Self::on(relays).start_subscribed(relays).await
    }

    /// A daemon on these relays, to be started.
    pub(crate) fn on(relays: &[&TestRelay]) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        let list: String =
            relays.iter().map(|relay| format!("[[relay]]\nurl = \"{}\"\n", relay.url())).collect();
        std::fs::write(folder.path().join("relays.toml"), list).unwrap();
        // Secrets may come into it.
        let config = folder.path().join("portico.toml");
        std::fs::write(&config, "").unwrap();
        std::fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
        Plan {
            folder,
            tcp: false,
            env: store().into_iter().collect(),
            key_file: "service.key",
            flags: true,
            handed: Vec::new(),
            files: None,
        }
    }

    /// A daemon to start, without wallets at its only relay: it opens logins that no wallet receives.
    pub(crate) fn offline() -> Plan {
        let plan = Self::on(&[]);
        let nobody = "[[relay]]\nurl = \"ws://127.0.0.1:9\"\n";
        std::fs::write(plan.folder().join("relays.toml"), nobody).unwrap();
        plan
    }

    /// A client on the Unix socket.
    pub(crate) fn rest(&self) -> Rest {
        Rest::unix(self.plan.socket())
    }

    /// A client on the TCP socket, with the API token.
    pub(crate) fn rest_over_tcp(&self) -> Rest {
        Rest::tcp(self.address(), self.api_token())
    }

    /// A WebSocket over the Unix socket.
    pub(crate) async fn websocket(&self) -> Socket {
        Socket::unix(&self.plan.socket()).await
    }

    /// A WebSocket over TCP that has not said who it is.
    pub(crate) async fn websocket_over_tcp(&self) -> Socket {
        Socket::tcp(self.address()).await
    }

    /// Where it listens on TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listen.expect("it listens on TCP")
    }

    /// Where its sign-in page is.
    pub(crate) fn web(&self) -> SocketAddr {
        self.web.expect("its sign-in page is on")
    }

    /// The API token that it has made.
    pub(crate) fn api_token(&self) -> String {
        let token = std::fs::read_to_string(self.folder().join("data/api-token")).unwrap();
        token.trim().to_owned()
    }

    /// The secret that it has made, `nsec1…`.
    pub(crate) fn secret(&self) -> String {
        std::fs::read_to_string(self.folder().join("service.key")).unwrap().trim().to_owned()
    }

    /// The key that it is known by, in hex.
    pub(crate) async fn public_key(&self) -> String {
        self.rest().get("/info").await.data()["public_key"].as_str().unwrap().to_owned()
    }

    /// Everything of its own lies here.
    pub(crate) fn folder(&self) -> &Path {
        self.plan.folder.path()
    }

    /// Where its Unix socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.plan.socket()
    }

    /// The command that runs it.
    pub(crate) fn command(&self) -> Command {
        self.plan.command()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The file that it keeps everything in.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("data/portico.db")
    }

    /// Nobody reads its log any more: whatever it writes fails (EPIPE).
    pub(crate) async fn stop_reading_the_log(&mut self) {
        self.log.stop_reading().await;
    }

    /// What it has written to its log since it was started.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line of the log that contains this.
    pub(crate) async fn until_logged(&self, text: &str) {
        self.log.find(text).await;
    }

    /// The value of one series of `/metrics`, written as there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.rest().get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
    }

    /// The events of a stream, once there are `count`.
    pub(crate) async fn events(&self, stream: &str, count: usize) -> Vec<Value> {
        let mut socket = self.websocket().await;
        socket.subscribe(stream, 0).await;
        for _ in 0..count {
            socket.notification(stream).await;
        }
        self.rest().events(stream).await
    }

    /// All events of a stream, once it has ended.
    pub(crate) async fn ended(&self, stream: &str) -> Vec<Value> {
        let mut socket = self.websocket().await;
        socket.subscribe(stream, 0).await;
        let told = socket.until_ended(stream).await;
        let kept = self.rest().events(stream).await;
        assert_eq!(told, kept, "what followers hear is what readers find");
        for (event, index) in kept.iter().zip(1u64..) {
            assert_eq!(event["index"], index, "events are counted without gaps");
        }
        kept
    }

    /// Ends it without a warning.
    pub(crate) async fn kill_9(&mut self) {
        self.child.start_kill().unwrap();
        soon("the killed daemon's end", self.child.wait()).await.unwrap();
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal_to_stop();
        soon("the daemon's end", self.child.wait()).await.unwrap()
    }

    /// Waits for it to end, which nobody asks for.
    pub(crate) async fn ended_by_itself(&mut self) -> ExitStatus {
        soon("the daemon's end", self.child.wait()).await.unwrap()
    }

    /// Asks it to end.
    pub(crate) fn signal_to_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Has it read again what it can.
    pub(crate) fn reload(&self) {
        self.signal(Signal::SIGHUP);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    /// Starts it again where it must not start: how it ends, and what it says.
    pub(crate) async fn refusal_to_restart(&self) -> (i32, String) {
        assert!(self.child.id().is_none(), "it has ended");
        self.plan.refusal().await
    }

    /// The same with this in its environment.
    pub(crate) async fn restart_with(mut self, name: &'static str, value: &str) -> Self {
        self.plan.env.push((name, value.to_owned()));
        self.restart().await
    }

    /// Another command of the program, with its files and its environment.
    pub(crate) fn tool(&self, args: &[&str]) -> Command {
        self.plan.tool(args)
    }

    /// Starts it again on the same folder, in place of the one that has ended.
    pub(crate) async fn restart(self) -> Self {
        assert!(self.child.id().is_none(), "it has ended");
        self.plan.start().await
    }
}

impl Plan {
    /// With this `portico.toml`.
    pub(crate) fn with_config(self, toml: &str) -> Self {
        std::fs::write(self.folder().join("portico.toml"), toml).unwrap();
        self
    }

    /// With a TCP socket too.
    pub(crate) fn with_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// With this in its environment.
    pub(crate) fn with_env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    /// Without the flags that say where configuration, relays and key are.
    pub(crate) fn without_flags(mut self) -> Self {
        self.flags = false;
        self
    }

    /// With its key in this file of its folder.
    pub(crate) fn with_key_file(mut self, name: &'static str) -> Self {
        self.key_file = name;
        self
    }

    /// With this socket handed over, and with those that were before.
    pub(crate) fn handed(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.handed.push(socket.into());
        self
    }

    /// Where it may open so many files.
    pub(crate) fn with_room_for(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    /// In a folder that every user of the machine may enter.
    pub(crate) fn where_others_can_look(self) -> Self {
        std::fs::set_permissions(self.folder(), Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Where it will keep everything.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its Unix socket will be.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder().join("portico.sock")
    }

    /// The command that runs it.
    pub(crate) fn command(&self) -> Command {
        let at = |name: &str| self.folder().join(name);
        let mut command = portico(self.folder());
        command.arg("serve").arg("--socket").arg(self.socket()).arg("--data-dir").arg(at("data"));
        command.env("PORTICO_LOG__FORMAT", "json");
        if self.flags {
            command.arg("--config").arg(at("portico.toml")).arg("--relays").arg(at("relays.toml"));
            command.arg("--key-file").arg(at(self.key_file));
        }
        if self.tcp {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        match self.files {
            Some(files) => self.under_a_shell(&format!("ulimit -n {files}; exec \"$@\""), &command),
            None if self.handed.is_empty() => command,
            None => self.handing_over(&command),
        }
    }

    /// Another command of the program, with the files and the environment of the daemon.
    pub(crate) fn tool(&self, args: &[&str]) -> Command {
        let at = |name: &str| self.folder().join(name);
        let mut command = portico(self.folder());
        command.args(args).arg("--config").arg(at("portico.toml")).arg("--data-dir").arg(at("data"));
        command.arg("--key-file").arg(at(self.key_file));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The command, run by this script: what it has to inherit is the shell's to prepare.
    fn under_a_shell(&self, script: &str, plain: &Command) -> Command {
        let plain = plain.as_std();
        let mut command = command_of(Path::new("/bin/sh"), self.folder());
        command.arg("-c").arg(script).arg("sh").arg(plain.get_program()).args(plain.get_args());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// The command with sockets handed over: descriptors from 3 on, and the number of the very process. A shell
    /// puts them there, because the process that spawns it cannot know this number.
    fn handing_over(&self, plain: &Command) -> Command {
        let (at, count) = match self.handed.len() {
            1 => ("3<&0 </dev/null", 1),
            2 => ("3<&0 4<&1 </dev/null >/dev/null", 2),
            more => panic!("{more} sockets"),
        };
        let script = format!("exec {at}; export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$@\"");
        let mut command = self.under_a_shell(&script, plain);
        let fd = |n: usize| self.handed[n].try_clone().unwrap();
        command.stdin(fd(0));
        if count == 2 {
            command.stdout(fd(1));
        }
        command
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(self) -> Daemon {
        let mut child = self.command().stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(child.stderr.take().unwrap());
        let line = log.find("\"serving\"").await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| line[name].as_str().map(|address| address.parse().unwrap());
        let (listen, web) = (address("listen"), address("web"));
        let daemon = Daemon { plan: self, child, log, listen, web };
        assert_eq!(daemon.rest().get("/health").await.text, "OK");
        daemon
    }

    /// Starts it and waits until it knows that it is subscribed at these relays.
    pub(crate) async fn start_subscribed(self, relays: &[&TestRelay]) -> Daemon {
        let daemon = self.start().await;
        for relay in relays {
            daemon.until_logged(&format!("\"ready\",\"relay\":\"{}\"", relay.url())).await;
        }
        daemon
    }

    /// Runs it where it must not start: how it ends, and what it says.
    pub(crate) async fn refusal(&self) -> (i32, String) {
        finished(self.command()).await.into_refusal()
    }
}
