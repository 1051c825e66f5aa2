//! Sign-ins on the page for web apps.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::PostgresStore;
use super::columns::{Bytes, Small};
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::witness::Witness;
use crate::clock::Timestamp;
use crate::store::{Result, SecretDigest, StreamId, TakenCode, WebSignIn, WebSignInId, WebSignIns};

/// Deletes more than are added, so that old ones do not pile up.
const FORGOTTEN: &str = "DELETE FROM web_sign_ins WHERE id = ANY (ARRAY
    (SELECT id FROM web_sign_ins WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))";

const OF_ID: &str =
    "SELECT id, browser, app, return_url, state, language, stream, url, shown_until, renewals,
    expires_at, code_used FROM web_sign_ins WHERE id = $1";

/// Locked, so that of several who show a code at once one gets it.
const OF_CODE: &str =
    "SELECT id, browser, app, return_url, state, language, stream, url, shown_until, renewals,
    expires_at, code_expires_at, code_used FROM web_sign_ins WHERE code = $1 FOR UPDATE";

async fn open(db: &Transaction<'_>, sign_in: &WebSignIn, forgotten: Timestamp) -> Outcome<()> {
    db.run(FORGOTTEN, &[&forgotten]).await?;
    let sql =
        "INSERT INTO web_sign_ins (id, browser, app, return_url, state, language, stream, url, shown_until,
        renewals, expires_at, done_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    db.run(
        sql,
        &[
            &sign_in.id,
            &Bytes(sign_in.browser),
            &sign_in.app,
            &sign_in.return_url,
            &sign_in.state,
            &sign_in.language,
            &sign_in.stream,
            &sign_in.url,
            &sign_in.shown_until,
            &Small(sign_in.renewals),
            &sign_in.expires_at,
            &db.done_by(),
        ],
    )
    .await?;
    db.note(Witness::WebSignIn(sign_in.id));
    Ok(())
}

fn read(row: &Row) -> Outcome<WebSignIn> {
    let (Bytes(browser), Small(renewals)) = (get(row, "browser")?, get(row, "renewals")?);
    Ok(WebSignIn {
        id: get(row, "id")?,
        browser,
        app: get(row, "app")?,
        return_url: get(row, "return_url")?,
        state: get(row, "state")?,
        language: get(row, "language")?,
        stream: get(row, "stream")?,
        url: get(row, "url")?,
        shown_until: get(row, "shown_until")?,
        renewals,
        expires_at: get(row, "expires_at")?,
    })
}

async fn renew(db: &Transaction<'_>, renewed: &WebSignIn, instead_of: StreamId) -> Outcome<bool> {
    let sql =
        "UPDATE web_sign_ins SET stream = $3, url = $4, shown_until = $5, renewals = $6, expires_at = $7,
        done_by = $8 WHERE id = $1 AND stream = $2";
    let changed = db
        .run(
            sql,
            &[
                &renewed.id,
                &instead_of,
                &renewed.stream,
                &renewed.url,
                &renewed.shown_until,
                &Small(renewed.renewals),
                &renewed.expires_at,
                &db.done_by(),
            ],
        )
        .await?;
    db.note(Witness::WebSignIn(renewed.id));
    Ok(changed > 0)
}

async fn offer(
    db: &Transaction<'_>,
    id: WebSignInId,
    code: &SecretDigest,
    expires_at: Timestamp,
) -> Outcome<bool> {
    let sql = "UPDATE web_sign_ins SET code = $2, code_expires_at = $3, done_by = $4
        WHERE id = $1 AND NOT code_used";
    let changed = db.run(sql, &[&id, &Bytes(*code), &expires_at, &db.done_by()]).await?;
    db.note(Witness::WebSignIn(id));
    Ok(changed > 0)
}

async fn take(db: &Transaction<'_>, code: &SecretDigest, app: &str, now: Timestamp) -> Outcome<TakenCode> {
    let Some(row) = db.first(OF_CODE, &[&Bytes(*code)]).await? else { return Ok(TakenCode::Unknown) };
    if get(&row, "code_used")? {
        return Ok(TakenCode::Used);
    }
    let (sign_in, expires_at): (WebSignIn, Timestamp) = (read(&row)?, get(&row, "code_expires_at")?);
    let sql = "UPDATE web_sign_ins SET code_used = true, done_by = $2 WHERE id = $1";
    db.run(sql, &[&sign_in.id, &db.done_by()]).await?;
    db.note(Witness::WebSignIn(sign_in.id));
    Ok(TakenCode::of(sign_in, expires_at, app, now))
}

#[async_trait]
impl WebSignIns for PostgresStore {
    async fn open_web_sign_in(&self, sign_in: &WebSignIn, forgotten: Timestamp) -> Result<()> {
        self.writer.write(sign_in.clone(), move |db, sign_in| open(db, sign_in, forgotten).boxed()).await
    }

    async fn web_sign_in(&self, id: WebSignInId) -> Result<Option<(WebSignIn, bool)>> {
        let Some(row) = self.readers.first(OF_ID, &[&id]).await? else { return Ok(None) };
        Ok(Some((read(&row)?, get(&row, "code_used")?)))
    }

    async fn renew_web_sign_in(&self, renewed: &WebSignIn, instead_of: StreamId) -> Result<bool> {
        self.writer.write(renewed.clone(), move |db, renewed| renew(db, renewed, instead_of).boxed()).await
    }

    async fn offer_web_code(
        &self,
        id: WebSignInId,
        code: &SecretDigest,
        expires_at: Timestamp,
    ) -> Result<bool> {
        self.writer.write(*code, move |db, code| offer(db, id, code, expires_at).boxed()).await
    }

    async fn take_web_code(&self, code: &SecretDigest, app: &str, now: Timestamp) -> Result<TakenCode> {
        let asked = (*code, app.to_owned());
        self.writer.write(asked, move |db, (code, app)| take(db, code, app, now).boxed()).await
    }
}
