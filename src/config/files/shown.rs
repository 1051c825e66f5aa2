//! Paths as text. A name on Unix is bytes, which need not be UTF-8.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serializer;

/// A path as people and programs read it. Bytes that are not UTF-8 are escaped as `\xff`.
pub fn show_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a `String` does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A path as one word of a shell.
pub(super) fn as_argument(path: &Path) -> String {
    let text = show_path(path);
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:%,=".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Serializes a path, which serde refuses to do for one that is not UTF-8.
pub(in crate::config) fn serialize_path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_path(path))
}

/// Serializes a path that there may be.
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
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped_and_the_rest_stays() {
        let path = Path::new(OsStr::from_bytes(b"/tmp/\xff\xfe/Zo\xc3\xab"));
        assert_eq!(show_path(path), r"/tmp/\xff\xfe/Zoë");
    }

    #[test]
    fn a_path_with_a_blank_stays_one_word_of_the_command_that_is_suggested() {
        assert_eq!(as_argument(Path::new("/etc/portico/service.key")), "/etc/portico/service.key");
        assert_eq!(as_argument(Path::new("/a b/it's; rm")), r"'/a b/it'\''s; rm'");
    }
}
