//! Counts and claims, decided for all daemons: by an advisory lock of what is counted, or by a unique row.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use nostr_sdk::PublicKey;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::PostgresStore;
use super::columns::{Bytes, Count, Key};
use super::failure::Outcome;
use super::query::get;
use super::transaction::Transaction;
use super::witness::Witness;
use crate::clock::Timestamp;
use crate::store::{
    Claims, Novelty, PromptRules, Rate, Recovered, Result, ShownRequest, TooManyPrompts, Visit,
};

/// How many rows of old counts are deleted in one write.
const CHUNK: Count = Count(10_000);

/// A challenge that counts for a key.
struct Counted {
    key: PublicKey,
    asked_at: Timestamp,
    is_open: bool,
}

/// Waits for the others that count the same at this moment.
async fn lock(db: &Transaction<'_>, what: &[&[u8]]) -> Outcome<()> {
    let mut hash = Sha256::new();
    for part in what {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let first: [u8; 8] = std::array::from_fn(|at| hash[at]);
    db.all("SELECT pg_advisory_xact_lock($1)", &[&i64::from_be_bytes(first)]).await?;
    Ok(())
}

async fn claim_prompt(
    db: &Transaction<'_>,
    challenge: &str,
    keys: &[PublicKey],
    now: Timestamp,
    rules: &PromptRules,
) -> Outcome<Option<TooManyPrompts>> {
    // In one order, so that two that ask the same keys do not wait for each other.
    let sorted: BTreeSet<&PublicKey> = keys.iter().collect();
    for key in &sorted {
        lock(db, &[b"prompt", key.as_bytes()]).await?;
    }
    let columns: Vec<Key> = sorted.iter().map(|key| Key(**key)).collect();
    // A key that was asked while the clock was ahead does not wait until the clock is there again.
    db.run("UPDATE prompts SET asked_at = $2 WHERE key = ANY ($1) AND asked_at > $2", &[&columns, &now])
        .await?;
    let sql = "SELECT key, asked_at, is_open FROM prompts WHERE key = ANY ($1) ORDER BY asked_at";
    let counted = db.all(sql, &[&columns]).await?;
    let counted = counted.iter().map(read).collect::<Outcome<Vec<_>>>()?;
    let refused = keys.iter().find_map(|key| too_many(&counted, key, now, rules));
    if refused.is_none() {
        let sql = "INSERT INTO prompts (key, challenge, asked_at, is_open, matters)
            SELECT key, $2, $3, true, $4 FROM unnest($1::bytea[]) AS asked (key)";
        db.run(sql, &[&columns, &challenge, &now, &millis(rules.window.max(rules.ttl))]).await?;
    }
    Ok(refused)
}

/// Why this key must not be asked now; `counted` are in the order of their times.
fn too_many(
    counted: &[Counted],
    key: &PublicKey,
    now: Timestamp,
    rules: &PromptRules,
) -> Option<TooManyPrompts> {
    let since = |start: Timestamp| counted.iter().filter(move |one| one.key == *key && one.asked_at > start);
    let in_window = || since(now.minus(rules.window));
    if in_window().count() >= rules.max_in_window {
        let oldest = in_window().next().map_or(now, |oldest| oldest.asked_at);
        return Some(TooManyPrompts::InWindow(oldest.plus(rules.window).since(now)));
    }
    let open = || since(now.minus(rules.ttl)).filter(|one| one.is_open);
    if open().count() >= rules.max_open {
        let oldest = open().next().map_or(now, |oldest| oldest.asked_at);
        return Some(TooManyPrompts::Open(oldest.plus(rules.ttl).since(now)));
    }
    None
}

fn read(row: &Row) -> Outcome<Counted> {
    let Key(key) = get(row, "key")?;
    Ok(Counted { key, asked_at: get(row, "asked_at")?, is_open: get(row, "is_open")? })
}

fn columns(keys: &[PublicKey]) -> Vec<Key> {
    keys.iter().map(|key| Key(*key)).collect()
}

async fn end_prompt(db: &Transaction<'_>, challenge: &str, keys: &[PublicKey]) -> Outcome<()> {
    let sql = "UPDATE prompts SET is_open = false WHERE challenge = $1 AND key = ANY ($2)";
    db.run(sql, &[&challenge, &columns(keys)]).await?;
    Ok(())
}

async fn withdraw_prompt(db: &Transaction<'_>, challenge: &str, keys: &[PublicKey]) -> Outcome<()> {
    let sql = "DELETE FROM prompts WHERE challenge = $1 AND key = ANY ($2)";
    db.run(sql, &[&challenge, &columns(keys)]).await?;
    Ok(())
}

/// The counts are there, unless the server has crashed: then the challenges tell.
async fn recall_prompts(db: &Transaction<'_>, rules: &PromptRules) -> Outcome<()> {
    let sql = "INSERT INTO prompts (key, challenge, asked_at, is_open, matters)
        SELECT user_key, challenge, created_at, closed_at IS NULL, $1 FROM challenges
        WHERE created_at > (SELECT max(created_at) FROM challenges) - $1
        ON CONFLICT DO NOTHING";
    db.run(sql, &[&millis(rules.window.max(rules.ttl))]).await?;
    Ok(())
}

async fn claim_visit(
    db: &Transaction<'_>,
    visit: &str,
    (provider, wallet_id): (&str, &str),
    now: Timestamp,
    rate: Rate,
) -> Outcome<Option<Duration>> {
    lock(db, &[b"visit", visit.as_bytes(), provider.as_bytes(), wallet_id.as_bytes()]).await?;
    // A wallet that came while the clock was ahead does not wait until the clock is there again.
    let sql = "UPDATE visits SET at = $4 WHERE visit = $1 AND provider = $2 AND wallet_id = $3 AND at > $4";
    db.run(sql, &[&visit, &provider, &wallet_id, &now]).await?;
    let sql = "SELECT count(*) AS count, min(at) AS oldest FROM visits
        WHERE visit = $1 AND provider = $2 AND wallet_id = $3 AND at > $4";
    let counted = db.first(sql, &[&visit, &provider, &wallet_id, &now.minus(rate.window)]).await?;
    if let Some(row) = counted {
        let (Count(count), oldest): (_, Option<Timestamp>) = (get(&row, "count")?, get(&row, "oldest")?);
        if count >= rate.most as u64 {
            return Ok(Some(oldest.unwrap_or(now).plus(rate.window).since(now)));
        }
    }
    let sql = "INSERT INTO visits (visit, provider, wallet_id, at, matters) VALUES ($1, $2, $3, $4, $5)";
    db.run(sql, &[&visit, &provider, &wallet_id, &now, &millis(rate.window)]).await?;
    Ok(None)
}

async fn claim_request(
    db: &Transaction<'_>,
    shown: &ShownRequest,
    now: Timestamp,
    settled: Timestamp,
    keep: Duration,
) -> Outcome<Novelty> {
    // It is kept for longer than twice the time that it is valid for. If half of that has certainly passed since it was
    // signed, its row may have been deleted, and only a clock that went back lets it look valid.
    if shown.signed_at.plus(keep / 2) <= settled {
        return Ok(Novelty::Known);
    }
    let sql = "INSERT INTO replays (digest, expires_at, done_by) VALUES ($1, $2, $3)
        ON CONFLICT (digest) DO NOTHING";
    let added = db.run(sql, &[&Bytes(shown.id), &now.plus(keep), &db.done_by()]).await?;
    db.note(Witness::Replay(shown.id));
    Ok(if added > 0 { Novelty::NewToAll } else { Novelty::Known })
}

/// Deletes a chunk of each kind; returns the number of rows.
async fn tidy(db: &Transaction<'_>, now: Timestamp) -> Outcome<u64> {
    let prompts = "DELETE FROM prompts WHERE (key, challenge) IN
        (SELECT key, challenge FROM prompts WHERE asked_at + matters <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let visits = "DELETE FROM visits WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM visits WHERE at + matters <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    Ok(db.run(prompts, &[&now, &CHUNK]).await? + db.run(visits, &[&now, &CHUNK]).await?)
}

const fn word(visit: Visit) -> &'static str {
    match visit {
        Visit::Login => "login",
        Visit::Refresh => "refresh",
    }
}

fn millis(duration: Duration) -> Count {
    Count(duration.as_millis() as u64)
}

#[async_trait]
impl Claims for PostgresStore {
    async fn claim_prompt(
        &self,
        challenge: &str,
        keys: &[PublicKey],
        now: Timestamp,
        rules: &PromptRules,
    ) -> Result<Option<TooManyPrompts>> {
        let asked = (challenge.to_owned(), keys.to_vec(), *rules);
        self.writer
            .write(asked, move |db, (challenge, keys, rules)| {
                claim_prompt(db, challenge, keys, now, rules).boxed()
            })
            .await
    }

    async fn end_prompt(&self, challenge: &str, keys: &[PublicKey]) {
        let asked = (challenge.to_owned(), keys.to_vec());
        let ended =
            self.writer.write(asked, |db, (challenge, keys)| end_prompt(db, challenge, keys).boxed()).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "a challenge that ended counts as open until its time has passed");
        }
    }

    async fn withdraw_prompt(&self, challenge: &str, keys: &[PublicKey]) {
        let asked = (challenge.to_owned(), keys.to_vec());
        let withdrawn = self
            .writer
            .write(asked, |db, (challenge, keys)| withdraw_prompt(db, challenge, keys).boxed())
            .await;
        if let Err(error) = withdrawn {
            tracing::debug!(%error, "a challenge that was not sent counts until its time has passed");
        }
    }

    async fn recall_prompts(&self, _recovered: &Recovered, rules: &PromptRules) -> Result<()> {
        self.writer.write(*rules, |db, rules| recall_prompts(db, rules).boxed()).await
    }

    async fn claim_visit(
        &self,
        visit: Visit,
        wallet: (&str, &str),
        now: Timestamp,
        rate: Rate,
    ) -> Result<Option<Duration>> {
        let asked = (wallet.0.to_owned(), wallet.1.to_owned());
        self.writer
            .write(asked, move |db, (provider, wallet_id)| {
                claim_visit(db, word(visit), (provider, wallet_id), now, rate).boxed()
            })
            .await
    }

    async fn claim_request(
        &self,
        shown: &ShownRequest,
        now: Timestamp,
        settled: Timestamp,
        keep: Duration,
    ) -> Result<Novelty> {
        self.writer.write(*shown, move |db, shown| claim_request(db, shown, now, settled, keep).boxed()).await
    }

    async fn tidy_claims(&self, now: Timestamp) -> Result<()> {
        while self.writer.write((), move |db, ()| tidy(db, now).boxed()).await? > 0 {}
        Ok(())
    }
}
