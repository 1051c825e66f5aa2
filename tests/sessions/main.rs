//! The second layer over a real database, with a clock and wallets of the test's own.

mod property;
mod rotation;
mod world;
