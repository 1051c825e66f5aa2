//! Why the daemon does not start.

use std::io;
use std::path::PathBuf;

use crate::config::files::FileError;
use crate::config::files::show_path;
use crate::config::key::KeyError;
use crate::config::token::ApiTokenError;
use crate::config::{AdminKeyError, ApiKeyError, WebhookSecretError};
use crate::http::ListenError;
use crate::store::StoreError;
use crate::tokens::KeyFileError;

/// Why the daemon did not start. Each names the file or address that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The service's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The proof that goes with a subkey.
    #[error("the subkey proof in {} cannot be used: {reason}", show_path(path))]
    Proof {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
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
    /// The data folder is another service's, or the key file is not the one it was.
    #[error(
        "the data in {} are those of the service {known}, and {} does not hold its key: \
         give the right key file, or another data folder",
        show_path(folder),
        show_path(key_file)
    )]
    OtherService {
        /// The data folder.
        folder: PathBuf,
        /// The public key that it was made with.
        known: String,
        /// The key file.
        key_file: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys of access tokens.
    #[error(transparent)]
    AccessKeys(#[from] KeyFileError),
    /// A socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else can change what lies in it.
    #[error("cannot use {} in the data folder: {reason}", show_path(path))]
    Unsafe {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why not.
        reason: FileError,
    },
    /// The operating system said no.
    #[error("cannot use {} in the data folder: {error}", show_path(path))]
    Io {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Another daemon uses it.
    #[error("another daemon uses the data folder {}", show_path(.0))]
    InUse(PathBuf),
}
