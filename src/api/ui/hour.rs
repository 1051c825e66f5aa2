//! What happened in the last hour: the counters as they were at each minute of it. Pure but for the time.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Instant;

/// One mark a minute for an hour, and the one before.
const MARKS: usize = 61;

/// What is counted: the kind (`ended`, `refused`, `opened`), the outcome, and a code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) kind: &'static str,
    pub(super) outcome: String,
    pub(super) code: String,
}

/// Counters since the start of the daemon. Their names are words of the program, so there are few.
pub(super) type Totals = BTreeMap<Count, u64>;

/// The marks, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Hour {
    marks: VecDeque<(Instant, Totals)>,
}

impl Hour {
    /// Notes what the counters are now.
    pub(super) fn mark(&mut self, totals: Totals) {
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((Instant::now(), totals));
    }

    /// What was counted since the oldest mark, and how many seconds ago that was.
    pub(super) fn counted(&self, now: &Totals) -> (Totals, u64) {
        let Some((since, before)) = self.marks.front() else { return (Totals::new(), 0) };
        (difference(before, now), since.elapsed().as_secs())
    }

    /// What was counted between each two marks, and since the last one: the latest comes last.
    pub(super) fn minutes(&self, now: &Totals) -> Vec<Totals> {
        let all: Vec<_> = self.marks.iter().map(|(_, totals)| totals).chain([now]).collect();
        all.windows(2).map(|pair| difference(pair[0], pair[1])).collect()
    }
}

fn difference(before: &Totals, after: &Totals) -> Totals {
    let grown = after.iter().map(|(count, value)| {
        let earlier = before.get(count).copied().unwrap_or(0);
        (count.clone(), value.saturating_sub(earlier))
    });
    grown.filter(|(_, more)| *more > 0).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn approved(times: u64) -> Totals {
        let count = Count { kind: "ended", outcome: "approved".into(), code: String::new() };
        Totals::from([(count, times)])
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_happened_within_the_hour_counts() {
        let mut hour = Hour::default();
        assert_eq!(hour.counted(&approved(7)), (Totals::new(), 0), "nothing is known yet");
        hour.mark(approved(0));
        for minute in 1..=90 {
            tokio::time::advance(MINUTE).await;
            hour.mark(approved(minute));
        }
        assert_eq!(hour.counted(&approved(95)), (approved(65), 3600));
        let minutes = hour.minutes(&approved(95));
        assert_eq!(minutes.len(), MARKS);
        assert!(minutes[..60].iter().all(|one| *one == approved(1)));
        assert_eq!(minutes[60], approved(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_counter_that_appears_later_counts_from_zero() {
        let mut hour = Hour::default();
        hour.mark(Totals::new());
        tokio::time::advance(MINUTE).await;
        assert_eq!(hour.counted(&approved(2)), (approved(2), 60));
        assert_eq!(hour.minutes(&approved(2)), [approved(2)]);
    }
}
