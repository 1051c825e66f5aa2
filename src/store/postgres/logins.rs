//! [`Logins`], built on the files for each table: handshakes, scans and challenges.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::{PostgresStore, challenges, handshakes, scans};
use crate::clock::Timestamp;
use crate::store::{
    Approval, Begun, Challenge, Envelope, EventDraft, Handshake, Logins, Recovered, Result, Scan,
    StoredEvent, StreamId,
};

#[async_trait]
impl Logins for PostgresStore {
    async fn open_handshake(&self, handshake: &Handshake) -> Result<()> {
        self.writer.write(handshake.clone(), |db, handshake| handshakes::open(db, handshake).boxed()).await
    }

    async fn record_scan(&self, scan: &Scan) -> Result<Option<Vec<(StreamId, StoredEvent)>>> {
        self.writer.write(scan.clone(), |db, scan| scans::record(db, scan).boxed()).await
    }

    async fn open_challenge(&self, challenge: &Challenge) -> Result<()> {
        self.writer.write(challenge.clone(), |db, challenge| challenges::open(db, challenge).boxed()).await
    }

    async fn put_envelope(&self, challenge: &str, envelope: &Envelope, renewals: u8) -> Result<bool> {
        let asked = (challenge.to_owned(), envelope.clone());
        self.writer
            .write(asked, move |db, (challenge, envelope)| {
                challenges::put_envelope(db, challenge, envelope, renewals).boxed()
            })
            .await
    }

    async fn close_challenge(
        &self,
        challenge: &str,
        outcome: &EventDraft,
        approval: Option<&Approval>,
    ) -> Result<Option<(StoredEvent, Option<Begun>)>> {
        let asked = (challenge.to_owned(), outcome.clone(), approval.cloned());
        self.writer
            .write(asked, |db, (challenge, outcome, approval)| {
                challenges::close(db, challenge, outcome, approval.as_ref()).boxed()
            })
            .await
    }

    async fn recover(&self, asked_since: Timestamp) -> Result<Recovered> {
        let read = self.readers.snapshot(|db| {
            let recovered = async move {
                Ok(Recovered {
                    handshakes: handshakes::all_open(db).await?,
                    challenges: challenges::all_open(db).await?,
                    asked: challenges::asked_since(db, asked_since).await?,
                })
            };
            recovered.boxed()
        });
        Ok(read.await?)
    }
}
