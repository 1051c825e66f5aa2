//! Tells the program which commit it was built from.

use std::path::Path;
use std::process::Command;

fn main() {
    let commit = std::env::var("PORTICO_GIT_COMMIT").ok().or_else(head).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=PORTICO_GIT_COMMIT={commit}");
    println!("cargo:rerun-if-env-changed=PORTICO_GIT_COMMIT");
}

/// The commit that is checked out. In a linked work tree, `.git` is a file, so this asks git for every path.
fn head() -> Option<String> {
    // Unpacked inside another repository, these sources have no commit of their own.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var_os("CARGO_MANIFEST_DIR")?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    // HEAD changes with the branch; its log changes with every commit.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim_end().to_owned())
}
