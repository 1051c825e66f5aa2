//! What several test suites need.

#![allow(dead_code, reason = "no suite needs all of it")]

pub(crate) mod relay;
