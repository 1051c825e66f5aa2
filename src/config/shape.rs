//! Reads values into their types. A value that does not fit is noted and left out, and then all others are read.

use std::collections::{BTreeMap, BTreeSet};

use figment::error::Kind;
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;

use super::environment;

/// The names of sections and keys, and the places in lists (from 0), that lead to a value.
type Path = Vec<String>;

/// A value that does not fit, or that is missing.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The names that lead to it, with `.` between them.
    pub(super) key: String,
    /// What is wrong with it.
    pub(super) kind: Kind,
}

/// What is left out of the layers, or read in another way.
#[derive(Debug, Default)]
pub(super) struct Mask {
    left_out: BTreeSet<Path>,
    /// Lists that begin after an entry that does not fit.
    begun: BTreeMap<Path, usize>,
    /// Missing keys, which stand there as empty text.
    missing: BTreeSet<Path>,
    /// Values of variables that look like a number and are text, with the mistake if they are not.
    texts: BTreeMap<Path, (String, Kind)>,
}

/// A layer of the configuration without what is left out.
pub(super) struct Masked<'a, P> {
    pub(super) layer: P,
    pub(super) mask: &'a Mask,
    pub(super) is_environment: bool,
}

impl<P: Provider> Provider for Masked<'_, P> {
    fn metadata(&self) -> Metadata {
        self.layer.metadata()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut data = self.layer.data()?;
        data.values_mut().for_each(|dict| self.mask.apply(dict, self.is_environment));
        Ok(data)
    }
}

/// Reads the layers, and notes each value that does not fit.
pub(super) fn read<T: DeserializeOwned + Default>(
    layers: impl Fn(&Mask) -> Figment,
    mut mask: Mask,
) -> (T, Vec<Misfit>) {
    let mut misfits = Vec::new();
    loop {
        match layers(&mask).extract() {
            Ok(value) if mask.begun.is_empty() => return (value, misfits),
            // The rest of such a list would have other numbers.
            Ok(_) => mask.left_out.extend(std::mem::take(&mut mask.begun).into_keys()),
            Err(error) => match mask.pass(error) {
                Pass::Misfit(misfit) => misfits.push(misfit),
                Pass::Again => {}
                // No part of it can be left out.
                Pass::End(misfit) => {
                    misfits.push(misfit);
                    return (T::default(), misfits);
                }
            },
        }
    }
}

enum Pass {
    Misfit(Misfit),
    Again,
    End(Misfit),
}

impl Mask {
    /// Leaves out a value.
    pub(super) fn leave_out(&mut self, key: &str) {
        self.left_out.insert(key.split('.').map(str::to_owned).collect());
    }

    /// Changes the mask so that the next pass gets past this error.
    fn pass(&mut self, error: Error) -> Pass {
        let mut path = self.written(&error.path);
        let is_environment = error.metadata.as_ref().is_some_and(|metadata| metadata.source.is_none());
        if is_environment && self.read_as_text(&path, &error.kind) {
            return Pass::Again;
        }
        let kind = self.texts.get(&path).map_or(error.kind, |(_, kind)| kind.clone());
        if let Kind::MissingField(name) = &kind {
            path.push(name.to_string());
            let is_new = self.missing.insert(path.clone());
            let misfit = Misfit { key: path.join("."), kind };
            return match (is_new, self.left_out.contains(&path)) {
                (true, false) => Pass::Misfit(misfit),
                // The key exists, and its value did not fit.
                (true, true) => Pass::Again,
                (false, _) => Pass::End(misfit),
            };
        }
        if self.missing.contains(&path) {
            // Empty text does not fit either: the section cannot be read.
            let misfit = Misfit { key: path.join("."), kind };
            path.pop();
            let is_new = !path.is_empty() && self.left_out.insert(path);
            return if is_new { Pass::Again } else { Pass::End(misfit) };
        }
        let is_new = self.go_beyond(&path);
        let misfit = Misfit { key: path.join("."), kind };
        if is_new { Pass::Misfit(misfit) } else { Pass::End(misfit) }
    }

    /// Leaves out this value. `false`: it cannot be left out, or was before.
    fn go_beyond(&mut self, path: &Path) -> bool {
        match path.split_last() {
            None => false,
            Some((last, list)) => match last.parse::<usize>() {
                Ok(at) => self.begun.insert(list.to_vec(), at + 1) != Some(at + 1),
                Err(_) => self.left_out.insert(path.clone()),
            },
        }
    }

