//! [`Logins`], built on the files for each table: handshakes, scans and challenges.

use async_trait::async_trait;

use super::{SqliteStore, challenges, handshakes, scans};
use crate::clock::Timestamp;
use crate::store::{
    Approval, Begun, Challenge, Envelope, EventDraft, Handshake, Logins, Recovered, Result, Scan,
    StoredEvent, StreamId,
};

#[async_trait]
impl Logins for SqliteStore {
    async fn open_handshake(&self, handshake: &Handshake) -> Result<()> {
        let handshake = handshake.clone();
        self.writer.write(move |db| handshakes::open(db, &handshake)).await
    }

    async fn record_scan(&self, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>> {
        let scan = scan.clone();
        self.writer.write(move |db| scans::record(db, &scan)).await
    }

    async fn open_challenge(&self, challenge: &Challenge) -> Result<()> {
        let challenge = challenge.clone();
        self.writer.write(move |db| challenges::open(db, &challenge)).await
    }

    async fn put_envelope(&self, challenge: &str, envelope: &Envelope, renewals: u8) -> Result<bool> {
        let (challenge, envelope) = (challenge.to_owned(), envelope.clone());
        self.writer.write(move |db| challenges::put_envelope(db, &challenge, &envelope, renewals)).await
    }

    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>> {
        let (challenge, outcome, approval) = (challenge.to_owned(), outcome.clone(), approval.cloned());
        self.writer.write(move |db| challenges::close(db, &challenge, &outcome, approval.as_ref())).await
    }

    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered> {
        self.readers
            .read(move |db| {
                Ok(Recovered {
                    handshakes: handshakes::all_open(db)?,
                    challenges: challenges::all_open(db)?,
                    asked: challenges::asked_since(db, asked_since)?,
                })
            })
            .await
    }
}
