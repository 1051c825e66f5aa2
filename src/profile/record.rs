//! A file in the data folder with the profile event that was published last. Without it, a restart would
//! publish the profile again, and Portico could not detect that somebody else published one since.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nostr_sdk::{Event, JsonUtil, PublicKey};
use tempfile::NamedTempFile;

use crate::config::files::{self, Owners};

/// The longest event that is stored, in bytes: [`files::read_text`] reads no more.
pub(super) const MAX_EVENT: usize = 15 * 1024;

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Record(pub(super) PathBuf);

impl Record {
    /// The event that was published last. A damaged event, or one of another key, counts as missing.
    pub(super) fn read(&self, author: &PublicKey) -> Option<Event> {
        let text = files::read_text(&self.0, Owners::ours()).unwrap_or_else(|error| {
            tracing::warn!(file = %files::show_path(&self.0), %error, "cannot read the last published profile");
            None
        })?;
        let event = Event::from_json(text).ok()?;
        (event.pubkey == *author && event.verify().is_ok()).then_some(event)
    }

    /// Replaces the stored event by this one.
    pub(super) async fn write(&self, event: &Event) {
        let (path, text) = (self.0.clone(), event.as_json());
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            let file = files::show_path(&self.0);
            tracing::warn!(%file, %error, "cannot store the last published profile: Portico publishes it again after a restart");
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    files::give_to_owner_of(folder, file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}
