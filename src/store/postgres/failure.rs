//! What a failed statement means: for the caller, for the transaction, for the connection.

use std::error::Error as _;
use std::fmt::Display;

use deadpool::managed::PoolError;
use tokio_postgres::Error;

use crate::store::StoreError;
use crate::tls::TlsFault;

/// The result inside a transaction or a read.
pub(super) type Outcome<T> = std::result::Result<T, Failure>;

/// Why a statement, a transaction or a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The answer for the caller.
    Final(StoreError),
    /// Another transaction was in the way. Nothing was done, and it can be run again.
    Again(String),
    /// The connection is of no use any more. A new one may be.
    Lost(String),
    /// The server has ended the connection, or cannot be written. So all connections to it are of no use.
    Gone(String),
}

impl Failure {
    /// A value in a row that this program does not write.
    pub(super) fn damaged(column: &dyn Display, error: &Error) -> Self {
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self::Final(StoreError::Corrupt(format!("column {column}: {why}")))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Final(error) => error,
            Failure::Again(why) | Failure::Lost(why) | Failure::Gone(why) => Self::Unavailable(why),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(told) = error.as_db_error() else { return Self::Gone(unanswered(&error)) };
        // Without the details of the server: they repeat values.
        let code = told.code().code();
        of_code(code, format!("{} (PostgreSQL error {code})", told.message()))
    }
}

impl From<PoolError<Self>> for Failure {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(failure) => failure,
            PoolError::Closed => Self::Final(super::closed()),
            PoolError::Timeout(_) => Self::Lost("PostgreSQL does not answer in time".into()),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Lost("the pool of connections does not work".into())
            }
        }
    }
}

/// By the classes of SQLSTATE (appendix A of PostgreSQL's manual).
fn of_code(code: &str, text: String) -> Failure {
    match code {
        "23505" => Failure::Final(StoreError::Conflict),
        // Serialization failure, deadlock.
        "40001" | "40P01" => Failure::Again(text),
        // A server that only reads, or that stops; no connection to it.
        "25006" | "57P01" | "57P02" | "57P03" => Failure::Gone(text),
        _ if code.starts_with("08") => Failure::Gone(text),
        // A statement that was prepared before the tables were migrated, or on another connection of a pooler.
        "0A000" | "26000" => Failure::Lost(text),
        // Not enough rights; a lock that is not free in time.
        "42501" | "55P03" => Failure::Lost(text),
        // No login, no such database; out of disk, memory or connections; stopped by an operator or a
        // time-out; an error of the system.
        _ if ["28", "3D", "53", "57", "58", "25", "40"].iter().any(|class| code.starts_with(class)) => {
            Failure::Lost(text)
        }
        // A missing table, a broken reference, a damaged page: not what this program left there.
        _ => Failure::Final(StoreError::Corrupt(text)),
    }
}

/// Why there was no answer from the server.
fn unanswered(error: &Error) -> String {
    if let Some(fault) = TlsFault::of(error) {
        return format!("PostgreSQL: {fault}");
    }
    let mut text = format!("PostgreSQL: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_what_will_not_is_corrupt_and_what_stood_in_the_way_is_run_again() {
        for (code, expected) in [
            ("23505", "conflict"),
            ("40001", "again"),
            ("40P01", "again"),
            ("40003", "lost"),
            ("08006", "gone"),
            ("25006", "gone"),
            ("28P01", "lost"),
            ("3D000", "lost"),
            ("42501", "lost"),
            ("53100", "lost"),
            ("53300", "lost"),
            ("55P03", "lost"),
            ("57014", "lost"),
            ("57P01", "gone"),
            ("57P03", "gone"),
            ("58030", "lost"),
            ("0A000", "lost"),
            ("22P02", "corrupt"),
            ("23503", "corrupt"),
            ("42P01", "corrupt"),
            ("XX001", "corrupt"),
        ] {
            let kind = match of_code(code, String::new()) {
                Failure::Final(StoreError::Conflict) => "conflict",
                Failure::Final(StoreError::Corrupt(_)) => "corrupt",
                Failure::Final(other) => panic!("{other}"),
                Failure::Again(_) => "again",
                Failure::Lost(_) => "lost",
                Failure::Gone(_) => "gone",
            };
            assert_eq!(kind, expected, "SQLSTATE {code}");
        }
    }
}
