//! Names stand for one thing, types have one job, and functions fit a screen.
//!
//! The code is laid out by rustfmt, so a block ends at the first line that is indented as its first line is and begins
//! with `}`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Path, code, files};

/// The most methods of one type, in all its own `impl` blocks together.
const MOST_METHODS: usize = 50;

/// The most lines between the braces of a function.
const MOST_LINES: usize = 60;

/// Names that several public types share: each is the usual word for the same part of several kinds of token, or for what
/// a service is put together from.
const SHARED_NAMES: &[&str] = &["Claims", "InvalidKey", "Parts", "Policy", "SigningKey", "UnverifiedToken"];

/// Each file of the crate, with its code.
fn crate_files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let shown = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    let paths: BTreeSet<_> = files(&root).into_iter().collect();
    let found: Vec<_> = paths.iter().map(|path| (shown(path), code(path))).collect();
    assert!(found.len() > 100, "these are not all");
    found
}

/// How far a line is indented.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines of a block that begins at this line: those between its braces.
fn body<'a>(lines: &[&'a str], first: usize) -> Vec<&'a str> {
    let depth = indent(lines[first]);
    let Some(open) = (first..lines.len()).find(|at| lines[*at].trim_end().ends_with('{')) else {
        return Vec::new();
    };
    let inside = lines[open + 1..]
        .iter()
        .take_while(|line| !(indent(line) == depth && line.trim_start().starts_with('}')));
    inside.copied().collect()
}

/// The name after a keyword, if the line declares something by it.
fn declared<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let mut words = line.trim_start().split(' ').skip_while(|word| {
        word.starts_with("pub") || ["async", "const", "unsafe", "in", "crate)", "super)"].contains(word)
    });
    let (found, name) = (words.next()?, words.next()?);
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
    (found == keyword && end > 0).then_some(&name[..end])
}

/// The type that an `impl` block of its own is about.
fn own_impl(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.trim_start() };
    if rest.contains(" for ") {
        return None;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, code) in crate_files() {
        for line in code.lines().filter(|line| line.starts_with("pub ")) {
            for keyword in ["struct", "enum", "trait", "union", "type"] {
                if let Some(name) = declared(line, keyword) {
                    places.entry(name.to_owned()).or_default().push(file.clone());
                }
            }
        }
    }
    places.retain(|_, files| files.len() > 1);
    // Each module names its own.
    places.remove("Result");
    let shared: Vec<&str> = places.keys().map(String::as_str).collect();
    assert_eq!(shared, SHARED_NAMES, "{places:#?}");
}

#[test]
fn no_type_has_more_methods_than_one_job_needs() {
    // Several modules may have a type of this name.
    let mut methods: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (file, code) in crate_files() {
        let room = file.split(['/', '.']).next().unwrap().to_owned();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = own_impl(line) else { continue };
            let count = body(&lines, at).iter().filter(|line| declared(line, "fn").is_some()).count();
            *methods.entry((room.clone(), name.to_owned())).or_default() += count;
        }
    }
    assert!(methods.values().sum::<usize>() > 500, "these are not all");
    let many: Vec<_> = methods.iter().filter(|(_, count)| **count > MOST_METHODS).collect();
    assert!(many.is_empty(), "more than {MOST_METHODS} methods: part them by what they do: {many:?}");
}

#[test]
fn every_function_fits_a_screen() {
    let mut long = Vec::new();
    for (file, code) in crate_files() {
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = declared(line, "fn") else { continue };
            // A promise of a trait has no body.
            let end = (at..lines.len()).find(|at| lines[*at].ends_with(['{', '}', ';']));
            if end.is_some_and(|end| !lines[end].ends_with('{')) {
                continue;
            }
            let count = body(&lines, at).len();
            if count > MOST_LINES {
                long.push(format!("src/{file}:{}: {name} has {count} lines", at + 1));
            }
        }
    }
    assert!(long.is_empty(), "more than {MOST_LINES} lines: part them by what they do: {long:#?}");
}

#[test]
fn blocks_are_found_by_their_layout() {
    let code = "impl<T: Clone> Line<T> {\n    pub(super) async fn go(\n        &self,\n    ) {\n        one();\n\n        two();\n    }\n}";
    let lines: Vec<&str> = code.lines().collect();
    assert_eq!(own_impl(lines[0]), Some("Line"));
    assert_eq!((own_impl("impl Drop for Line {"), own_impl("impl Line {")), (None, Some("Line")));
    assert_eq!(declared(lines[1], "fn"), Some("go"));
    assert_eq!(body(&lines, 1), ["        one();", "", "        two();"]);
    assert_eq!((declared("pub struct Line<T> {", "struct"), declared("// a fn", "fn")), (Some("Line"), None));
}
