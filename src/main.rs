//! The `portico` program: see `portico --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    portico::cli::main()
}
