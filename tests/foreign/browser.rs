//! A real browser: Debian's Chromium without a window, driven by playwright-core.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::support::program::command_of;
use crate::verifiers::installed;

/// Longer than a page may take, on a machine busy with other things. playwright itself gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Chromium. It ends when this is dropped.
pub(crate) struct Chromium {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _node: Child,
    _home: tempfile::TempDir,
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        // Modules are looked for beside the script.
        let script = installed().join("browser.mjs");
        std::fs::write(&script, include_str!("browser.mjs")).unwrap();
        let mut node = command_of(Path::new("node"), home.path());
        node.arg(&script).arg("/usr/bin/chromium").env("PATH", std::env::var_os("PATH").unwrap());
        let mut node = node.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("see .ci/run");
        let lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let stdin = node.stdin.take().unwrap();
        let mut chromium = Self { stdin, lines, _node: node, _home: home };
        chromium.answer().await;
        chromium
    }

    /// Runs a script (see browser.mjs): what it returns.
    pub(crate) async fn run(&mut self, script: &str, args: Value) -> Value {
        let line = json!({ "script": script, "args": args }).to_string() + "\n";
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("the browser answers").unwrap().expect("the browser runs; see .ci/run");
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("error").is_none(), "{}", answer["error"].as_str().unwrap());
        answer["value"].take()
    }
}

/// Where pictures of pages are left for people to look at.
pub(crate) fn pictures() -> PathBuf {
    let folder = installed().join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
