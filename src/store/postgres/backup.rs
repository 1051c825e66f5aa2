//! PostgreSQL has tools of its own for copies.

use std::path::Path;

use super::PostgresUrl;
use crate::store::{BackupError, BackupLabel, Backups};

impl Backups for PostgresUrl {
    fn backup_to(&self, _copy: &Path, _label: &BackupLabel) -> Result<(), BackupError> {
        Err(BackupError::OtherWay("the store is a PostgreSQL database: copy it with pg_dump"))
    }
}
