//! The `portico` program: see `portico --help`.

#![deny(clippy::disallowed_macros)]

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Faster than the system's, and it returns memory to the system after a burst: see `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    portico::cli::main()
}
