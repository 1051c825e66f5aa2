//! Metrics of the wall clock.

use prometheus::IntCounterVec;

use super::Families;

/// The wall clock.
#[derive(Debug)]
pub struct ClockCounts {
    jumps: IntCounterVec,
}

impl ClockCounts {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let help = "Jumps of the wall clock, and starts after a long stop; direction is ahead or back.";
        let jumps = families.counters("portico_clock_jumps_total", help, &["direction"]);
        for direction in ["ahead", "back"] {
            jumps.with_label_values(&[direction]).inc_by(0);
        }
        Self { jumps }
    }

    /// The clock changed by a different amount than the time that passed.
    pub fn jumped(&self, direction: &str) {
        self.jumps.with_label_values(&[direction]).inc();
    }
}
