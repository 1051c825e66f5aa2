//! What the documentation says is what the program does.

mod api;
mod cli;
mod configuration;
mod links;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of the project.
fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The cells of the rows of a table, for every table of a page.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_readme_takes_five_minutes_and_has_the_two_commands() {
    let readme = text("README.md");
    let lines = readme.lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
    for command in ["cargo test ", "cargo run --release -- demo "] {
        assert!(readme.lines().any(|line| line.starts_with(command)), "{command}");
    }
}
