//! Imports point one way (ARCHITECTURE.md, "The house"): a layer that reaches around another fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the parts of the crate that it may name. The table in `src/lib.rs` lists the same.
const MAY_USE: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("clock", &[]),
    ("portal_token", &[]),
    ("protocol", &[]),
    ("access_token", &["portal_token"]),
    ("ethereum", &[]),
    ("lifecycle", &[]),
    ("client", &[]),
    ("metrics", &[]),
    ("tls", &[]),
    ("shown", &[]),
    ("quoted", &[]),
    ("outbound", &["address", "quoted", "tls"]),
    ("nip05", &["address", "outbound"]),
    ("wallet", &["clock", "portal_token", "ethereum", "config", "outbound", "quoted", "tls", "store"]),
    ("config", &["address", "portal_token", "access_token", "ethereum", "shown", "quoted", "tls"]),
    ("relay", &["address", "clock", "protocol", "shown", "quoted", "tls", "outbound"]),
    ("store", &["clock", "metrics"]),
    ("events", &["clock", "protocol", "store"]),
    ("webhook", &["clock", "config", "lifecycle", "metrics", "store", "events", "tls"]),
    (
        "session",
        &[
            "clock",
            "protocol",
            "access_token",
            "config",
            "lifecycle",
            "metrics",
            "store",
            "events",
            "wallet",
            "quoted",
        ],
    ),
    (
        "portal",
        &[
            "clock",
            "portal_token",
            "protocol",
            "config",
            "lifecycle",
            "metrics",
            "store",
            "relay",
            "events",
            "wallet",
            "session",
            "outbound",
            "nip05",
            "shown",
            "tls",
            "quoted",
        ],
    ),
    (
        "profile",
        &["clock", "protocol", "shown", "quoted", "tls", "config", "lifecycle", "outbound", "nip05", "relay"],
    ),
    // The store's error passes through: whoever reads events meets it.
    (
        "api",
        &[
            "clock",
            "config",
            "lifecycle",
            "metrics",
            "access_token",
            "ethereum",
            "portal",
            "events",
            "profile",
            "session",
            "wallet",
            "webhook",
            "quoted",
            "store::StoreError",
        ],
    ),
];

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

#[test]
fn imports_point_one_way() {
    for (layer, allowed) in MAY_USE {
        for (path, code) in sources(layer) {
            for (at, _) in code.match_indices("crate::") {
                let name = &code[at + "crate::".len()..];
                let reaches = |part: &&str| name.starts_with(*part);
                let own = name.starts_with(layer);
                let here = code[..at].lines().count();
                assert!(
                    own || allowed.iter().any(reaches),
                    "{}:{here}: `{layer}` may not use crate::{}",
                    path.display(),
                    name.lines().next().unwrap_or_default(),
                );
            }
        }
    }
}

/// The rows of the table in `src/lib.rs`: each module, and what it says the module may use.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let cells =
        text.lines().filter_map(|line| line.strip_prefix("//! |")).map(|row| row.split('|').collect());
    cells
        .filter_map(|cells: Vec<&str>| {
            let module = names(cells[0]);
            Some((
                module.first().filter(|_| module.len() == 1)?.clone(),
                names(cells[2]).into_iter().collect(),
            ))
        })
        .collect()
}

#[test]
fn the_map_in_the_library_shows_the_layers_as_they_are() {
    let documented = documented();
    for (layer, allowed) in MAY_USE {
        let allowed: BTreeSet<String> = allowed.iter().map(|part| (*part).to_owned()).collect();
        assert_eq!(documented.get(*layer), Some(&allowed), "{layer}");
    }
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
