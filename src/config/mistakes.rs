//! Collects the mistakes in the values of the configuration, so that the operator sees all of them at once.

/// A mistake in the value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The key, as `section.key`.
    pub(super) key: String,
    /// What is wrong with its value.
    pub(super) reason: String,
}

/// The mistakes that were found: at most one for each key.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes a mistake, unless one of the same key is known: what follows from a mistake is none of its own.
    pub(super) fn add(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        let key = key.into();
        if !self.has(&key) {
            self.0.push(Mistake { key, reason: reason.into() });
        }
    }

    /// The value, if there is no mistake in it.
    pub(super) fn keep<T, E: Into<String>>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|reason| self.add(key, reason)).ok()
    }

    /// Whether this key has a mistake.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|mistake| mistake.key == key)
    }

    /// The mistakes in the keys of this section.
    pub(super) fn section<'a>(&'a mut self, name: &'a str) -> InSection<'a> {
        InSection { name, all: self }
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Mistake> {
        self.0
    }
}

/// The same for one section, whose keys are named without it.
#[derive(Debug)]
pub(super) struct InSection<'a> {
    name: &'a str,
    all: &'a mut Mistakes,
}

impl InSection<'_> {
    /// As [`Mistakes::add`].
    pub(super) fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.all.add(self.whole(key), reason);
    }

    /// As [`Mistakes::keep`].
    pub(super) fn keep<T, E: Into<String>>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        self.all.keep(&self.whole(key), value)
    }

    fn whole(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}
