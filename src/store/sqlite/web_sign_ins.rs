//! Sign-ins on the page for web apps.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::store::{Result, SecretDigest, StreamId, TakenCode, WebSignIn, WebSignInId, WebSignIns};

/// Deletes more than are added, so that old ones do not pile up.
const FORGOTTEN: &str = "DELETE FROM web_sign_ins WHERE id IN
    (SELECT id FROM web_sign_ins WHERE expires_at < ?1 ORDER BY expires_at LIMIT 100)";

const COLUMNS: &str =
    "id, browser, app, return_url, state, language, stream, url, shown_until, renewals, expires_at,
    code_expires_at, code_used";

fn open(db: &Connection, sign_in: &WebSignIn, forgotten: Timestamp) -> Result<()> {
    db.prepare_cached(FORGOTTEN)?.execute([forgotten])?;
    db.prepare_cached(
        "INSERT INTO web_sign_ins
         (id, browser, app, return_url, state, language, stream, url, shown_until, renewals, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        sign_in.id,
        sign_in.browser,
        sign_in.app,
        sign_in.return_url,
        sign_in.state,
        sign_in.language,
        sign_in.stream,
        sign_in.url,
        sign_in.shown_until,
        sign_in.renewals,
        sign_in.expires_at,
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<WebSignIn> {
    Ok(WebSignIn {
        id: row.get("id")?,
        browser: row.get("browser")?,
        app: row.get("app")?,
        return_url: row.get("return_url")?,
        state: row.get("state")?,
        language: row.get("language")?,
        stream: row.get("stream")?,
        url: row.get("url")?,
        shown_until: row.get("shown_until")?,
        renewals: row.get("renewals")?,
        expires_at: row.get("expires_at")?,
    })
}

fn find(db: &Connection, id: WebSignInId) -> Result<Option<(WebSignIn, bool)>> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM web_sign_ins WHERE id = ?1"))?;
    Ok(query.query_row([id], |row| Ok((read(row)?, row.get("code_used")?))).optional()?)
}

fn renew(db: &Connection, renewed: &WebSignIn, instead_of: StreamId) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE web_sign_ins SET stream = ?3, url = ?4, shown_until = ?5, renewals = ?6, expires_at = ?7
             WHERE id = ?1 AND stream = ?2",
        )?
        .execute(params![
            renewed.id,
            instead_of,
            renewed.stream,
            renewed.url,
            renewed.shown_until,
            renewed.renewals,
            renewed.expires_at,
        ])?;
    Ok(changed > 0)
}

fn offer(db: &Connection, id: WebSignInId, code: &SecretDigest, expires_at: Timestamp) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE web_sign_ins SET code = ?2, code_expires_at = ?3 WHERE id = ?1 AND code_used = 0",
        )?
        .execute(params![id, code, expires_at])?;
    Ok(changed > 0)
}

fn take(db: &Connection, code: &SecretDigest, app: &str, now: Timestamp) -> Result<TakenCode> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM web_sign_ins WHERE code = ?1"))?;
    let found = query.query_row([code], |row| {
        Ok((read(row)?, row.get::<_, Timestamp>("code_expires_at")?, row.get::<_, bool>("code_used")?))
    });
    let Some((sign_in, expires_at, is_used)) = found.optional()? else { return Ok(TakenCode::Unknown) };
    if is_used {
        return Ok(TakenCode::Used);
    }
    db.prepare_cached("UPDATE web_sign_ins SET code_used = 1 WHERE id = ?1")?.execute([sign_in.id])?;
    Ok(TakenCode::of(sign_in, expires_at, app, now))
}

#[async_trait]
impl WebSignIns for SqliteStore {
    async fn open_web_sign_in(&self, sign_in: &WebSignIn, forgotten: Timestamp) -> Result<()> {
        let sign_in = sign_in.clone();
        self.writer.write(move |db| open(db, &sign_in, forgotten)).await
    }

    async fn web_sign_in(&self, id: WebSignInId) -> Result<Option<(WebSignIn, bool)>> {
        self.readers.read(move |db| find(db, id)).await
    }

    async fn renew_web_sign_in(&self, renewed: &WebSignIn, instead_of: StreamId) -> Result<bool> {
        let renewed = renewed.clone();
        self.writer.write(move |db| renew(db, &renewed, instead_of)).await
    }

    async fn offer_web_code(
        &self,
        id: WebSignInId,
        code: &SecretDigest,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let code = *code;
        self.writer.write(move |db| offer(db, id, &code, expires_at)).await
    }

    async fn take_web_code(&self, code: &SecretDigest, app: &str, now: Timestamp) -> Result<TakenCode> {
        let (code, app) = (*code, app.to_owned());
        self.writer.write(move |db| take(db, &code, &app, now)).await
    }
}
