//! Values of metrics for the daemon's own page.

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

/// The present value of a counter or a gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of its family.
    pub name: String,
    /// Its labels.
    labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The value of a label, or an empty text.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All samples of a family. A histogram has none.
    pub(super) fn of_family(family: &MetricFamily) -> Vec<Self> {
        let value = match family.get_field_type() {
            MetricType::COUNTER => |sample: &prometheus::proto::Metric| sample.get_counter().get_value(),
            MetricType::GAUGE => |sample: &prometheus::proto::Metric| sample.get_gauge().get_value(),
            MetricType::HISTOGRAM | MetricType::SUMMARY | MetricType::UNTYPED => return Vec::new(),
        };
        let pair = |pair: &LabelPair| (pair.name().to_owned(), pair.value().to_owned());
        let samples = family.get_metric().iter().map(|sample| Self {
            name: family.name().to_owned(),
            labels: sample.get_label().iter().map(pair).collect(),
            value: value(sample),
        });
        samples.collect()
    }
}
