//! One answer to `/metrics`: filled by the assembling crate, written in Prometheus's text format.

use std::collections::BTreeMap;

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use crate::{Metric, MetricKind};

/// The `Content-Type` of what [`Snapshot::render`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The values of one moment, by metric.
#[derive(Debug, Default)]
pub struct Snapshot {
    families: BTreeMap<&'static str, MetricFamily>,
}

/// What a histogram publishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    /// How many there were.
    pub count: u64,
    /// What they sum up to.
    pub sum: f64,
    /// Upper bounds, ascending, and how many were not above each.
    pub at_most: Vec<(f64, u64)>,
}

impl Snapshot {
    /// Adds one sample. `labels` are the values of `metric.labels`, in that order. `value` is
    /// published as a float, so it is exact up to 2^53.
    ///
    /// # Panics
    /// When the number of label values is not that of the metric's labels, or it is a histogram: a fault
    /// of the caller.
    pub fn set(&mut self, metric: &Metric, labels: &[&str], value: u64) {
        self.set_float(metric, labels, value as f64);
    }

    /// Adds one sample that need not be whole; otherwise as [`Self::set`].
    ///
    /// # Panics
    /// As [`Self::set`].
    pub fn set_float(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        let sample = self.sample(metric, labels);
        match metric.kind {
            MetricKind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            MetricKind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
            MetricKind::Histogram => panic!("{} is a histogram", metric.name),
        }
    }

    /// Adds one histogram: how many in all, what they sum up to, and of some upper bounds, in ascending
    /// order, how many were not above.
    ///
    /// # Panics
    /// When the number of label values is not that of the metric's labels, or it is no histogram: a fault
    /// of the caller.
    pub fn set_histogram(&mut self, metric: &Metric, labels: &[&str], distribution: &Distribution) {
        assert_eq!(metric.kind, MetricKind::Histogram, "{}", metric.name);
        let buckets = distribution.at_most.iter().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(*count);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_sample_count(distribution.count);
        histogram.set_sample_sum(distribution.sum);
        histogram.set_bucket(buckets.collect());
        self.sample(metric, labels).set_histogram(histogram);
    }

    /// A sample without a value yet.
    fn sample(&mut self, metric: &Metric, labels: &[&str]) -> &mut Sample {
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
        let sample = Sample::from_label(pairs.collect());
        let family = self.families.entry(metric.name);
        let samples = family.or_insert_with(|| family_of(metric)).mut_metric();
        samples.push_mut(sample)
    }

    /// The page, metrics in alphabetical order.
    pub fn render(self) -> String {
        let families: Vec<_> = self.families.into_values().collect();
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_else(|error| format!("# the metrics could not be written: {error}\n"))
    }
}

fn family_of(metric: &Metric) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        MetricKind::Counter => MetricType::COUNTER,
        MetricKind::Gauge => MetricType::GAUGE,
        MetricKind::Histogram => MetricType::HISTOGRAM,
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
    fn a_histogram_has_its_bounds_its_sum_and_all_of_it() {
        let mut snapshot = Snapshot::default();
        let distribution = Distribution {
            count: 3,
            sum: 0.75,
            at_most: vec![(0.25, 1), (0.5, 3)],
        };
        snapshot.set_histogram(&metrics::COMMAND_SECONDS, &["get"], &distribution);
        let page = snapshot.render();
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "larder_command_seconds_bucket{operation=\"get\",le=\"0.25\"} 1",
                "larder_command_seconds_bucket{operation=\"get\",le=\"0.5\"} 3",
                "larder_command_seconds_bucket{operation=\"get\",le=\"+Inf\"} 3",
                "larder_command_seconds_sum{operation=\"get\"} 0.75",
                "larder_command_seconds_count{operation=\"get\"} 3",
            ]
        );
    }

    #[test]
    fn every_metric_of_the_table_can_be_written() {
        let mut snapshot = Snapshot::default();
        for metric in METRICS {
            let labels = vec!["x"; metric.labels.len()];
            if metric.kind == MetricKind::Histogram {
                snapshot.set_histogram(metric, &labels, &Distribution::default());
            } else {
                snapshot.set(metric, &labels, 1);
            }
        }
        let page = snapshot.render();
        for metric in METRICS {
            let header = format!("# TYPE {} ", metric.name);
            assert_eq!(page.matches(&header).count(), 1, "{}", metric.name);
        }
    }
}
