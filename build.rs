//! Tells the program which commit it was built from.

use std::process::Command;

fn main() {
    let commit = std::env::var("PORTICO_GIT_COMMIT").ok().or_else(head).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=PORTICO_GIT_COMMIT={commit}");
    println!("cargo:rerun-if-env-changed=PORTICO_GIT_COMMIT");
    // HEAD changes with the branch, its log with every commit.
    for path in [".git/HEAD", ".git/logs/HEAD"] {
        if std::path::Path::new(path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

fn head() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}
