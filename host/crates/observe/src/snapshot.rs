//! One answer to `/metrics`: filled by the assembling crate, written in Prometheus's text format.

use std::collections::BTreeMap;

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};

use crate::{Metric, MetricKind};

/// The `Content-Type` of what [`Snapshot::render`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The values of one moment, by metric.
#[derive(Debug, Default)]
pub struct Snapshot {
    families: BTreeMap<&'static str, MetricFamily>,
}

impl Snapshot {
    /// Adds one sample. `labels` are the values of `metric.labels`, in that order. `value` is
    /// published as a float, so it is exact up to 2^53.
    ///
    /// # Panics
    /// When the number of label values is not that of the metric's labels: a fault of the caller.
    pub fn set(&mut self, metric: &Metric, labels: &[&str], value: u64) {
        assert_eq!(
            labels.len(),
            metric.labels.len(),
            "labels of {}",
            metric.name
        );
        let pairs = metric.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut sample = Sample::from_label(pairs.collect());
        match metric.kind {
            MetricKind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value as f64);
                sample.set_counter(counter);
            }
            MetricKind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value as f64);
                sample.set_gauge(gauge);
            }
        }
        self.families
            .entry(metric.name)
            .or_insert_with(|| family(metric))
            .mut_metric()
            .push(sample);
    }

    /// The page, metrics in alphabetical order.
    pub fn render(self) -> String {
        let families: Vec<_> = self.families.into_values().collect();
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_else(|error| format!("# the metrics could not be written: {error}\n"))
    }
}

fn family(metric: &Metric) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        MetricKind::Counter => MetricType::COUNTER,
        MetricKind::Gauge => MetricType::GAUGE,
    });
    family
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{METRICS, metrics};

    #[test]
    fn samples_of_one_metric_share_one_header() {
        let mut snapshot = Snapshot::default();
        snapshot.set(&metrics::HITS, &["default"], 3);
        snapshot.set(&metrics::UPTIME, &[], 7);
        snapshot.set(&metrics::HITS, &["a\"b"], 1 << 53);
        assert_eq!(
            snapshot.render(),
            "# HELP larder_hits_total Reads that found a live entry.\n\
             # TYPE larder_hits_total counter\n\
             larder_hits_total{tenant=\"default\"} 3\n\
             larder_hits_total{tenant=\"a\\\"b\"} 9007199254740992\n\
             # HELP larder_uptime_seconds Time since the start of the process.\n\
             # TYPE larder_uptime_seconds gauge\n\
             larder_uptime_seconds 7\n"
        );
    }

    #[test]
    fn every_metric_of_the_table_can_be_written() {
        let mut snapshot = Snapshot::default();
        for metric in METRICS {
            snapshot.set(metric, &vec!["x"; metric.labels.len()], 1);
        }
        let page = snapshot.render();
        for metric in METRICS {
            let header = format!("# TYPE {} ", metric.name);
            assert_eq!(page.matches(&header).count(), 1, "{}", metric.name);
        }
    }
}
