//! What needs a PostgreSQL server. Each run of these tests starts one of its own.
//!
//! `cargo test` alone leaves this out; `.ci/run` installs Debian's `postgresql` and runs `cargo test --test postgres`.

mod server;
#[path = "../support/mod.rs"]
mod support;
