//! Durations: read as people write them, and shown in the same form.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// `365days`, `1h 30m`, `250ms`: no unit above the day, because months differ in length.
pub fn show(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(24 * 3600, "day"), (3600, "h"), (60, "m"), (1, "s")];
    const FRACTIONS: [(u32, &str); 3] = [(1_000_000, "ms"), (1_000, "us"), (1, "ns")];

    let (mut secs, mut nanos) = (duration.as_secs(), duration.subsec_nanos());
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        let count = secs / size;
        secs %= size;
        if count > 0 {
            let plural = if unit == "day" && count > 1 { "s" } else { "" };
            parts.push(format!("{count}{unit}{plural}"));
        }
    }
    for (size, unit) in FRACTIONS {
        let count = nanos / size;
        nanos %= size;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// Reads `90s`, `1h 30m`.
pub fn parse(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// The same, but no months, which people write as `M` for minutes.
pub fn parse_without_months(text: &str) -> Option<Duration> {
    parse(text).filter(|_| !has_months(text))
}

pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show(*duration))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    struct Written;

    impl Visitor<'_> for Written {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration in quotes, like \"90s\", \"5m\" or \"30days\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            match parse(text) {
                Some(_) if has_months(text) => Err(E::custom("write minutes as m; months are not supported")),
                Some(duration) => Ok(duration),
                None => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }

    from.deserialize_str(Written)
}

/// Whether a duration has months, also as `M`, which people write for minutes.
fn has_months(text: &str) -> bool {
    let mut units = text.split(|c: char| !c.is_alphabetic());
    units.any(|unit| ["M", "month", "months"].contains(&unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_year_is_365_days_and_not_so_many_months() {
        for (secs, shown) in [
            (0, "0s"),
            (90, "1m 30s"),
            (24 * 3600, "1day"),
            (30 * 24 * 3600, "30days"),
            (31 * 24 * 3600, "31days"),
            (365 * 24 * 3600, "365days"),
            (366 * 24 * 3600 + 1, "366days 1s"),
        ] {
            assert_eq!(show(Duration::from_secs(secs)), shown);
        }
        assert_eq!(show(Duration::new(0, 1_500_001)), "1ms 500us 1ns");
    }

    #[test]
    fn a_capital_m_is_not_taken_for_months() {
        for (text, has) in [
            ("5M", true),
            ("1h 5 M", true),
            ("1month", true),
            ("2months", true),
            ("5m", false),
            ("5min", false),
        ] {
            assert!(parse(text).is_some());
            assert_eq!(has_months(text), has, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(secs in 0..=u64::MAX, small in 0..10_000_000_u64, nanos in 0..1_000_000_000_u32) {
            for duration in [Duration::new(secs, nanos), Duration::new(small, 0), Duration::new(small, nanos)] {
                prop_assert_eq!(humantime::parse_duration(&show(duration)), Ok(duration));
            }
        }
    }
}
