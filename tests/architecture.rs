//! Imports point one way (ARCHITECTURE.md, "Where the code lives"): a layer that reaches around another fails here.

#[path = "architecture/sizes.rs"]
mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the parts of the crate that it may name: the one list of what may use what.
const MAY_USE: &[(&str, &[&str])] = &[
    ("actor", &["clock", "store"]),
    ("address", &[]),
    ("api_tokens", &["actor", "clock", "lifecycle", "rights", "store"]),
    ("clock", &[]),
    ("portal_token", &[]),
    ("protocol", &[]),
    ("curve", &[]),
    ("access_token", &["curve", "portal_token"]),
    ("ethereum", &[]),
    ("lifecycle", &[]),
    ("client", &[]),
    ("metrics", &[]),
    ("tls", &["shown"]),
    ("shown", &["quoted"]),
    ("quoted", &[]),
    ("rights", &["quoted"]),
    ("words", &[]),
    ("lookups", &[]),
    ("outbound", &["address", "lookups", "quoted", "tls"]),
    ("nip05", &["address", "outbound"]),
    (
        "tokens",
        &[
            "access_token",
            "actor",
            "clock",
            "config",
            "events",
            "identity",
            "lifecycle",
            "metrics",
            "portal_token",
            "protocol",
            "quoted",
            "store",
        ],
    ),
    (
        "wallet",
        &[
            "clock",
            "config",
            "curve",
            "ethereum",
            "outbound",
            "portal_token",
            "quoted",
            "store",
            "tls",
            "tokens",
        ],
    ),
    (
        "config",
        &[
            "rights",
            "address",
            "nip05",
            "portal_token",
            "access_token",
            "ethereum",
            "shown",
            "quoted",
            "tls",
            "store::postgres::PostgresUrl",
            "words",
        ],
    ),
    ("housekeeping", &["clock", "config", "metrics", "store", "tokens"]),
    ("identity", &["clock", "portal_token", "protocol"]),
    ("relay", &["address", "clock", "lookups", "protocol", "shown", "quoted", "tls", "outbound"]),
    ("store", &["clock", "metrics", "rights", "shown", "tls"]),
    ("events", &["access_token", "clock", "protocol", "store"]),
    ("webhook", &["actor", "clock", "config", "lifecycle", "metrics", "store", "events", "outbound", "tls"]),
    ("directory", &["config", "metrics", "nip05", "outbound", "portal_token", "quoted", "relay", "tls"]),
    ("roster", &["actor", "clock", "config", "lifecycle", "metrics", "quoted", "relay", "shown", "store"]),
    (
        "session",
        &[
            "actor",
            "clock",
            "protocol",
            "access_token",
            "config",
            "lifecycle",
            "metrics",
            "store",
            "events",
            "tokens",
            "wallet",
            "quoted",
        ],
    ),
    (
        "portal",
        &[
            "clock",
            "identity",
            "portal_token",
            "protocol",
            "config",
            "lifecycle",
            "metrics",
            "store",
            "relay",
            "events",
            "tokens",
            "wallet",
            "session",
        ],
    ),
    (
        "profile",
        &[
            "actor",
            "clock",
            "protocol",
            "shown",
            "quoted",
            "tls",
            "config",
            "lifecycle",
            "outbound",
            "nip05",
            "relay",
            "store",
        ],
    ),
    // What every listener needs: it knows no service.
    ("http", &["config", "lifecycle", "metrics", "quoted", "rights"]),
    (
        "web",
        &[
            "clock",
            "config",
            "events",
            "http",
            "lifecycle",
            "metrics",
            "portal",
            "profile",
            "protocol",
            "rights",
            "roster",
            "store",
            "webhook",
        ],
    ),
    // The store's error passes through to callers that read events.
    (
        "api",
        &[
            "api_tokens",
            "clock",
            "config",
            "http",
            "rights",
            "lifecycle",
            "metrics",
            "access_token",
            "ethereum",
            "directory",
            "portal",
            "portal_token",
            "events",
            "profile",
            "roster",
            "session",
            "tokens",
            "wallet",
            "web",
            "webhook",
            "quoted",
            "store::StoreError",
        ],
    ),
];

