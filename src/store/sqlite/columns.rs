//! Maps values of the domain to columns.
//!
//! SQLite counts in signed 64 bits. Larger values are clamped when they are written (a deadline in 292
//! million years serves as well as a later one), and a negative number read from the file means that it is
//! damaged.

use nostr_sdk::PublicKey;
use rusqlite::Result;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::store::{AuditKind, HandshakeKind, RelayChange, StreamId, UserId, WebSignInId};

macro_rules! id_column {
    ($($id:ty),+) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_bytes().as_slice()))
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(Self::from_bytes)
            }
        }
    )+};
}

id_column!(StreamId, UserId, WebSignInId);

impl ToSql for Timestamp {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(clamped(self.millis())))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        whole(value).map(Self::from_millis)
    }
}

impl ToSql for HandshakeKind {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Handshake => "handshake",
            Self::Login => "login",
        }))
    }
}

impl FromSql for HandshakeKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "handshake" => Ok(Self::Handshake),
            "login" => Ok(Self::Login),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl ToSql for RelayChange {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Added => "added",
            Self::Removed => "removed",
        }))
    }
}

impl FromSql for RelayChange {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "added" => Ok(Self::Added),
            "removed" => Ok(Self::Removed),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl ToSql for AuditKind {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for AuditKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::of_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A public key as its 32 bytes.
pub(super) struct Key(pub(super) PublicKey);

impl ToSql for Key {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_bytes().as_slice()))
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(PublicKey::from_byte_array(bytes)))
    }
}

/// An index in a stream, or a number of rows.
pub(super) struct Count(pub(super) u64);

impl ToSql for Count {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(clamped(self.0)))
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        whole(value).map(Self)
    }
}

/// A list that is only read as a whole, as JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn whole(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored<T: FromSql>(value: &dyn ToSql) -> Result<T> {
        rusqlite::Connection::open_in_memory()?.query_row("SELECT ?1", [value], |row| row.get(0))
    }

    #[test]
    fn every_kind_and_change_reads_back_as_it_was_written() {
        for kind in [HandshakeKind::Handshake, HandshakeKind::Login] {
            assert_eq!(stored::<HandshakeKind>(&kind).unwrap(), kind);
        }
        for change in [RelayChange::Added, RelayChange::Removed] {
            assert_eq!(stored::<RelayChange>(&change).unwrap(), change);
        }
        for kind in AuditKind::ALL {
            assert_eq!(stored::<AuditKind>(&kind).unwrap(), kind);
        }
    }

    #[test]
    fn a_moment_beyond_what_sqlite_can_count_is_clamped() {
        let last = Timestamp::from_millis(i64::MAX as u64);
        assert_eq!(stored::<Timestamp>(&last).unwrap(), last);
        assert_eq!(stored::<Timestamp>(&Timestamp::from_millis(u64::MAX)).unwrap(), last);
    }

    #[test]
    fn what_cannot_have_been_written_here_is_an_error() {
        assert!(stored::<Timestamp>(&-1).is_err());
        assert!(stored::<Key>(&[7_u8; 31].as_slice()).is_err());
        assert!(stored::<StreamId>(&"text").is_err());
        assert!(stored::<HandshakeKind>(&"payment").is_err());
        assert!(stored::<AuditKind>(&"payment").is_err());
        assert!(stored::<Json<Vec<String>>>(&"[1").is_err());
    }
}
