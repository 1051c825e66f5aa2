//! Maps SQLite's errors to the store's.

use rusqlite::Error;
use rusqlite::ffi::{self, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(cause, _) => match cause.code {
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted => Self::Unavailable(error.to_string()),
                ErrorCode::ConstraintViolation if is_duplicate(cause) => Self::Conflict,
                _ => Self::Corrupt(error.to_string()),
            },
            // A value of the wrong type or range, a missing table: not what this program writes.
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

fn is_duplicate(cause: &ffi::Error) -> bool {
    matches!(cause.extended_code, ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32) -> &'static str {
        match StoreError::from(Error::SqliteFailure(ffi::Error::new(code), None)) {
            StoreError::Unavailable(_) => "unavailable",
            StoreError::Corrupt(_) => "corrupt",
            StoreError::Conflict => "conflict",
            StoreError::Newer { .. } => "newer",
        }
    }

    #[test]
    fn what_may_pass_is_unavailable_and_what_will_not_is_corrupt() {
        for (code, expected) in [
            (ffi::SQLITE_BUSY, "unavailable"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "unavailable"),
            (ffi::SQLITE_LOCKED, "unavailable"),
            (ffi::SQLITE_FULL, "unavailable"),
            (ffi::SQLITE_IOERR, "unavailable"),
            (ffi::SQLITE_IOERR_FSYNC, "unavailable"),
            (ffi::SQLITE_READONLY, "unavailable"),
            (ffi::SQLITE_CANTOPEN, "unavailable"),
            (ffi::SQLITE_CORRUPT, "corrupt"),
            (ffi::SQLITE_NOTADB, "corrupt"),
            (ffi::SQLITE_CONSTRAINT_CHECK, "corrupt"),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, "conflict"),
            (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "conflict"),
        ] {
            assert_eq!(kind(code), expected, "SQLite code {code}");
        }
    }
}
