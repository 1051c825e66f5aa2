//! A PostgreSQL server of the tests' own, from Debian's package: in a temporary folder, on a Unix socket alone.
//!
//! A guard starts the server, and stops it and deletes the folder when its standard input ends. That also happens when the
//! process of the tests is killed, so no server outlives its tests.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

use tempfile::TempDir;

use super::PATIENCE;

/// The superuser of the server, who needs no password.
pub(crate) const USER: &str = "portico";

/// How many lines of the server's log an error shows.
const SHOWN: usize = 40;

/// `$1` is the folder of the programs, `$2` that of the server; the rest are its settings.
const GUARD: &str = r#"
trap '' INT TERM HUP
programs=$1 folder=$2
shift 2
start() { "$programs/postgres" -D "$folder/data" -k "$folder" "$@" </dev/null & pid=$!; }
stop() { kill -QUIT "$pid" 2>/dev/null; wait "$pid"; }
if "$programs/initdb" -D "$folder/data" -U portico -A trust -E UTF8 --locale=C --no-sync >&2; then
    start "$@"
    while read -r word; do
        case $word in
        crash) stop ;;
        start) start "$@" ;;
        esac
    done
    stop
fi
cd /
rm -rf "$folder"
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    databases: AtomicU64,
    guard: Child,
    /// `None`: it was told to end.
    orders: Mutex<Option<ChildStdin>>,
    /// Each time that the server takes connections.
    ready: Mutex<mpsc::Receiver<()>>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Postgres {
    /// The server that all tests of this process share. It writes nothing through to the disk, so it is quick, and what it
    /// stores would not survive a loss of power.
    pub(crate) fn start() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::with(&["fsync=off", "full_page_writes=off"]))
    }

    /// A server of one test, as durable as one in production.
    pub(crate) fn alone() -> Self {
        Self::with(&[])
    }

    /// A server with these settings, each `name=value`.
    pub(crate) fn with(settings: &[&str]) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("portico-postgres-").tempdir().unwrap();
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "guard"]).arg(&programs).arg(folder.path());
        for setting in
            ["listen_addresses=", "max_connections=300", "shared_buffers=32MB"].iter().chain(settings)
        {
            guard.args(["-c", setting]);
        }
        guard.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C in a terminal is for the tests, and the guard follows when they end.
        guard.process_group(0);
        if let Some((uid, gid)) = ordinary_user() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            guard.uid(uid).gid(gid);
        }
        let mut guard = guard.spawn().unwrap();
        let orders = Mutex::new(guard.stdin.take());
        let log = Arc::<Mutex<VecDeque<String>>>::default();
        let ready = Mutex::new(listen(guard.stderr.take().unwrap(), Arc::clone(&log)));
        let server = Self { folder, programs, databases: AtomicU64::new(0), guard, orders, ready, log };
        server.await_ready();
        server
    }

    /// The URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// The same, for those who cannot wait.
    pub(crate) fn make_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut psql = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        let output = psql.as_std_mut().output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}\n{}", self.last_lines());
        self.url(&name)
    }

    /// The URL of a database of this name.
    pub(crate) fn url(&self, name: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{USER}@{folder}/{name}")
    }

    /// Runs SQL in a database, by its name or URL. Returns the rows as text.
    pub(crate) async fn sql(&self, database: &str, sql: &str) -> String {
        let answer = self.psql(database, sql).output();
        let output = super::soon("an answer of the database", answer).await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}\n{}", self.last_lines());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The client that runs SQL in a database, by its name or URL.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> tokio::process::Command {
        let name = database.rsplit('/').next().unwrap();
        let mut psql = tokio::process::Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", name, "-c", sql]);
        psql.arg("-h").arg(self.folder.path()).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        psql
    }

    /// Ends the server at once, as a crash would. It recovers when it is revived.
    pub(crate) fn crash(&self) {
        self.order("crash");
    }

    /// Starts the server again after a crash, and waits until it takes connections.
    pub(crate) fn revive(&self) {
        self.order("start");
        self.await_ready();
    }

    /// The folder of the data and the socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the standard input of the guard, and nothing else: as when this process is killed.
    pub(crate) fn abandon(&self) {
        drop(self.orders.lock().unwrap().take());
    }

    /// Waits for the end of the guard.
    pub(crate) fn ended(&mut self) {
        self.guard.wait().unwrap();
    }

    fn order(&self, word: &str) {
        let mut orders = self.orders.lock().unwrap();
        writeln!(orders.as_mut().expect("it was not told to end"), "{word}").unwrap();
    }

    fn await_ready(&self) {
        let ready = self.ready.lock().unwrap().recv_timeout(PATIENCE);
        assert!(ready.is_ok(), "PostgreSQL did not start:\n{}", self.last_lines());
    }

    fn last_lines(&self) -> String {
        self.log.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.orders.lock().map(|mut orders| orders.take()));
        let _ = self.guard.wait();
    }
}

/// Follows the server's log. Something comes whenever the server takes connections.
fn listen(log: ChildStderr, kept: Arc<Mutex<VecDeque<String>>>) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let is_ready = line.ends_with("database system is ready to accept connections");
            let mut kept = kept.lock().unwrap();
            kept.push_back(line);
            if kept.len() > SHOWN {
                kept.pop_front();
            }
            if is_ready {
                let _ = sender.send(());
            }
        }
    });
    receiver
}

/// The folder with `initdb`, `postgres` and `psql`: of what is in the PATH, or the newest of Debian's.
fn programs() -> PathBuf {
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file())
    };
    // A link leads to the folder where the others are.
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).filter_map(|folder| {
        let program = fs::canonicalize(folder.join("initdb")).ok()?;
        program.parent().map(Path::to_path_buf).filter(is_whole)
    });
    let release = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let debians = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debians = debians.map(|entry| entry.path().join("bin")).filter(is_whole).max_by_key(release);
    in_path.chain(debians).next().unwrap_or_else(|| {
        panic!("PostgreSQL is in neither the PATH nor /usr/lib/postgresql: apt-get install postgresql")
    })
}

/// Whom to run the server as: it refuses root.
fn ordinary_user() -> Option<(u32, u32)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().expect("a user nobody");
    Some((nobody.uid.as_raw(), nobody.gid.as_raw()))
}
