//! Who did what. What changes something is recorded with the change itself; refusals go a way of their own, so
//! that nobody waits for the disk because somebody else was refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::{Reason, Result, Sessions};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Limit, Metrics};
use crate::store::{Accounts, AuditDraft, AuditFilter, AuditKind, AuditRecord};

/// Refusals that the audit tells of, a minute, and mismatches of tokens that hold by themselves: nobody hides those
/// behind a flood of garbage. Beyond, they are counted in the metrics alone: whoever wants to fill the disk has to
/// be let in.
const REFUSALS_A_MINUTE: u64 = 1_000;

/// Refusals that wait for the store: all that come in a minute.
const WAITING: usize = 2 * REFUSALS_A_MINUTE as usize;

/// What the audit says of a refusal.
pub(super) fn refusal(
    actor: &Actor,
    kind: AuditKind,
    provider: &str,
    reason: &Reason,
    at: Timestamp,
) -> AuditDraft {
    let draft = AuditDraft {
        provider: Some(provider.to_owned()),
        reason: Some(reason.code().to_owned()),
        ..actor.did(kind, at)
    };
    match reason {
        // Both verified, so that it is known whose token met whose wallet.
        Reason::SessionMismatch(met) => AuditDraft {
            user: met.user,
            session: met.session,
            provider: Some(met.provider.clone()),
            wallet_id: Some(met.wallet_id.clone()),
            ..draft
        },
        _ => draft,
    }
}

/// Part of the audit.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The records, the latest first.
    pub records: Vec<AuditRecord>,
    /// The number to go on before, if there are more.
    pub next: Option<u64>,
}

impl Sessions {
    /// At most `limit` audit records from before number `before`, the latest first.
    pub async fn audit(&self, filter: &AuditFilter, before: Option<u64>, limit: usize) -> Result<AuditPage> {
        let mut records = self.book.accounts.audit(filter, before, limit + 1).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|record| record.number);
        Ok(AuditPage { records, next })
    }
}

/// Refusals on their way to the store.
#[derive(Debug)]
pub(super) struct Trail {
    sender: mpsc::Sender<AuditDraft>,
    refusals: Arc<Budget>,
    mismatches: Budget,
    metrics: Arc<Metrics>,
}

/// How many came in a minute.
#[derive(Debug, Default)]
pub(super) struct Budget {
    minute: AtomicU64,
    came: AtomicU64,
}

impl Budget {
    /// Whether there is room for one more.
    pub(super) fn take(&self, at: Timestamp) -> bool {
        let minute = at.secs() / 60;
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.came.store(0, Ordering::Relaxed);
        }
        self.came.fetch_add(1, Ordering::Relaxed) < REFUSALS_A_MINUTE
    }
}

impl Trail {
    /// `refusals`: how many the audit has room for, by whatever way they come.
    pub(super) fn start(
        accounts: Arc<dyn Accounts>,
        refusals: Arc<Budget>,
        metrics: Arc<Metrics>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        lifecycle.spawn(write(receiver, accounts, lifecycle.clone()));
        Self { sender, refusals, mismatches: Budget::default(), metrics }
    }

    pub(super) fn add(&self, draft: AuditDraft) {
        let budget = match draft.kind {
            AuditKind::SessionMismatch => &self.mismatches,
            _ => &*self.refusals,
        };
        if !budget.take(draft.at) || self.sender.try_send(draft).is_err() {
            self.metrics.limits.reached(Limit::AuditedRefusals);
        }
    }
}

/// Writes what comes, many at a time, until the daemon stops and nothing is left.
async fn write(mut receiver: mpsc::Receiver<AuditDraft>, accounts: Arc<dyn Accounts>, lifecycle: Lifecycle) {
    let mut records = Vec::new();
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            count = receiver.recv_many(&mut records, WAITING) => if count == 0 { return },
            () = lifecycle.stopping(), if !stopping => {
                stopping = true;
                receiver.close();
                continue;
            }
        }
        if let Err(error) = accounts.record_audit(&records).await {
            tracing::warn!(%error, records = records.len(), "refusals are missing in the audit");
        }
        records.clear();
    }
}
