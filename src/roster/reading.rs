//! Metrics of the relays.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use super::Roster;
use crate::metrics::{Limit, Reading};
use crate::relay::{Counters, Origin, RelayHealth, RelayState};
use crate::shown;

/// The label for all relays that wallets name: a stranger's URL is no label.
const PREFERRED: &str = "preferred";

impl Roster {
    /// Adds metrics for each relay of the operator, and for those that wallets name together.
    pub fn read_into(&self, reading: &mut Reading) {
        let (mut all, displaced) = self.relays.preferred_in_all();
        counters(reading, PREFERRED, &all);
        let mut preferred = Gauges::default();
        // Relays that differ in what is not shown share a label.
        let mut own = BTreeMap::<String, (Counters, Gauges, Option<Duration>)>::new();
        for relay in self.relays.list() {
            let gauges = Gauges::of(&relay);
            if relay.origin == Origin::Preferred {
                preferred += gauges;
                continue;
            }
            all += relay.counters;
            let (counters, sum, latency) = own.entry(shown::relay(&relay.url)).or_default();
            *counters += relay.counters;
            *sum += gauges;
            *latency = relay.latency.max(*latency);
        }
        for (relay, (counted, gauges, latency)) in &own {
            counters(reading, relay, counted);
            gauges.read_into(reading, relay);
            if let Some(latency) = latency {
                let (labels, help) =
                    ([("relay", relay.as_str())], "Round trip time of the last ping, in seconds.");
                reading.gauge("portico_relay_latency_seconds", help, &labels, latency.as_secs_f64());
            }
        }
        preferred.read_into(reading, PREFERRED);
        self.metrics.limits.reached_in_all(Limit::PreferredRelays, displaced);
        self.metrics.limits.reached_in_all(Limit::QueuePerRelay, all.dropped);
        self.metrics.limits.reached_in_all(Limit::Inbox, all.stalled);
    }
}

/// The gauges of one relay or of several.
#[derive(Default)]
struct Gauges {
    ready: usize,
    paused: usize,
    queued: usize,
}

impl Gauges {
    fn of(relay: &RelayHealth) -> Self {
        let is = |state| usize::from(relay.state == state);
        Self { ready: is(RelayState::Ready), paused: is(RelayState::Paused), queued: relay.queued }
    }

    fn read_into(&self, reading: &mut Reading, relay: &str) {
        let Self { ready, paused, queued } = *self;
        let mut gauge = |name, help, value| reading.gauge(name, help, &[("relay", relay)], value as f64);
        gauge(
            "portico_relay_ready",
            "Whether the relay is connected and subscribed (1 or 0); for preferred relays, how many are.",
            ready,
        );
        gauge(
            "portico_relay_paused",
            "Whether the relay is paused for sending forged events (1 or 0); for preferred relays, how many are.",
            paused,
        );
        gauge("portico_relay_queued_frames", "Event frames that wait to be verified.", queued);
    }
}

impl AddAssign for Gauges {
    fn add_assign(&mut self, other: Self) {
        self.ready += other.ready;
        self.paused += other.paused;
        self.queued += other.queued;
    }
}

fn counters(reading: &mut Reading, relay: &str, counters: &Counters) {
    let mut add = |name, help, label: Option<(&str, &str)>, value: u64| {
        let labels: Vec<_> = [("relay", relay)].into_iter().chain(label).collect();
        reading.counter(name, help, &labels, value as f64);
    };
    add(
        "portico_relay_connections_total",
        "Connections that Portico made to the relay.",
        None,
        counters.connected,
    );
    add(
        "portico_relay_sent_events_total",
        "Events sent to the relay, including repetitions.",
        None,
        counters.sent,
    );
    for (answer, value) in [("accepted", counters.accepted), ("refused", counters.refused)] {
        let help = "Answers of the relay to events that Portico sent.";
        add("portico_relay_answers_total", help, Some(("answer", answer)), value);
    }
    let help = "How often the relay closed the subscription, did not confirm it, or may have ended it.";
    add("portico_relay_closed_subscriptions_total", help, None, counters.closed);
    add("portico_relay_notices_total", "Notices that the relay sent.", None, counters.notices);
    add(
        "portico_relay_received_events_total",
        "Events of Portico's subscription that the relay sent.",
        None,
        counters.received,
    );
    for (reason, value) in [
        ("unwanted", counters.unwanted),
        ("duplicate", counters.duplicates),
        ("forged", counters.forged),
        ("garbage", counters.garbage),
        ("queue_full", counters.dropped),
    ] {
        let help = "Frames that Portico dropped. It drops unwanted ones without verifying their signature.";
        add("portico_relay_dropped_frames_total", help, Some(("reason", reason)), value);
    }
}
