//! The ring of keys in a file: the promises of every place where it is kept, and what is particular to a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use portico::config::files::Owners;
use portico::store::{KeyStore, KeysError};
use portico::tokens::KeyFile;
use tempfile::TempDir;

keys_conformance!(crate::keys::empty);

/// The keys of a folder of their own.
pub(crate) async fn empty() -> (Box<dyn KeyStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Box::new(KeyFile::new(path_in(&folder), Owners::ours())), folder)
}

fn path_in(folder: &TempDir) -> PathBuf {
    folder.path().join("access-keys.json")
}

#[tokio::test]
async fn keys_that_somebody_else_may_read_are_neither_used_nor_replaced() {
    let (keys, folder) = empty().await;
    let revision = keys.replace_keys(None, "ring").await.unwrap();
    let path = path_in(&folder);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = keys.load_keys().await.map(drop);
    let replaced = keys.replace_keys(revision, "other").await.map(drop);
    for refused in [loaded, replaced] {
        let Err(KeysError::Refused(reason)) = refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("cannot use the keys of access tokens in "), "{reason}");
        assert!(reason.contains("access-keys.json"), "{reason}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "ring\n");
}

#[tokio::test]
async fn keys_that_cannot_be_written_are_unavailable() {
    let (keys, folder) = empty().await;
    fs::remove_dir(folder.path()).unwrap();
    let Err(KeysError::Unavailable(reason)) = keys.replace_keys(None, "ring").await else {
        panic!("there is no folder")
    };
    assert!(reason.contains("access-keys.json"), "{reason}");
}
