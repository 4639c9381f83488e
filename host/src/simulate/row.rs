//! A row of the result: one policy at one size on one trace.

use std::io::{self, Write};

use larder_simulator::replay::Tally;
use larder_simulator::run::Outcome;
use serde::Serialize;

use super::Prewarm;
use crate::natives::CellForm;

/// Its fields are the columns; four are for prewarming and four for a second level, and empty without it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) trace: String,
    pub(super) policy: String,
    pub(super) runtime: &'static str,
    pub(super) size: String,
    pub(super) capacity: u64,
    pub(super) requests: u64,
    pub(super) miss_ratio: f64,
    pub(super) byte_miss_ratio: f64,
    pub(super) evictions: u64,
    pub(super) rejected: u64,
    pub(super) seconds: f64,
    pub(super) prewarm: Option<&'static str>,
    /// Of what was fetched ahead, the share that was asked for before its time was over.
    pub(super) precision: Option<f64>,
    /// Of the requests that found nothing but for what was fetched ahead, the share that it served.
    pub(super) recall: Option<f64>,
    /// Fetches that nobody asked for, by each miss fewer than without any.
    pub(super) wasted: Option<f64>,
    /// Nanoseconds that a request takes within the eviction policy.
    pub(super) policy_ns: Option<f64>,
    /// The most bytes that the eviction policy held.
    pub(super) policy_bytes: u64,
    pub(super) l2: Option<String>,
    pub(super) l2_capacity: Option<u64>,
    pub(super) hits_l1: Option<u64>,
    pub(super) hits_l2: Option<u64>,
}

/// Their names in CSV, in order.
const COLUMNS: [&str; 21] = [
    "trace",
    "policy",
    "runtime",
    "size",
    "capacity",
    "requests",
    "miss_ratio",
    "byte_miss_ratio",
    "evictions",
    "rejected",
    "seconds",
    "prewarm",
    "precision",
    "recall",
    "wasted",
    "policy_ns",
    "policy_bytes",
    "l2",
    "l2_capacity",
    "hits_l1",
    "hits_l2",
];

impl Row {
    pub(super) fn new(
        (trace, policy, runtime): (&str, &str, &'static str),
        (size, l2): (&str, Option<&str>),
        form: CellForm,
        outcome: &Outcome,
    ) -> Self {
        let tally = &outcome.tally;
        let hits_l1 = tally.requests - tally.misses - tally.hits_below;
        Self {
            trace: trace.to_owned(),
            policy: policy.to_owned(),
            runtime,
            size: size.to_owned(),
            capacity: form.capacity_bytes,
            requests: tally.requests,
            miss_ratio: tally.miss_ratio(),
            byte_miss_ratio: tally.byte_miss_ratio(),
            evictions: tally.evictions,
            rejected: tally.rejected,
            seconds: outcome.time.as_secs_f64(),
            prewarm: None,
            precision: None,
            recall: None,
            wasted: None,
            policy_ns: outcome.policy_time.map(|time| time.as_nanos() as f64),
            policy_bytes: outcome.policy_bytes,
            l2: l2.map(str::to_owned),
            l2_capacity: form.below_bytes,
            hits_l1: form.below_bytes.map(|_| hits_l1),
            hits_l2: form.below_bytes.map(|_| tally.hits_below),
        }
    }

    /// Adds what came of prewarming, beside a cache that had `misses_cold` without.
    pub(super) fn prewarm(&mut self, prewarm: Option<Prewarm>, tally: &Tally, misses_cold: u64) {
        self.prewarm = Some(prewarm.map_or("off", Prewarm::name));
        if prewarm.is_none() {
            return;
        }
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (fetched, hits) = (tally.fetched, tally.hits_ahead);
        self.precision = share(hits, fetched);
        self.recall = share(hits, hits + tally.misses);
        self.wasted = share(fetched - hits, misses_cold.saturating_sub(tally.misses));
    }

    /// The policy, and what fetched ahead for it.
    pub(super) fn label(&self) -> String {
        match self.prewarm {
            None | Some("off") => self.policy.clone(),
            Some(prewarm) => format!("{}, prewarm {prewarm}", self.policy),
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let empty = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let share = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        [
            self.trace.clone(),
            self.policy.clone(),
            self.runtime.to_owned(),
            self.size.clone(),
            self.capacity.to_string(),
            self.requests.to_string(),
            format!("{:.6}", self.miss_ratio),
            format!("{:.6}", self.byte_miss_ratio),
            self.evictions.to_string(),
            self.rejected.to_string(),
            format!("{:.3}", self.seconds),
            self.prewarm.unwrap_or_default().to_owned(),
            share(self.precision),
            share(self.recall),
            share(self.wasted),
            empty(self.policy_ns),
            self.policy_bytes.to_string(),
            self.l2.clone().unwrap_or_default(),
            count(self.l2_capacity),
            count(self.hits_l1),
            count(self.hits_l2),
        ]
    }
}

/// Comma-separated, quoted where need be (RFC 4180), names first.
pub(super) fn write_csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    for row in rows {
        writeln!(out, "{}", row.cells().map(|cell| quoted(&cell)).join(","))?;
    }
    Ok(())
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

/// For people: without the columns that are empty throughout.
pub(super) fn write_table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let is_shown = |column: &usize| cells.iter().any(|row| !row[*column].is_empty());
    let shown: Vec<_> = (0..COLUMNS.len()).filter(is_shown).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).max(COLUMNS[column].len())
    };
    let mut line = |cell: &dyn Fn(usize) -> String| {
        for &column in &shown {
            let (text, width) = (cell(column), width(column));
            // Texts to the left, numbers to the right.
            match column {
                0..=3 => write!(out, "{text:<width$}  ")?,
                _ => write!(out, "{text:>width$}  ")?,
            }
        }
        writeln!(out)
    };
    line(&|column| COLUMNS[column].to_owned())?;
    for row in &cells {
        line(&|column| row[column].clone())?;
    }
    Ok(())
}
