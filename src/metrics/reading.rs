//! Metrics that are read on request, rather than counted when something happens.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Samples of one moment, by the name of their family.
#[derive(Debug, Default)]
pub struct Reading(BTreeMap<&'static str, MetricFamily>);

impl Reading {
    /// Adds a sample of a gauge.
    pub fn gauge(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut sample = labelled(labels);
        sample.set_gauge(gauge);
        self.add(name, help, MetricType::GAUGE, sample);
    }

    /// Adds a sample of a counter.
    pub fn counter(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut sample = labelled(labels);
        sample.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, sample);
    }

    pub(super) fn into_families(self) -> impl Iterator<Item = MetricFamily> {
        self.0.into_values()
    }

    fn add(&mut self, name: &'static str, help: &str, kind: MetricType, sample: Metric) {
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(sample);
    }
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let mut labels = labels.to_vec();
    labels.sort_unstable();
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}