    /// The path in the layers as they were written.
    fn written(&self, path: &[String]) -> Path {
        // The type of paths adds a part that nobody wrote.
        let mut path: Path = path.iter().filter(|part| !part.starts_with("___")).cloned().collect();
        for (list, first) in &self.begun {
            if let Some(at) = path.get(list.len()).and_then(|at| at.parse::<usize>().ok())
                && path.starts_with(list)
            {
                path[list.len()] = (at + first).to_string();
            }
        }
        path
    }

    /// Variables have no quotes, so a value that looks like a number or `true` may be text.
    fn read_as_text(&mut self, path: &Path, kind: &Kind) -> bool {
        use figment::error::Actual::{Bool, Float, Signed, Unsigned};

        if !matches!(kind, Kind::InvalidType(Bool(_) | Float(_) | Signed(_) | Unsigned(_), _))
            || self.texts.contains_key(path)
        {
            return false;
        }
        let Some(text) = environment::text_of(&path.join(".")) else { return false };
        self.texts.insert(path.clone(), (text, kind.clone()));
        true
    }

    fn apply(&self, dict: &mut Dict, is_environment: bool) {
        if is_environment {
            for (path, (text, _)) in &self.texts {
                if let Some((name, section)) = section_of(dict, path)
                    && let Some(value) = section.get_mut(name)
                {
                    *value = Value::from(text.clone());
                }
            }
        }
        for path in &self.left_out {
            if let Some((name, section)) = section_of(dict, path) {
                section.remove(name);
            }
        }
        for path in &self.missing {
            if let Some((name, section)) = section_of(dict, path) {
                section.insert(name.to_owned(), Value::from(""));
            }
        }
        for (path, first) in &self.begun {
            if let Some((name, section)) = section_of(dict, path)
                && let Some(Value::Array(_, list)) = section.get_mut(name)
            {
                list.drain(..list.len().min(*first));
            }
        }
    }
}

/// The section of a value, and the name of the value in it.
fn section_of<'a, 'p>(dict: &'a mut Dict, path: &'p Path) -> Option<(&'p str, &'a mut Dict)> {
    let (name, above) = path.split_last()?;
    let Some((first, rest)) = above.split_first() else { return Some((name, dict)) };
    let mut value = dict.get_mut(first)?;
    for part in rest {
        value = match value {
            Value::Dict(_, dict) => dict.get_mut(part)?,
            Value::Array(_, list) => list.get_mut(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Dict(_, dict) => Some((name, dict)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use figment::providers::Serialized;
    use proptest::prelude::*;

    use super::*;
    use crate::config::document;
    use crate::config::raw::Raw;

    const KEYS: [&str; 14] = [
        "auth.max_open",
        "auth.challenge_ttl",
        "data_dir",
        "local.allow",
        "local.allow_uids",
        "local.socket_mode",
        "nonsense",
        "sessions",
        "sessions.checks",
        "wallets.jwks",
        "wallets.jwks.algorithms",
        "wallets.jwks.jwks_url",
        "wallets.para_session.partner_id",
        "webhook.secret",
    ];
    const VALUES: [&str; 12] = [
        "1",
        "-1",
        "1.5",
        "true",
        "\"x\"",
        "[]",
        "[1, true, \"a\", 2, []]",
        "[[1]]",
        "[{ uid = 1 }, 3, { uid = true, may = 1 }]",
        "{ a = 1 }",
        "{ issuer = 1, audience = [] }",
        "2026-01-01",
    ];

    proptest! {
        #[test]
        fn whatever_is_written_reading_ends_and_names_each_key_once(
            written in proptest::collection::vec((0..KEYS.len(), 0..VALUES.len()), 0..8),
        ) {
            let lines = written.iter().map(|(key, value)| format!("{} = {}\n", KEYS[*key], VALUES[*value]));
            let (dict, _) = document::parse(&lines.collect::<String>());
            let layers = |mask: &Mask| {
                Figment::from(Masked { layer: Serialized::defaults(&dict), mask, is_environment: false })
            };
            let (_, misfits): (Raw, _) = read(layers, Mask::default());
            let keys: BTreeSet<_> = misfits.iter().map(|misfit| misfit.key.as_str()).collect();
            prop_assert_eq!(keys.len(), misfits.len(), "{:?}", misfits);
            let reads = Figment::from(Serialized::defaults(&dict)).extract::<Raw>();
            prop_assert_eq!(reads.is_ok(), misfits.is_empty(), "{:?}", misfits);
        }
    }
}
