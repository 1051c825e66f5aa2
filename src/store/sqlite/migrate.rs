//! Migrates a file to the schema of this program, or rejects it and leaves it unchanged.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::shown;
use crate::store::{Result, StoreError};

/// Marks a file as ours in the SQLite header (`PRAGMA application_id`).
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Prtc");

/// Step `n` leads from schema version `n` to `n + 1`. Released steps never change; new ones are appended.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_webhooks.sql"),
    include_str!("../../../migrations/sqlite/0003_history.sql"),
    include_str!("../../../migrations/sqlite/0004_sessions.sql"),
    include_str!("../../../migrations/sqlite/0005_sign_ins.sql"),
    include_str!("../../../migrations/sqlite/0006_users_forgotten.sql"),
    include_str!("../../../migrations/sqlite/0007_clock.sql"),
    include_str!("../../../migrations/sqlite/0008_replays.sql"),
    include_str!("../../../migrations/sqlite/0009_api_tokens.sql"),
    include_str!("../../../migrations/sqlite/0010_web_sign_ins.sql"),
    include_str!("../../../migrations/sqlite/0011_signers_until.sql"),
];

/// The schema version of this program.
const KNOWN: u32 = STEPS.len() as u32;

/// Fails unless the file is new, or is a Portico database of a known version. Writes nothing.
///
/// # Errors
/// [`StoreError::Newer`] for a file of a later version; [`StoreError::Corrupt`] with `path` for one that is
/// not SQLite or belongs to another program.
pub(super) fn inspect(db: &Connection, path: &Path) -> Result<()> {
    let application: i32 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| name_foreign_file(error, path))?;
    if application != APPLICATION_ID && !is_blank(db)? {
        let text = format!("{} is the SQLite database of another program", shown::path(path));
        return Err(StoreError::Corrupt(text));
    }
    let found = version(db)?;
    if found > KNOWN { Err(StoreError::Newer { found, known: KNOWN }) } else { Ok(()) }
}

/// Runs the missing steps, each in its own transaction together with the version that it reaches.
pub(super) fn migrate(db: &mut Connection) -> Result<()> {
    let before = version(db)?;
    loop {
        // The version is read under the write lock: another process may be migrating the same file.
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&step)?;
        if found > KNOWN {
            return Err(StoreError::Newer { found, known: KNOWN });
        }
        let Some(sql) = STEPS.get(found as usize) else {
            match before {
                0 => tracing::debug!(version = found, "store schema created"),
                before if before < found => {
                    tracing::info!(before, version = found, "store schema migrated");
                }
                _ => {}
            }
            return Ok(());
        };
        step.execute_batch(sql)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", found + 1)?;
        step.commit()?;
        tracing::debug!(version = found + 1, "step of the store schema done");
    }
}

/// Rewrites an existing value, to test whether the file can be written.
pub(super) fn touch(db: &Connection) -> Result<()> {
    Ok(db.pragma_update(None, "user_version", version(db)?)?)
}

/// The schema version of a file; 0: a new file.
pub(super) fn version(db: &Connection) -> Result<u32> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn is_blank(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

fn name_foreign_file(error: rusqlite::Error, path: &Path) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::Corrupt(format!("{} is not an SQLite database", shown::path(path)))
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_gets_the_whole_schema_and_a_second_run_changes_nothing() {
        let mut db = Connection::open_in_memory().unwrap();
        inspect(&db, Path::new("new")).unwrap();
        migrate(&mut db).unwrap();
        let changes = db.total_changes();
        inspect(&db, Path::new("ours")).unwrap();
        migrate(&mut db).unwrap();
        assert_eq!(version(&db).unwrap(), KNOWN);
        assert_eq!(db.total_changes(), changes);
    }

    /// The moment of the upgrade, with everything that may be open then.
    #[test]
    fn wallets_keep_their_signers_and_a_scanned_login_goes_on_as_one() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", true).unwrap();
        db.execute_batch(&STEPS[..3].concat()).unwrap();
        db.pragma_update(None, "user_version", 3).unwrap();
        db.execute_batch(
            "INSERT INTO streams (id, created_at) VALUES (x'01', 1), (x'02', 1);
             INSERT INTO events VALUES (x'01', 1, 1, 'scanned');
             INSERT INTO challenges VALUES
                 ('scanned', x'01', x'aa', '[]', '[]', 0, 1, 1, 2, NULL),
                 ('asked', x'02', x'aa', '[]', '[]', 0, 1, 1, 2, NULL);
             INSERT INTO users VALUES (x'aa', '[]', 1, 1);
             INSERT INTO signers VALUES (x'bb', x'aa');
             INSERT INTO subkeys VALUES (x'aa', x'bb', '{}', 1);",
        )
        .unwrap();
        migrate(&mut db).unwrap();
        let count = |sql| db.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM signers JOIN wallets ON wallets.key = signers.user"), 1);
        assert_eq!(count("SELECT count(*) FROM users"), 0, "whoever logged in before sessions had none");
        assert_eq!(count("SELECT count(*) FROM challenges WHERE challenge = 'scanned' AND is_login"), 1);
        assert_eq!(count("SELECT count(*) FROM challenges WHERE challenge = 'asked' AND NOT is_login"), 1);
        db.execute("DELETE FROM signers", []).unwrap();
        db.execute("DELETE FROM wallets", []).unwrap();
        assert_eq!(count("SELECT count(*) FROM subkeys"), 0, "they still go with their wallet");
    }

    /// Earlier versions forgot the proof of a subkey that showed it with its answer only.
    #[test]
    fn a_subkey_that_logged_in_before_expires_with_its_proof_and_one_without_a_proof_must_log_in_again() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch(&STEPS[..9].concat()).unwrap();
        db.pragma_update(None, "user_version", 9).unwrap();
        db.execute_batch(
            r#"INSERT INTO wallets (key, last_seen) VALUES (x'aa', 1);
             INSERT INTO signers VALUES (x'aa', x'aa'), (x'b0', x'aa'), (x'b1', x'aa'), (x'b2', x'aa'), (x'b3', x'aa');
             INSERT INTO subkeys VALUES
                 (x'aa', x'b1', '{"metadata":{"expires_at":"1900000000"}}', 1),
                 (x'aa', x'b2', '{"metadata":{"expires_at":"18446744073709551615"}}', 1),
                 (x'aa', x'b3', 'not json', 1);"#,
        )
        .unwrap();
        migrate(&mut db).unwrap();
        let mut query = db.prepare("SELECT until FROM signers ORDER BY key").unwrap();
        let until = query.query_map([], |row| row.get::<_, Option<i64>>(0)).unwrap();
        let until: Vec<_> = until.map(|found| found.unwrap()).collect();
        assert_eq!(
            until,
            [None, Some(0), Some(1_900_000_000_000), Some(9_000_000_000_000_000), Some(0)],
            "a main key does not expire"
        );
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE revocations (taken)").unwrap();
        migrate(&mut db).unwrap_err();
        assert_eq!(version(&db).unwrap(), 0);
        let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
