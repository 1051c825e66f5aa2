//! The `portico` program: see `portico --help`.

#![deny(clippy::disallowed_macros)]

use std::process::ExitCode;

fn main() -> ExitCode {
    portico::cli::main()
}
