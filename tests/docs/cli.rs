//! `docs/cli.md`: behind its marker stands the help of every command, as the program prints it.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use crate::{path, text};

const PAGE: &str = "docs/cli.md";

/// What is behind this line is made by the program.
const MARKER: &str = "<!-- From here on, `UPDATE_DOCS=1 cargo test --test docs` writes the page. -->\n";

/// The help of a command, without what depends on the terminal and on who asks.
fn help(command: &[String]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_portico"));
    program.args(command).arg("--help").env("COLUMNS", "100").stdin(Stdio::null());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PORTICO_")) {
        program.env_remove(name);
    }
    let output = program.output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    help.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The commands that a help lists, in its order.
fn below(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let list = list.split("\n\n").next().unwrap().lines();
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// A heading and a block for this command, then those of the commands below it.
fn describe(command: &[String], to: &mut String) {
    let help = help(command);
    let name = [&["portico".to_owned()], command].concat().join(" ");
    *to += &format!("\n## {name}\n\n```text\n{help}```\n");
    for name in below(&help) {
        describe(&[command, &[name]].concat(), to);
    }
}

#[test]
fn the_page_of_the_command_line_is_its_help() {
    let page = text(PAGE);
    let (head, documented) = page.split_once(MARKER).expect("the marker");
    let mut actual = String::new();
    describe(&[], &mut actual);
    assert!(actual.matches("\n## ").count() > 30, "{actual}");
    if env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(path(PAGE), format!("{head}{MARKER}{actual}")).unwrap();
    }
    for (stated, printed) in documented.split("\n## ").zip(actual.split("\n## ")) {
        assert_eq!(stated, printed, "{PAGE}: run UPDATE_DOCS=1 cargo test --test docs");
    }
    assert_eq!(documented, actual, "{PAGE}: run UPDATE_DOCS=1 cargo test --test docs");
}
