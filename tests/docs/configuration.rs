//! `docs/configuration.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use portico::config::{Config, ConfigError, Overrides, load};

use crate::text;

/// The `portico.toml` that has every key.
fn documented() -> String {
    let page = text("docs/configuration.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The configuration with this as `portico.toml`, without what depends on where it lies.
fn read(folder: &Path, toml: &str) -> Result<Config, ConfigError> {
    let file = folder.join("portico.toml");
    fs::write(&file, toml).unwrap();
    load(&Overrides {
        config: Some(file),
        data_dir: Some(folder.to_owned()),
        key_file: Some(folder.join("key")),
        socket: Some(folder.join("socket")),
        ..Overrides::default()
    })
}

/// The keys that a section may hold, by the error that names them; sections of it included.
fn known(folder: &Path, section: &str) -> Vec<String> {
    let is_list = documented().contains(&format!("[[{section}]]"));
    let toml = match section {
        "" => "nonsense = 1\n".into(),
        section if is_list => format!("[[{section}]]\nnonsense = 1\n"),
        section => format!("[{section}]\nnonsense = 1\n"),
    };
    let error = read(folder, &toml).unwrap_err().to_string();
    let (list, _) = error.split_once(" (in ").expect(&error);
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let names = list.split(", ").filter_map(|part| part.rsplit(' ').next());
    let names: Vec<_> = names.filter(is_name).map(str::to_owned).collect();
    assert!(!names.is_empty(), "{section}: {error}");
    names
}

/// Each key as `section.key`, whether its line is commented out or not.
fn keys_of(toml: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in toml.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(rest) = line.strip_prefix('[') {
            section = format!("{}.", rest.trim_start_matches('[').split(']').next().unwrap());
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}{key}"));
        }
    }
    keys
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let stated = format!("{:#?}", read(folder.path(), &documented()).unwrap());
    let actual = format!("{:#?}", read(folder.path(), "").unwrap());
    assert_eq!(stated, actual);
}

#[test]
fn every_key_is_documented_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let documented = documented();
    let is_section = |key: &str| documented.contains(&format!("[{key}]"));
    let mut actual = BTreeSet::new();
    let mut sections = vec![String::new()];
    while let Some(section) = sections.pop() {
        for name in known(folder.path(), &section) {
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            if is_section(&key) {
                sections.push(key);
            } else {
                actual.insert(key);
            }
        }
    }
    // Its keys are those of para_session.
    actual.retain(|key| !key.starts_with("wallets.capsule_session."));
    assert_eq!(keys_of(&documented), actual);
}

#[test]
fn every_flag_of_serve_is_documented() {
    let page = text("docs/configuration.md");
    let help = Command::new(env!("CARGO_BIN_EXE_portico")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help");
    for flag in flags {
        assert!(page.contains(&format!("`{flag}`")), "{flag}");
    }
}
