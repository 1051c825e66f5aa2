//! Collects the mistakes in the values of the configuration, so that the operator sees all of them at once.

/// A mistake in the value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The key, as `section.key`. An entry of a list has its place in it, from 0.
    pub(super) key: String,
    /// What is wrong with its value.
    pub(super) reason: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Wrong,
    Unknown,
    /// The key is missing, or its name is misspelt.
    Missing,
}

/// The mistakes that were found: at most one for each key.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes a mistake. Ignores it if the key already has one, because the first may have caused it.
    pub(super) fn add(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.push(key.into(), reason.into(), Kind::Wrong);
    }

    /// Notes that a key is missing.
    pub(super) fn add_missing(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.push(key.into(), reason.into(), Kind::Missing);
    }

    /// Notes that no section has this key.
    pub(super) fn add_unknown(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.push(key.into(), reason.into(), Kind::Unknown);
    }

    fn push(&mut self, key: String, reason: String, kind: Kind) {
        if !self.has(&key) {
            self.0.push(Mistake { key, reason, kind });
        }
    }

    /// The value, if there is no mistake in it.
    pub(super) fn keep<T, E: Into<String>>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|reason| self.add(key, reason)).ok()
    }

    /// Whether this key, a section around it or an entry of it has a mistake.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|mistake| is_about(&mistake.key, key))
    }

    /// The mistakes in the keys of this section.
    pub(super) fn section(&mut self, name: &str) -> InSection<'_> {
        InSection { name: name.to_owned(), all: self }
    }

    /// All of them. If a section has an unknown key, none of its keys counts as missing, because that one may be meant.
    /// The same holds for a text that TOML does not allow.
    pub(super) fn all(&self, in_sound_text: bool) -> Vec<&Mistake> {
        let has_unknown = |section: Option<&str>| {
            let mut unknown = self.0.iter().filter(|mistake| mistake.kind == Kind::Unknown);
            unknown.any(|mistake| section_of(&mistake.key) == section)
        };
        let is_certain = |mistake: &&Mistake| {
            mistake.kind != Kind::Missing || in_sound_text && !has_unknown(section_of(&mistake.key))
        };
        self.0.iter().filter(is_certain).collect()
    }
}

/// Whether a mistake in `known` is one in `key`: the same key, a section around it, or an entry of its list.
fn is_about(known: &str, key: &str) -> bool {
    let below = |below: &str, above: &str| {
        below.strip_prefix(above).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
    };
    known == key
        || below(key, known).is_some()
        || below(known, key).is_some_and(|rest| rest.parse::<usize>().is_ok())
}

fn section_of(key: &str) -> Option<&str> {
    key.rsplit_once('.').map(|(section, _)| section)
}

/// The same for one section, whose keys are named without it.
#[derive(Debug)]
pub(super) struct InSection<'a> {
    name: String,
    all: &'a mut Mistakes,
}

impl InSection<'_> {
    /// As [`Mistakes::add`].
    pub(super) fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.all.add(self.whole(key), reason);
    }

    /// As [`Mistakes::add_missing`].
    pub(super) fn add_missing(&mut self, key: &str, reason: impl Into<String>) {
        self.all.add_missing(self.whole(key), reason);
    }

    /// As [`Mistakes::keep`].
    pub(super) fn keep<T, E: Into<String>>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        self.all.keep(&self.whole(key), value)
    }

    /// The entries of a list without mistakes.
    pub(super) fn keep_each<T, U, E: Into<String>>(
        &mut self,
        key: &str,
        entries: impl IntoIterator<Item = T>,
        check: impl Fn(T) -> Result<U, E>,
    ) -> Vec<U> {
        let checked = entries.into_iter().enumerate();
        checked.filter_map(|(at, entry)| self.keep(&format!("{key}.{at}"), check(entry))).collect()
    }

    /// An entry of a list of sections; the first is 0.
    pub(super) fn entry(&mut self, key: &str, at: usize) -> InSection<'_> {
        let name = self.whole(&format!("{key}.{at}"));
        InSection { name, all: self.all }
    }

    /// As [`Mistakes::has`].
    pub(super) fn has(&self, key: &str) -> bool {
        self.all.has(&self.whole(key))
    }

    fn whole(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}
