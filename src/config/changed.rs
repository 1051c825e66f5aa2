//! Finds the keys of `portico.toml` that changed since the daemon started and take effect only at the next start.

use std::collections::BTreeMap;
use std::path::Path;

use super::files;

/// The keys of a file, each as `section.key`, with their values. Values may be secrets: they are compared, and never
/// shown.
#[derive(Clone)]
pub struct WrittenKeys(BTreeMap<String, toml::Value>);

impl std::fmt::Debug for WrittenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl WrittenKeys {
    /// Reads the file; `None`: it cannot be read, which loading the configuration reports.
    pub fn read(file: &Path) -> Option<Self> {
        let text = files::read_config(file).ok()??.text;
        Some(Self::of(&toml::from_str(&text).ok()?))
    }

    fn of(table: &toml::Table) -> Self {
        let mut keys = BTreeMap::new();
        flatten("", table, &mut keys);
        Self(keys)
    }

    /// The keys that changed, without `[profile]`, which a reload applies.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> Vec<&'a str> {
        let (now, then) = (&self.0, &before.0);
        let gone = then.keys().filter(|key| !now.contains_key(*key));
        let other = now.iter().filter(|(key, value)| then.get(*key) != Some(value)).map(|(key, _)| key);
        let mut changed: Vec<&str> =
            gone.chain(other).map(String::as_str).filter(|key| !key.starts_with("profile.")).collect();
        changed.sort_unstable();
        changed
    }
}

fn flatten(above: &str, table: &toml::Table, keys: &mut BTreeMap<String, toml::Value>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            toml::Value::Table(below) => flatten(&key, below, keys),
            value => {
                keys.insert(key, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(toml: &str) -> WrittenKeys {
        WrittenKeys::of(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn what_is_new_other_or_gone_has_changed_and_the_profile_is_left_to_the_reload() {
        let before = written(
            "[auth]\nmax_open = 1\n[local]\ntoken = \"a\"\nlisten = \"b\"\n[profile]\nname = \"x\"\n",
        );
        let after = written(
            "[log]\nlevel = \"info\"\n[local]\ntoken = \"hunter2\"\nlisten = \"b\"\n[profile]\nname = \"y\"\n",
        );
        assert_eq!(after.changed_since(&before), ["auth.max_open", "local.token", "log.level"]);
        assert!(after.changed_since(&after.clone()).is_empty());
        assert!(!format!("{after:?}").contains("hunter2"));
    }
}
