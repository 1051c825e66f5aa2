//! What relays are doing, in numbers.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use super::Roster;
use crate::metrics::{Limit, Reading};
use crate::relay::{Counters, Origin, RelayHealth, RelayState};
use crate::shown;

/// What all relays that wallets name are called together: a stranger's URL is no label.
const PREFERRED: &str = "preferred";

impl Roster {
    /// How relays are doing: each of the operator's, and those that wallets name together.
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
                let (labels, help) = ([("relay", relay.as_str())], "How long its last ping took.");
                reading.gauge("portico_relay_latency_seconds", help, &labels, latency.as_secs_f64());
            }
        }
        preferred.read_into(reading, PREFERRED);
        self.metrics.limits.reached_in_all(Limit::PreferredRelays, displaced);
        self.metrics.limits.reached_in_all(Limit::QueuePerRelay, all.dropped);
        self.metrics.limits.reached_in_all(Limit::Inbox, all.stalled);
    }
}

/// What goes up and down, at one relay or at several.
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
            "Relays that are connected and subscribed: 1 or 0, or how many of those that wallets prefer.",
            ready,
        );
        gauge(
            "portico_relay_paused",
            "Relays that are left alone for a while because they kept sending forged events: 1 or 0, or how many.",
            paused,
        );
        gauge("portico_relay_queued_frames", "Frames that wait to be looked at.", queued);
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
    add("portico_relay_connections_total", "Connections made.", None, counters.connected);
    add("portico_relay_sent_events_total", "Events sent, repetitions included.", None, counters.sent);
    for (answer, value) in [("accepted", counters.accepted), ("refused", counters.refused)] {
        let help = "What a relay said to the events that it was sent.";
        add("portico_relay_answers_total", help, Some(("answer", answer)), value);
    }
    let help = "How often a relay closed the subscription, did not confirm it, or may have ended it.";
    add("portico_relay_closed_subscriptions_total", help, None, counters.closed);
    add("portico_relay_notices_total", "Notices that a relay sent.", None, counters.notices);
    add("portico_relay_received_events_total", "Events of our subscription.", None, counters.received);
    for (reason, value) in [
        ("unwanted", counters.unwanted),
        ("duplicate", counters.duplicates),
        ("forged", counters.forged),
        ("garbage", counters.garbage),
        ("queue_full", counters.dropped),
    ] {
        let help = "Frames that were dropped, unwanted ones before their signature was looked at.";
        add("portico_relay_dropped_frames_total", help, Some(("reason", reason)), value);
    }
}
