//! Writes: each is one transaction on a connection of its own, and goes on to its end even if its caller has gone.
//!
//! PostgreSQL shares an fsync among the transactions that commit at the same moment, so there is no queue here. If the
//! answer to a COMMIT is lost, the writer waits until the transaction has ended on the server, and then looks for a row
//! that it would have added (`witness.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::columns::Random;
use super::connect::{Backend, Connections, Connector};
use super::failure::{Failure, Outcome};
use super::query::Db;
use super::transaction::Transaction;
use super::witness::Witness;
use super::{PostgresOptions, closed};
use crate::metrics::Metrics;
use crate::store::{Result, StoreError};

/// How often a transaction is run that others stopped, such as by a deadlock.
const MOST_RUNS: u32 = 10;

/// How many connections are tried in a row.
const MOST_CONNECTIONS: u32 = 3;

/// The longest pause before it is run again.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a write waits for those before it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often to ask whether a transaction has ended.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The transactions that write.
pub(super) struct Writer {
    slots: Arc<Semaphore>,
    size: u32,
    inner: Arc<Inner>,
}

struct Inner {
    pool: Connections,
    connector: Arc<Connector>,
    patience: Duration,
    owes_deliveries: bool,
    metrics: Arc<Metrics>,
}

/// How a run of a transaction ended.
enum Run<T> {
    /// The server has answered, and this holds.
    Settled(Result<T>),
    /// Nothing was stored.
    Failed(Failure),
    /// The answer to the commit was lost.
    Unknown(T, Unanswered),
}

/// A commit without an answer.
struct Unanswered {
    backend: Backend,
    witness: Option<(Witness, Random)>,
}

impl Writer {
    /// At most `options.writers` transactions at the same time; further callers wait.
    pub(super) fn new(connector: &Arc<Connector>, options: &PostgresOptions) -> Result<Self> {
        let size = options.writers.max(1);
        let inner = Inner {
            pool: connector.pool(size)?,
            connector: Arc::clone(connector),
            patience: options.patience,
            owes_deliveries: options.owes_deliveries,
            metrics: Arc::clone(&options.metrics),
        };
        Ok(Self { slots: Arc::new(Semaphore::new(size.into())), size: size.into(), inner: Arc::new(inner) })
    }

    /// Runs `work` on `asked` in a transaction, and returns when it is on disk. If `work` fails, its changes are undone.
    /// `work` may run, be undone, and run again.
    pub(super) async fn write<A, T>(
        &self,
        asked: A,
        work: impl for<'a> Fn(&'a Transaction<'_>, &'a A) -> BoxFuture<'a, Outcome<T>> + Send + Sync + 'static,
    ) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let slot = timeout(LONGEST_WAIT, Arc::clone(&self.slots).acquire_owned()).await;
        let busy = |_| StoreError::Unavailable("too many writes wait for PostgreSQL".into());
        let slot = slot.map_err(busy)?.map_err(|_| closed())?;
        let inner = Arc::clone(&self.inner);
        let writing = tokio::spawn(async move {
            let answer = inner.perform(&asked, &work).await;
            drop(slot);
            answer
        });
        writing.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write was abandoned".into())))
    }

    /// Waits for accepted writes, rejects later ones, closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.slots.acquire_many(self.size).await {
            self.slots.close();
            drop(all);
            self.inner.pool.close();
        }
    }
}

