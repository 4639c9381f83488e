//! What `larder bench` found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::options::ValueBytes;
use super::source::Op;
use super::tally::Tally;

/// The report; its fields are the keys of the JSON form.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    ops_per_s: f64,
    seconds: f64,
    count: u64,
    ops: BTreeMap<Op, OpReport>,
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
    errors: u64,
    wrong: u64,
    lost: u64,
    first_fault: Option<String>,
    fill: Option<FillReport>,
    settings: Settings,
    seed: u64,
}

/// What was asked for, defaults included.
#[derive(Debug, Serialize)]
pub(super) struct Settings {
    pub(super) addr: String,
    pub(super) clients: u32,
    pub(super) pipeline: u32,
    pub(super) threads: usize,
    pub(super) ratio: BTreeMap<Op, u32>,
    pub(super) keys: u32,
    pub(super) zipf: f64,
    pub(super) value_bytes: ValueBytes,
    pub(super) duration_s: f64,
    pub(super) ttl_s: f64,
    pub(super) verify: bool,
}

#[derive(Debug, Serialize)]
struct OpReport {
    count: u64,
    ops_per_s: f64,
    latency_us: LatencyReport,
}

#[derive(Debug, Serialize)]
struct LatencyReport {
    mean: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct FillReport {
    count: u64,
    seconds: f64,
    ops_per_s: f64,
}

impl Report {
    /// `fill`: how many keys were set beforehand, and how long it took.
    pub(super) fn new(
        settings: Settings,
        seed: u64,
        tally: &Tally,
        elapsed: Duration,
        fill: Option<(u64, Duration)>,
    ) -> Self {
        let ops = Op::ALL.into_iter().zip(&tally.latency);
        let gets = tally.hits + tally.misses;
        Self {
            ops_per_s: rate(tally.replies(), elapsed),
            seconds: elapsed.as_secs_f64(),
            count: tally.replies(),
            ops: ops
                .filter(|(_, latency)| !latency.is_empty())
                .map(|(op, latency)| (op, OpReport::new(latency, elapsed)))
                .collect(),
            hits: tally.hits,
            misses: tally.misses,
            hit_ratio: (gets > 0).then(|| tally.hits as f64 / gets as f64),
            errors: tally.errors,
            wrong: tally.wrong,
            lost: tally.lost,
            first_fault: tally.first_fault.clone(),
            fill: fill.map(|(count, took)| FillReport {
                count,
                seconds: took.as_secs_f64(),
                ops_per_s: rate(count, took),
            }),
            settings,
            seed,
        }
    }

    /// Whether every reply came, and was right.
    pub(super) fn is_good(&self) -> bool {
        self.errors + self.wrong + self.lost == 0
    }
}

impl OpReport {
    fn new(latency: &Histogram<u64>, elapsed: Duration) -> Self {
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            count: latency.len(),
            ops_per_s: rate(latency.len(), elapsed),
            latency_us: LatencyReport {
                mean: latency.mean() / 1e3,
                p50: at(0.5),
                p95: at(0.95),
                p99: at(0.99),
                p999: at(0.999),
                max: latency.max() as f64 / 1e3,
            },
        }
    }
}

fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            addr,
            clients,
            pipeline,
            threads,
            keys,
            zipf,
            value_bytes,
            ..
        } = &self.settings;
        let ValueBytes { min, max } = value_bytes;
        writeln!(
            f,
            "{addr}: clients {clients}, pipeline {pipeline}, threads {threads}, keys {keys}, \
             zipf {zipf}, values of {min} to {max} bytes, seed {}",
            self.seed
        )?;
        if let Some(FillReport {
            count,
            seconds,
            ops_per_s,
        }) = &self.fill
        {
            writeln!(
                f,
                "filled {count} keys in {seconds:.1} s, {ops_per_s:.0} a second"
            )?;
        }
        writeln!(
            f,
            "{:<5}{:>12}{:>11}{:>10}{:>10}{:>10}{:>10}{:>12}",
            "op", "count", "ops/s", "p50 us", "p95 us", "p99 us", "p99.9 us", "max us"
        )?;
        for (
            op,
            OpReport {
                count,
                ops_per_s,
                latency_us: at,
            },
        ) in &self.ops
        {
            let name = op.name();
            write!(
                f,
                "{name:<5}{count:>12}{ops_per_s:>11.0}{:>10.1}{:>10.1}",
                at.p50, at.p95
            )?;
            writeln!(f, "{:>10.1}{:>10.1}{:>12.1}", at.p99, at.p999, at.max)?;
        }
        writeln!(f, "{:<5}{:>12}{:>11.0}", "all", self.count, self.ops_per_s)?;
        let Self {
            hits,
            misses,
            errors,
            wrong,
            lost,
            ..
        } = self;
        if let Some(ratio) = self.hit_ratio {
            writeln!(f, "hit ratio {ratio:.4} ({hits} hits, {misses} misses)")?;
        }
        writeln!(f, "errors {errors}, wrong {wrong}, lost {lost}")?;
        match &self.first_fault {
            Some(fault) => writeln!(f, "first of them: {fault}"),
            None => Ok(()),
        }
    }
}
