//! Paths as shell arguments and in JSON.

use std::path::{Path, PathBuf};

use serde::Serializer;

pub use crate::shown::path as show_path;

/// A path as one shell argument.
pub fn as_argument(path: &Path) -> String {
    let text = show_path(path);
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:%,=".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Serializes a path, also one that is not UTF-8, which serde refuses.
pub(in crate::config) fn serialize_path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_path(path))
}

/// Serializes an optional path.
pub(in crate::config) fn serialize_optional_path<S: Serializer>(
    path: &Option<PathBuf>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => to.serialize_some(&show_path(path)),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_blank_stays_one_word_of_the_command_that_is_suggested() {
        assert_eq!(as_argument(Path::new("/etc/portico/service.key")), "/etc/portico/service.key");
        assert_eq!(as_argument(Path::new("/a b/it's; rm")), r"'/a b/it'\''s; rm'");
        assert_eq!(as_argument(Path::new("/tmp/portico-demo-x.1/s_k")), "/tmp/portico-demo-x.1/s_k");
    }
}
