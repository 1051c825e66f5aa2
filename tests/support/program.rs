//! The program that is tested: run with next to no environment, its end and its log waited for.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::soon;

/// The program that is tested.
const PORTICO: &str = env!("CARGO_BIN_EXE_portico");

/// A command of the program that sees nothing of this machine but `home`.
pub(crate) fn portico(home: &Path) -> Command {
    command_of(Path::new(PORTICO), home)
}

/// The same where every user can run it: the program may have been built where only its owner looks.
pub(crate) fn portico_for_all(home: &Path) -> Command {
    let program = home.join("portico");
    if !program.exists() {
        // Not by this process: whatever another test starts meanwhile would inherit the file, open for writing,
        // and a file that is open for writing cannot be run (ETXTBSY).
        let copied = std::process::Command::new("cp").arg(PORTICO).arg(&program).status().unwrap();
        assert!(copied.success());
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    command_of(&program, home)
}

/// A command that sees nothing of this machine but `home`.
pub(crate) fn command_of(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("TMPDIR", home).current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Its output as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn into_refusal(self) -> (i32, String) {
        (self.code, self.stderr)
    }
}

/// Runs a command to its end.
pub(crate) async fn finished(mut command: Command) -> Finished {
    let running = command.spawn().unwrap();
    let output = soon("a command's end", running.wait_with_output()).await.unwrap();
    Finished {
        code: output.status.code().expect("it exits"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The lines that a process writes, as they come.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    grown: watch::Receiver<()>,
    reading: JoinHandle<()>,
}

impl Log {
    /// The lines of a process's standard error.
    pub(crate) fn of(stderr: ChildStderr) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (grows, grown) = watch::channel(());
        let kept = Arc::clone(&lines);
        let reading = tokio::spawn(async move {
            let mut read = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = read.next_line().await {
                kept.lock().unwrap().push(line);
                grows.send_replace(());
            }
        });
        Self { lines, grown, reading }
    }

    /// Nobody reads it any more: whatever is written to it fails (EPIPE).
    pub(crate) async fn stop_reading(&mut self) {
        self.reading.abort();
        assert!((&mut self.reading).await.unwrap_err().is_cancelled());
    }

    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The first line that contains this, once there is one.
    pub(crate) async fn find(&self, text: &str) -> String {
        let mut grown = self.grown.clone();
        let found = || self.lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
        let line = soon(text, async {
            loop {
                grown.mark_unchanged();
                if let Some(line) = found() {
                    return Some(line);
                }
                if grown.changed().await.is_err() {
                    return found();
                }
            }
        });
        line.await.unwrap_or_else(|| panic!("it ended without {text}: {:?}", self.lines.lock().unwrap()))
    }
}
