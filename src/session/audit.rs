//! The audit: who did what. A change and its record are stored in one transaction. Refusals are recorded separately,
//! so that no caller waits for the disk because another caller was refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::sync::mpsc;

use super::{Reason, Result, Sessions};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::lifecycle::Lifecycle;
use crate::metrics::{Limit, Metrics};
use crate::store::{Accounts, AuditDraft, AuditFilter, AuditKind, AuditRecord};

/// The bound on audited refusals in a minute, and a second one of the same size for mismatches of two valid tokens,
/// so that a flood of garbage cannot hide them. Further refusals are only counted in the metrics: a stranger cannot
/// fill the disk.
const REFUSALS_A_MINUTE: u64 = 1_000;

/// Refusals that wait for the store: at most those of one minute.
const WAITING: usize = 2 * REFUSALS_A_MINUTE as usize;

/// The audit record of a refusal.
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
        // Both tokens are verified, so the record names the user of one and the wallet of the other.
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

/// A page of the audit.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The records, the latest first.
    pub records: Vec<AuditRecord>,
    /// The cursor of the next page, if there are more.
    pub next: Option<u64>,
}

impl Sessions {
    /// At most `limit` audit records before number `before`, the latest first.
    pub async fn audit(&self, filter: &AuditFilter, before: Option<u64>, limit: usize) -> Result<AuditPage> {
        let mut records = self.book.accounts.audit(filter, before, limit + 1).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|record| record.number);
        Ok(AuditPage { records, next })
    }
}

impl Sessions {
    /// Records that the code of a sign-in on the page for web apps was refused.
    pub fn note_refused_code(&self, app: &str, reason: &'static str, actor: &Actor) {
        let draft = actor.did(AuditKind::WebCodeRefused, self.book.clock.now());
        let (reason, detail) = (Some(reason.to_owned()), Some(json!({ "app": app }).to_string()));
        self.trail.add(AuditDraft { reason, detail, ..draft });
    }
}

/// The queue of refusals for the store.
#[derive(Debug)]
pub(super) struct Trail {
    sender: mpsc::Sender<AuditDraft>,
    refusals: Arc<Budget>,
    mismatches: Budget,
    metrics: Arc<Metrics>,
}

/// How many refusals came in this minute.
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
    /// `refusals`: how many the audit has room for, whichever way they come.
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

/// Writes the queued refusals, many at a time, until the daemon stops and the queue is empty.
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
            tracing::warn!(%error, records = records.len(), "cannot record refusals in the audit");
        }
        records.clear();
    }
}
