//! What was published last, in a file of the data folder: without it a restart would publish everything anew, and
//! could not tell what was published elsewhere since.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nostr_sdk::{Event, JsonUtil, PublicKey};
use tempfile::NamedTempFile;

use crate::config::files::{self, Owners};

/// The longest event that is kept, in bytes: [`files::read_text`] reads no more.
pub(super) const MAX_EVENT: usize = 15 * 1024;

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Record(pub(super) PathBuf);

impl Record {
    /// The event that was published last. One that is not of this key, or damaged, is none.
    pub(super) fn read(&self, author: &PublicKey) -> Option<Event> {
        let text = files::read_text(&self.0, Owners::ours()).unwrap_or_else(|error| {
            tracing::warn!(file = %self.0.display(), %error, "cannot read which profile was published last");
            None
        })?;
        let event = Event::from_json(text).ok()?;
        (event.pubkey == *author && event.verify().is_ok()).then_some(event)
    }

    /// Puts this event in the place of the one before.
    pub(super) async fn write(&self, event: &Event) {
        let (path, text) = (self.0.clone(), event.as_json());
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            let file = self.0.display();
            tracing::warn!(%file, %error, "cannot keep which profile was published last: a restart publishes it anew");
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
