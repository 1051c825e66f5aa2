//! What the README says of the configuration is what the program does.

use std::fs;
use std::path::Path;

use portico::config::{Config, Overrides, load};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The configuration with this as `portico.toml`, without what depends on where it lies.
fn config(folder: &Path, toml: &str) -> Config {
    let file = folder.join("portico.toml");
    fs::write(&file, toml).unwrap();
    let overrides = Overrides {
        config: Some(file),
        data_dir: Some(folder.to_owned()),
        key_file: Some(folder.join("key")),
        socket: Some(folder.join("socket")),
        ..Overrides::default()
    };
    load(&overrides).unwrap()
}

#[test]
fn the_defaults_in_the_readme_are_the_defaults() {
    let readme = readme();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (documented, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stated = format!("{:#?}", config(folder.path(), documented));
    let actual = format!("{:#?}", config(folder.path(), ""));
    assert_eq!(stated, actual);
}

#[test]
fn every_flag_of_serve_stands_in_the_readme() {
    let readme = readme();
    let help =
        std::process::Command::new(env!("CARGO_BIN_EXE_portico")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--") && *word != "--help");
    for flag in flags {
        assert!(readme.contains(&format!("`{flag}`")), "{flag}");
    }
}
