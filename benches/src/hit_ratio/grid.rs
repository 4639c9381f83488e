//! All policies at all sizes on one trace.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use larder::simulate::{cell, natives};
use larder_simulator::run::{Control, Footprint, Outcome, run};
use larder_simulator::trace::{Columns, TraceFile};

use crate::Sample;

/// Sizes of the caches: parts of the footprint.
pub(super) const SIZES: [(&str, f64); 4] = [
    ("0.1 %", 0.001),
    ("1 %", 0.01),
    ("3 %", 0.03),
    ("10 %", 0.1),
];
/// They know the future. The first is the best there is where all sizes are the same, and says
/// nothing where they differ.
const BOUNDS: [&str; 2] = ["belady", "belady-size"];
const SEED: u64 = 1;

/// What came of a trace.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub(super) name: String,
    /// Whether its objects differ in size.
    pub(super) is_sized: bool,
    /// Bytes of the caches; objects where a trace knows no sizes.
    pub(super) capacities: [u64; SIZES.len()],
    /// The policies, each once.
    pub(super) policies: Vec<Line>,
    /// Those that know the future; none where the trace does not tell it.
    pub(super) bounds: Vec<Line>,
}

/// What came of one policy.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) policy: String,
    pub(super) points: [Point; SIZES.len()],
}

/// What came of it at one size.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) miss_ratio: f64,
    pub(super) byte_miss_ratio: f64,
    /// Nanoseconds a request, one of each replay.
    pub(super) request_ns: Sample,
    /// The most that the policy held.
    pub(super) policy_bytes: u64,
    /// Entries at the end.
    pub(super) entries: u64,
}

impl Trace {
    /// Replays a trace through all native policies, and `also` those, so many times.
    ///
    /// # Errors
    /// When it cannot be read to its end, there is no such policy, or one breaks the contract.
    pub(super) fn replay(path: &Path, also: &[String], runs: u32) -> Result<Self> {
        let (footprint, error) = Footprint::of(TraceFile::open(path, &Columns::default())?);
        if let Some(error) = error {
            return Err(error.into());
        }
        let part = |(_, part): (&str, f64)| ((part * footprint.bytes as f64) as u64).max(1);
        let mut trace = Self {
            name: TraceFile::name(path),
            is_sized: footprint.object_bytes_max > 1,
            capacities: SIZES.map(part),
            policies: Vec::new(),
            bounds: Vec::new(),
        };
        let also = also.iter().map(|policy| Line::new(policy));
        trace.policies = natives().map(Line::new).chain(also).collect();
        if footprint.knows_future {
            let bounds = &BOUNDS[usize::from(trace.is_sized)..];
            trace.bounds = bounds.iter().map(|name| Line::new(name)).collect();
        }
        for _ in 0..runs {
            trace.replay_once(path)?;
        }
        Ok(trace)
    }

    fn replay_once(&mut self, path: &Path) -> Result<()> {
        let mut cells = Vec::new();
        for line in self.policies.iter().chain(&self.bounds) {
            for capacity_bytes in self.capacities {
                cells.push(cell(&line.policy, capacity_bytes, 1, SEED)?);
            }
        }
        let records = TraceFile::open(path, &Columns::default())?;
        // One thread, so that no replay has another beside it.
        let (outcomes, error) = run(records, cells, 1, false, &Control::default());
        if let Some(error) = error {
            return Err(error.into());
        }
        let lines = self.policies.iter_mut().chain(&mut self.bounds);
        for (line, outcomes) in lines.zip(outcomes.chunks(SIZES.len())) {
            ensure!(
                outcomes.iter().all(|outcome| outcome.tally.requests > 0),
                "there is no request in it"
            );
            line.add(outcomes)?;
        }
        Ok(())
    }
}

impl Line {
    fn new(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            points: Default::default(),
        }
    }

    fn add(&mut self, outcomes: &[Outcome]) -> Result<()> {
        for (point, outcome) in self.points.iter_mut().zip(outcomes) {
            if let Some(fault) = &outcome.fault {
                bail!("{}: {fault}", self.policy);
            }
            let tally = &outcome.tally;
            point.miss_ratio = tally.miss_ratio();
            point.byte_miss_ratio = tally.byte_miss_ratio();
            let ns = outcome.time.as_nanos() as f64 / tally.requests as f64;
            point.request_ns.add(ns);
            point.policy_bytes = outcome.policy_bytes;
            point.entries = tally.misses - tally.rejected - tally.evictions;
        }
        Ok(())
    }
}