/// What puts the parts together, runs them and shows them, and opens doors to them for fuzzers.
const SEES_EVERYTHING: &[&str] = &["app", "cli", "demo", "fuzzing"];

/// What decides may not look outside: no clock, no disk, no network, no randomness of its own.
const PURE: &[&str] = &["portal_token", "protocol", "access_token", "ethereum"];
const IMPURE: &[&str] =
    &["std::time::SystemTime", "std::fs", "std::net", "tokio::", "thread_rng", "OsRng", "rand::random"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let single = folder.with_extension("rs");
    let mut found: Vec<PathBuf> = single.exists().then_some(single).into_iter().collect();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its unit tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn sources(layer: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: Vec<_> =
        files(&root.join(layer)).into_iter().map(|path| (path.clone(), code(&path))).collect();
    assert!(!found.is_empty(), "there is no layer {layer}");
    found
}

/// What a path in the code names: `store::StoreError` of `store::StoreError>(…)`.
fn path_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].trim_end_matches(':')
}

/// Whether a path is this one or lies below it, by whole names.
fn is_within(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn imports_point_one_way() {
    for (layer, allowed) in MAY_USE {
        for (path, code) in sources(layer) {
            for (at, _) in code.match_indices("crate::") {
                let named = path_at(&code[at + "crate::".len()..]);
                let here = code[..at].lines().count();
                assert!(
                    is_within(named, layer) || allowed.iter().any(|part| is_within(named, part)),
                    "{}:{here}: `{layer}` may not use crate::{named}",
                    path.display(),
                );
            }
        }
    }
}

#[test]
fn a_module_is_known_by_its_whole_name() {
    assert_eq!(path_at("tokens::Mint>, other"), "tokens::Mint");
    assert!(is_within("tokens::Mint", "tokens") && is_within("store::StoreError", "store::StoreError"));
    assert!(!is_within("tokens::Mint", "token") && !is_within("store::Store", "store::StoreError"));
}

#[test]
fn no_layer_reaches_itself_over_others() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (layer, allowed) in MAY_USE {
        let used = allowed.iter().map(|part| part.split("::").next().unwrap());
        assert!(left.insert(layer, used.collect()).is_none(), "{layer} is listed twice");
    }
    // Whatever uses nothing that is left is taken away, until nothing is: a circle would stay.
    while !left.is_empty() {
        let floor: Vec<&str> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|part| !left.contains_key(part)))
            .map(|(layer, _)| *layer)
            .collect();
        assert!(!floor.is_empty(), "these use each other in a circle: {left:?}");
        floor.iter().for_each(|layer| drop(left.remove(layer)));
    }
}

fn library() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap()
}

/// The modules of the crate, as `src/lib.rs` declares them.
fn modules(library: &str) -> BTreeSet<&str> {
    let declared = library.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    declared.collect()
}

#[test]
fn every_module_has_its_place_in_the_list_and_in_the_table_of_the_library() {
    let library = library();
    let declared = modules(&library);
    let listed: BTreeSet<&str> = MAY_USE.iter().map(|(layer, _)| *layer).collect();
    let everything: BTreeSet<&str> = SEES_EVERYTHING.iter().copied().collect();
    assert_eq!(declared, &listed | &everything, "a module is missing in the list, or is gone");

    let rows = library.lines().filter_map(|line| line.strip_prefix("//! |"));
    let told: BTreeSet<&str> = rows.filter_map(|row| row.split('|').next()?.split('`').nth(1)).collect();
    assert_eq!(told, declared, "the table of src/lib.rs says what each module is");
}

#[test]
fn the_core_reads_no_clock_and_touches_no_disk_network_or_randomness() {
    for layer in PURE {
        for (path, code) in sources(layer) {
            for word in IMPURE {
                assert!(!code.contains(word), "{}: a pure layer uses {word}", path.display());
            }
        }
    }
}
