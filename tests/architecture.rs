//! Imports point one way (ARCHITECTURE.md, "The house"): a layer that reaches around another fails here.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the parts of the crate that it may name. Leaves (`address`, `clock`, `metrics`, `quoted`) may be named by all
/// that are not pure.
const MAY_USE: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("clock", &[]),
    ("token", &[]),
    ("protocol", &[]),
    ("access", &["token"]),
    ("ethereum", &[]),
    ("lifecycle", &[]),
    ("client", &[]),
    ("metrics", &[]),
    ("tls", &[]),
    ("shown", &[]),
    ("quoted", &[]),
    ("outbound", &["address", "tls"]),
    (
        "wallet",
        &[
            "clock", "token", "protocol", "access", "ethereum", "config", "outbound", "tls", "metrics",
            "store",
        ],
    ),
    ("config", &["address", "clock", "token", "protocol", "access", "ethereum", "shown", "quoted", "tls"]),
    ("relay", &["address", "clock", "token", "protocol", "shown", "tls"]),
    ("store", &["address", "clock", "token", "protocol", "metrics"]),
    ("events", &["address", "clock", "token", "protocol", "store"]),
    ("webhook", &["clock", "config", "lifecycle", "metrics", "store", "events", "tls"]),
    (
        "session",
        &["clock", "protocol", "access", "config", "lifecycle", "metrics", "store", "events", "wallet"],
    ),
    (
        "auth",
        &[
            "address",
            "clock",
            "token",
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
            "shown",
            "tls",
            "quoted",
        ],
    ),
    (
        "profile",
        &["address", "clock", "protocol", "shown", "tls", "config", "lifecycle", "outbound", "relay"],
    ),
    // The store's error passes through: whoever reads events meets it.
    (
        "api",
        &[
            "clock",
            "config",
            "lifecycle",
            "metrics",
            "access",
            "ethereum",
            "auth",
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
const PURE: &[&str] = &["token", "protocol", "access", "ethereum"];
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
