//! What needs a PostgreSQL server. Each run of these tests starts one of its own.
//!
//! `cargo test` alone leaves this out; `.ci/run` installs Debian's `postgresql` and runs `cargo test --test postgres`.

#[macro_use]
#[path = "../store/conformance/mod.rs"]
mod conformance;
#[path = "../store/fixtures.rs"]
mod fixtures;
#[path = "../store/people.rs"]
mod people;

mod daemon;
mod damage;
mod failures;
mod lost_answers;
mod moving;
mod proxy;
mod racing;
mod server;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod two_daemons;
