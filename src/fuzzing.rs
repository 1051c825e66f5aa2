//! The doors by which the fuzzers (`fuzz/`) reach parsers that nobody else has a use for.

pub use crate::api::fuzzing::ws_command;
pub use crate::relay::fuzzing::relay_frame;
