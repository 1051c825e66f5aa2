//! The daemon: a process of its own, on a folder of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portico::config::files;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::http::Connection;
use crate::socket::Address;

/// How long the daemon may take to come up.
const START: Duration = Duration::from_secs(20);

/// A daemon that serves; it ends with this value.
pub(crate) struct Daemon {
    process: Child,
    folder: TempDir,
    program: PathBuf,
    /// Its Unix socket.
    pub(crate) socket: PathBuf,
    /// From the start of the process to its first `OK`.
    pub(crate) start_to_health: Duration,
}

impl Daemon {
    /// Starts a daemon on defaults but for what `sections` of its configuration say. `program`: another than
    /// the one in the folder above this program's.
    pub(crate) async fn start(program: Option<&Path>, sections: &str, relays: &[&str]) -> Result<Self> {
        let program = find(program)?;
        let folder = tempfile::Builder::new().prefix("portico-load-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let config = format!(
            "data_dir = {data:?}\n[service]\nkey_file = {key:?}\n[local]\nsocket = {socket:?}\n\
             listen = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n{sections}",
            data = path("data"),
            key = path("service.key"),
            socket = path("portico.sock"),
        );
        files::create_secret(&path("portico.toml"), &config)?;
        let relays: String = relays.iter().map(|url| format!("[[relay]]\nurl = {url:?}\n")).collect();
        fs::write(path("relays.toml"), relays)?;
        let (process, start_to_health) = spawn(&program, folder.path()).await?;
        Ok(Self { process, socket: path("portico.sock"), program, start_to_health, folder })
    }

    /// Ends it with this signal, and starts it again on its folder.
    pub(crate) async fn restart(&mut self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid().try_into()?), signal)?;
        self.process.wait().await?;
        (self.process, _) = spawn(&self.program, self.folder.path()).await?;
        Ok(())
    }

    /// What lies in its data folder under this name.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
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

/// Starts the daemon in its folder, and waits until it serves.
async fn spawn(program: &Path, folder: &Path) -> Result<(Child, Duration)> {
    let began = Instant::now();
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let process = Command::new(program)
        .args(["serve", "--config", "portico.toml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    match timeout(START, health(&folder.join("portico.sock"))).await {
        Ok(()) => Ok((process, began.elapsed())),
        Err(_) => Err(format!("no daemon: {}", fs::read_to_string(folder.join("log"))?).into()),
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

fn find(program: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = program {
        return Ok(path.canonicalize()?);
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("no folder above this program")?;
    let path = folder.join("portico");
    if path.exists() { Ok(path) } else { Err(format!("build {} first", path.display()).into()) }
}
