//! Metrics for Prometheus: every name, unit and help text in one place.
//!
//! A [`Metrics`] belongs to one daemon; nothing is global. The parts of the daemon count into it where
//! something happens. Values that they know anyway (how many requests are open, the state of the relays) are
//! not counted a second time, but read on request ([`Reading`]). No label ever contains a value that a
//! stranger chose: no key, no token, no stream, no path.

mod clock;
mod limit;
mod parts;
mod process;
mod reading;
mod sample;
mod sessions;

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

pub use clock::ClockCounts;
pub use limit::{Limit, Limits};
pub use parts::{ApiCounts, LoginCounts, Present, StoreCounts, WebhookCounts};
use process::Process;
pub use reading::Reading;
pub use sample::Sample;
pub use sessions::SessionCounts;

/// The content type of [`Metrics::exposition`] (Prometheus, "Text-based format").
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// All counters of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The local API.
    pub api: ApiCounts,
    /// Handshakes and challenges.
    pub logins: LoginCounts,
    /// Users and their sessions.
    pub sessions: SessionCounts,
    /// The database.
    pub store: StoreCounts,
    /// Deliveries to the webhook.
    pub webhook: WebhookCounts,
    /// The wall clock.
    pub clock: ClockCounts,
    /// Bounds that were reached.
    pub limits: Limits,
    process: Process,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let families = Families(&registry);
        Self {
            api: ApiCounts::new(&families),
            logins: LoginCounts::new(&families),
            sessions: SessionCounts::new(&families),
            store: StoreCounts::new(&families),
            webhook: WebhookCounts::new(&families),
            clock: ClockCounts::new(&families),
            limits: Limits::default(),
            process: Process::default(),
            registry,
        }
    }
}

impl Metrics {
    /// Everything in the format of Prometheus, including the values read on request.
    pub fn exposition(&self, reading: Reading) -> String {
        let mut families = self.families(reading);
        families.sort_by(|one, other| one.name().cmp(other.name()));
        // The only error is a family without samples, of which there are none.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// The present values of all counters and gauges, including those read on request.
    pub fn samples(&self, reading: Reading) -> Vec<Sample> {
        self.families(reading).iter().flat_map(Sample::of_family).collect()
    }

    fn families(&self, mut reading: Reading) -> Vec<MetricFamily> {
        self.limits.read_into(&mut reading);
        self.process.read_into(&mut reading);
        let mut families = self.registry.gather();
        families.extend(reading.into_families());
        families
    }
}

/// Creates families of metrics and lists them. Names and labels are literals of this module, so none is
/// malformed or a duplicate: the tests create them all.
struct Families<'a>(&'a Registry);

impl Families<'_> {
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.listed(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.listed(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.listed(HistogramVec::new(opts, labels))
    }

    fn listed<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let family = made.expect("a literal name is well-formed");
        self.0.register(Box::new(family.clone())).expect("a literal name is there once");
        family
    }
}

/// Seconds, as Prometheus counts time.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_daemons_in_one_process_do_not_count_for_each_other() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.limits.reached(Limit::OpenRequests);
        let count = |metrics: &Metrics| {
            let text = metrics.exposition(Reading::default());
            text.lines().find(|line| line.contains("limit=\"open_requests\"")).map(str::to_owned)
        };
        assert!(count(&one).unwrap().ends_with(" 1"));
        assert!(count(&other).unwrap().ends_with(" 0"));
    }
}
