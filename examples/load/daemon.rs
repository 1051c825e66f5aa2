//! The processes: the daemon on a folder of its own, the relay, and what the daemon uses.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::args::Args;
use crate::http::Connection;
use crate::socket::Address;

/// How long a process may take to come up.
const START: Duration = Duration::from_secs(20);

/// The unit of processor time in `/proc` (Linux: 100 a second on every architecture).
const TICKS: f64 = 100.0;

/// A daemon that serves; it ends with this value.
pub(crate) struct Daemon {
    process: Child,
    folder: TempDir,
    /// Its Unix socket.
    pub(crate) socket: PathBuf,
    /// From the start of the process to its first `OK`.
    pub(crate) start_to_health: Duration,
}

impl Daemon {
    /// Starts a daemon on defaults but for what the load needs.
    pub(crate) async fn start(args: &Args, relay: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("portico-load-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let max_open = 200_000.max(args.silent + 2 * args.logins + 100);
        let ttl = if args.silent > 0 { "2h" } else { "5m" };
        let config = format!(
            "data_dir = {data:?}\n[service]\nkey_file = {key:?}\n[local]\nsocket = {socket:?}\n\
             listen = \"127.0.0.1:0\"\n[auth]\nmax_open = {max_open}\nchallenge_ttl = \"{ttl}\"\n\
             [log]\nformat = \"json\"\n",
            data = path("data"),
            key = path("service.key"),
            socket = path("portico.sock"),
        );
        fs::write(path("portico.toml"), config)?;
        fs::write(path("relays.toml"), format!("[[relay]]\nurl = {relay:?}\n"))?;

        let program = program(args)?;
        let began = Instant::now();
        let process = Command::new(&program)
            .args(["serve", "--config", "portico.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(path("log"))?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let socket = path("portico.sock");
        let healthy = timeout(START, health(&socket)).await;
        if healthy.is_err() {
            return Err(format!("no daemon: {}", fs::read_to_string(path("log"))?).into());
        }
        Ok(Self { process, socket, start_to_health: began.elapsed(), folder })
    }

    /// The service's public key.
    pub(crate) async fn service(&self) -> Result<String> {
        let info = self.connect().await?.call("GET", "/info", "").await?;
        Ok(info["public_key"].as_str().ok_or("no public_key in /info")?.to_owned())
    }

    /// A connection to the Unix socket.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(Address::Unix(&self.socket)).await
    }

    /// Its TCP socket, as its log tells it.
    pub(crate) fn tcp(&self) -> Result<SocketAddr> {
        let log = fs::read_to_string(self.folder.path().join("log"))?;
        let listen = log.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["fields"]["listen"].as_str().or(line["listen"].as_str()).map(str::to_owned)
        });
        Ok(listen.ok_or("the log names no TCP socket")?.parse()?)
    }

    /// Its API token for TCP.
    pub(crate) fn token(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("data/api-token"))?.trim().to_owned())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }
}

async fn health(socket: &Path) {
    loop {
        if let Ok(mut connection) = Connection::open(Address::Unix(socket)).await {
            let request = crate::http::request("GET", "/health", "", "");
            if matches!(connection.exchange(&request).await, Ok((200, _))) {
                return;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Lets what was begun in the background come to an end.
pub(crate) async fn settle() {
    sleep(Duration::from_secs(1)).await;
}

/// Starts the relay; returns its process and URL.
pub(crate) async fn start_relay(args: &Args) -> Result<(Child, String)> {
    let subs = args.relay_subs.to_string();
    let mut relay = Command::new(std::env::current_exe()?)
        .args(["--role", "relay", "--relay-subs", &subs])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = relay.stdout.take().ok_or("no pipe from the relay")?;
    let url = timeout(START, BufReader::new(stdout).lines().next_line()).await??;
    Ok((relay, url.ok_or("the relay did not come up")?))
}

fn program(args: &Args) -> Result<PathBuf> {
    if let Some(path) = &args.daemon {
        return Ok(path.canonicalize()?);
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("no folder above this program")?;
    let path = folder.join("portico");
    if path.exists() { Ok(path) } else { Err(format!("build {} first", path.display()).into()) }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time, user and system, in seconds.
    pub(crate) cpu_s: f64,
    /// Resident memory now and at its peak, in KiB.
    pub(crate) resident_kib: f64,
    peak_kib: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything: user time is the 12th field, system time the 13th.
        let fields = stat.rsplit_once(')').ok_or("an unknown form of /proc/…/stat")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let ticks: f64 = ticks.sum::<std::result::Result<_, _>>()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.and_then(|line| line.split_whitespace().next());
            Ok(figure.ok_or("an unknown form of /proc/…/status")?.parse()?)
        };
        Ok(Self { cpu_s: ticks / TICKS, resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        crate::report::tenth(self.resident_kib / 1024.0)
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        crate::report::tenth(self.peak_kib / 1024.0)
    }
}