impl Inner {
    async fn perform<A, T>(
        &self,
        asked: &A,
        work: &(impl for<'a> Fn(&'a Transaction<'_>, &'a A) -> BoxFuture<'a, Outcome<T>> + Sync),
    ) -> Result<T> {
        let started = Instant::now();
        let mut runs = 0;
        let answer = loop {
            runs += 1;
            let failure = match self.run(asked, work).await {
                Run::Settled(answer) => break answer,
                Run::Failed(failure) => failure,
                Run::Unknown(answer, commit) => match self.was_stored(&commit).await {
                    Ok(true) => break Ok(answer),
                    // It was stopped, as others stop it.
                    Ok(false) => Failure::Again("the connection to PostgreSQL was lost".into()),
                    Err(failure) => break Err(unknown(failure)),
                },
            };
            if !self.may_run_again(&failure, runs, started) {
                break Err(failure.into());
            }
            sleep(pause(runs)).await;
        };
        // A conflict is an answer, too.
        let committed = !matches!(answer, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_)));
        self.metrics.store.transacted(1, started.elapsed(), committed);
        answer
    }

    fn may_run_again(&self, failure: &Failure, runs: u32, started: Instant) -> bool {
        match failure {
            Failure::Final(_) => false,
            Failure::Again(_) => runs < MOST_RUNS,
            // A connection that has rested may have been lost in the meantime, so others are tried.
            Failure::Lost(_) | Failure::Gone(_) => {
                runs < MOST_CONNECTIONS && started.elapsed() < self.patience
            }
        }
    }

    async fn run<A, T>(
        &self,
        asked: &A,
        work: &(impl for<'a> Fn(&'a Transaction<'_>, &'a A) -> BoxFuture<'a, Outcome<T>> + Sync),
    ) -> Run<T> {
        let mut pooled = match self.pool.get().await {
            Ok(pooled) => pooled,
            Err(error) => return Run::Failed(error.into()),
        };
        let backend = pooled.backend.clone();
        let begun = timeout(self.patience, pooled.client.transaction()).await;
        let run = match begun.map_or_else(|_| Err(late()), |begun| begun.map_err(Failure::from)) {
            Ok(begun) => {
                let transaction = Transaction::on(begun, self.owes_deliveries);
                let done =
                    timeout(self.patience, work(&transaction, asked)).await.unwrap_or_else(|_| Err(late()));
                match done {
                    Ok(answer) if transaction.is_undone() => Run::Settled(Ok(answer)),
                    Ok(answer) => self.commit(transaction, answer, backend).await,
                    Err(failure) => Run::Failed(failure),
                }
            }
            Err(failure) => Run::Failed(failure),
        };
        // A connection that ended during a commit did not end alone, either.
        if matches!(run, Run::Failed(Failure::Gone(_)) | Run::Unknown(..)) {
            self.connector.distrust();
        }
        if matches!(run, Run::Failed(Failure::Lost(_) | Failure::Gone(_)) | Run::Unknown(..)) {
            drop(Object::take(pooled));
        }
        run
    }

    async fn commit<T>(&self, transaction: Transaction<'_>, answer: T, backend: Backend) -> Run<T> {
        let (transaction, witness) = transaction.into_parts();
        let committed = timeout(self.patience, transaction.commit()).await;
        match committed.map_or_else(|_| Err(late()), |committed| committed.map_err(Failure::from)) {
            Ok(()) => Run::Settled(Ok(answer)),
            Err(Failure::Lost(_) | Failure::Gone(_)) => Run::Unknown(answer, Unanswered { backend, witness }),
            Err(failure) => Run::Failed(failure),
        }
    }

    /// Whether a transaction was stored. If it adds no row that tells so, it may run twice, and this is `false`. Keeps
    /// asking while the server restarts.
    async fn was_stored(&self, commit: &Unanswered) -> Outcome<bool> {
        let started = Instant::now();
        loop {
            let asked = timeout(self.connector.patience(), self.ask(commit)).await;
            match asked.unwrap_or_else(|_| Err(late())) {
                Err(Failure::Lost(_) | Failure::Gone(_)) if started.elapsed() < 2 * self.patience => {
                    sleep(LONGEST_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Waits until the transaction has ended: before that, nobody can know.
    async fn ask(&self, commit: &Unanswered) -> Outcome<bool> {
        let pooled = self.pool.get().await?;
        let db = Db::on(&pooled.client);
        while goes_on(&commit.backend, db).await? {
            sleep(ASK_EVERY).await;
        }
        match commit.witness {
            Some((witness, done_by)) => witness.tells_of(done_by, db).await,
            None => Ok(false),
        }
    }
}

/// Whether the server still works for a connection that was lost. One that only waits for the next statement is ended.
async fn goes_on(backend: &Backend, db: Db<'_>) -> Outcome<bool> {
    let sql = "SELECT CASE WHEN state LIKE 'idle%' THEN pg_terminate_backend(pid) END
        FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
    Ok(db.first(sql, &[&backend.pid, &backend.began]).await?.is_some())
}

fn unknown(failure: Failure) -> StoreError {
    let why = StoreError::from(failure);
    StoreError::Unavailable(format!(
        "a write was sent, and it is not known whether PostgreSQL stored it: {why}"
    ))
}

fn late() -> Failure {
    Failure::Lost("PostgreSQL does not answer in time".into())
}

/// Longer each time, and not the same for all who were in each other's way.
fn pause(runs: u32) -> Duration {
    let longest = Duration::from_millis(5).saturating_mul(1 << runs.min(5)).min(LONGEST_PAUSE);
    longest.mul_f64(rand::random::<f64>())
}
