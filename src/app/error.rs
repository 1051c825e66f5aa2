//! Errors that stop the daemon from starting.

use std::io;
use std::path::PathBuf;

use crate::config::ApiTokenError;
use crate::config::files::FileError;
use crate::config::files::show_path;
use crate::config::key::KeyError;
use crate::config::{AdminKeyError, ApiKeyError, StorePasswordError, WebhookSecretError};
use crate::http::ListenError;
use crate::store::{KeysError, StoreError};

/// The reason why the daemon did not start. Each names the file or address that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The service's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The proof of a subkey.
    #[error("cannot use the subkey proof in {}: {reason}", show_path(path))]
    Proof {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The API token.
    #[error(transparent)]
    Token(#[from] ApiTokenError),
    /// The secret of the webhook.
    #[error(transparent)]
    WebhookSecret(#[from] WebhookSecretError),
    /// The API key of a wallet provider.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// The key that issues thirdweb tokens.
    #[error(transparent)]
    AdminKey(#[from] AdminKeyError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The data folder belongs to another service, or the key file was replaced.
    #[error(
        "the data in {} belongs to service {known}, but {} {}: set the right key file, or another data folder",
        show_path(folder),
        show_path(key_file),
        if *.is_missing { "does not exist" } else { "does not contain its key" }
    )]
    OtherService {
        /// The data folder.
        folder: PathBuf,
        /// The public key that the data belongs to.
        known: String,
        /// The key file.
        key_file: PathBuf,
        /// Whether the key file does not exist.
        is_missing: bool,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password of the database.
    #[error(transparent)]
    StorePassword(#[from] StorePasswordError),
    /// The keys of access tokens.
    #[error(transparent)]
    AccessKeys(#[from] KeysError),
    /// A socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// The reason why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another user can change its files.
    #[error("cannot use {} in the data folder: {reason}", show_path(path))]
    Unsafe {
        /// The folder, or a file in it.
        path: PathBuf,
        /// The reason.
        reason: FileError,
    },
    /// An error of the operating system.
    #[error("cannot use {} in the data folder: {error}", show_path(path))]
    Io {
        /// The folder, or a file in it.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// Another daemon uses it.
    #[error("a daemon already uses the data folder {}", show_path(.0))]
    InUse(PathBuf),
}
