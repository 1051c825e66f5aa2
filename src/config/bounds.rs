//! The bounds of numbers and durations. Each section names its own.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use super::raw::Raw;

/// The longest duration: no setting needs more, and no computed time overflows. 100 years.
pub(super) const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 3600);

pub(super) const MOMENT: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The longest timeout: nobody waits longer for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

/// For limits that take no memory by themselves.
pub(super) const MANY: u64 = 1_000_000_000;

/// For limits that reserve memory or an open file for each.
pub(super) const PLACES: u64 = 1_000_000;

/// A number or a duration of a section.
#[derive(Debug)]
pub(super) struct Number {
    /// The key, without its section.
    pub(super) key: &'static str,
    value: Bounded,
}

#[derive(Debug)]
enum Bounded {
    Count(u64, RangeInclusive<u64>),
    Time(Duration, RangeInclusive<Duration>),
}

impl Number {
    /// A whole number, which must be within the bounds.
    pub(super) fn count(key: &'static str, value: impl TryInto<u64>, bounds: RangeInclusive<u64>) -> Self {
        Self { key, value: Bounded::Count(value.try_into().unwrap_or(u64::MAX), bounds) }
    }

    /// A duration, which must be within the bounds.
    pub(super) fn time(key: &'static str, value: Duration, bounds: RangeInclusive<Duration>) -> Self {
        Self { key, value: Bounded::Time(value, bounds) }
    }

    /// What is wrong with it, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let is_within = match &self.value {
            Bounded::Count(count, bounds) => bounds.contains(count),
            Bounded::Time(time, bounds) => bounds.contains(time),
        };
        (!is_within).then(|| self.rule())
    }

    /// What its value must be.
    fn rule(&self) -> String {
        format!("must be {}", self.range())
    }

    fn range(&self) -> String {
        let (least, most) = match &self.value {
            Bounded::Count(_, bounds) => (bounds.start().to_string(), bounds.end().to_string()),
            Bounded::Time(_, bounds) => (duration::show(*bounds.start()), duration::show(*bounds.end())),
        };
        format!("from {least} to {most}")
    }

    fn is_count(&self) -> bool {
        matches!(self.value, Bounded::Count(..))
    }
}

/// The bounds of this key, if it is a count.
pub(super) fn range_of_count(key: &str) -> Option<String> {
    let (section, name) = key.rsplit_once('.')?;
    let mut numbers = Raw::with_every_wallet().numbers().into_iter().filter(|(known, _)| *known == section);
    let found = numbers.find_map(|(_, numbers)| numbers.into_iter().find(|number| number.key == name));
    found.filter(Number::is_count).map(|number| number.range())
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Serialized;

    use super::*;
    use crate::config::mistakes::Mistakes;
    use crate::config::{document, shape, wording};

    /// The sections that are off unless they are there, with no more than they must have.
    const WALLETS: &str = r#"
[wallets.jwks]
issuer = "i"
audience = "a"
jwks_url = "https://a.example"
[wallets.para]
audience = "a"
[wallets.para_session]
api_key_file = "k"
partner_id = "p"
[wallets.capsule_session]
api_key_file = "k"
partner_id = "p"
[wallets.nip98]
public_url = "https://a.example"
[wallets.thirdweb]
domain = "a.example"
"#;

    fn read(key: &str, value: &str) -> Result<Raw, String> {
        let layer = |text: &str| Serialized::defaults(document::parse(text).0);
        let figment = Figment::from(layer(WALLETS)).merge(layer(&format!("{key} = {value}\n")));
        let (raw, misfits) = shape::read(|_| figment.clone(), shape::Mask::default());
        let reason = |misfit: &shape::Misfit| format!("{}: {}", misfit.key, wording::reason(misfit, false));
        misfits.first().map_or(Ok(raw), |misfit| Err(reason(misfit)))
    }

    /// What is wrong with a value, if anything.
    fn verdict(key: &str, value: &str) -> Option<String> {
        let raw = match read(key, value) {
            Ok(raw) => raw,
            Err(error) => return Some(error),
        };
        let mut wrong = Mistakes::default();
        raw.check_numbers(&mut wrong);
        wrong.all(true).first().map(|mistake| format!("{}: {}", mistake.key, mistake.reason))
    }

    /// Each key, and whether it is a duration.
    fn keys() -> Vec<(String, bool)> {
        let named = |(section, numbers): (&str, Vec<Number>)| {
            let key = |number: Number| (format!("{section}.{}", number.key), !number.is_count());
            numbers.into_iter().map(key).collect::<Vec<_>>()
        };
        read("data_dir", "\"x\"").unwrap().numbers().into_iter().flat_map(named).collect()
    }

    #[test]
    fn every_documented_number_is_in_the_table() {
        let page = include_str!("../../docs/configuration.md");
        let (documented, _) =
            page.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap();
        let documented: toml::Table = toml::from_str(documented).unwrap();
        let keys = keys();
        let mut found = 0;
        for (section, table) in &documented {
            for (name, value) in table.as_table().into_iter().flatten() {
                let is_time = value.as_str().is_some_and(|text| humantime::parse_duration(text).is_ok());
                if (is_time || value.is_integer()) && name != "socket_mode" {
                    let key = format!("{section}.{name}");
                    assert!(keys.iter().any(|(known, _)| *known == key), "{key} has no bounds");
                    found += 1;
                }
            }
        }
        assert!(found > 25, "{found}");
    }

    #[test]
    fn whatever_a_number_is_it_is_taken_or_refused_with_its_key_and_bound() {
        for (key, is_time) in keys() {
            let values: &[&str] = if is_time {
                &[
                    "0",
                    "1",
                    "\"0s\"",
                    "\"1s\"",
                    "\"18446744073709551615s\"",
                    "\"9223372036854775807y\"",
                    "\"-1s\"",
                ]
            } else {
                &["0", "1", "-1", "9223372036854775807", "1e300", "nan"]
            };
            for value in values {
                if let Some(error) = verdict(&key, value) {
                    assert!(error.starts_with(&key), "{key} = {value}: {error}");
                    assert!(error.contains("must be"), "{key} = {value}: {error}");
                }
            }
            let largest = if is_time { "\"18446744073709551615s\"" } else { "9223372036854775807" };
            let error = verdict(&key, largest).unwrap_or_else(|| panic!("{key} has no upper bound"));
            assert!(error.contains("must be from ") && error.contains(" to "), "{error}");
        }
    }

    #[test]
    fn the_defaults_are_within_the_bounds() {
        assert_eq!(verdict("data_dir", "\"x\""), None);
    }
}
