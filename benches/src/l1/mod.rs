//! The in-memory level in process, beside other caches for Rust.

mod pass;

use anyhow::{Context, Result};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::weighted::WeightedAliasIndex;

use crate::Sample;
use crate::report::{Cell, Table};
use crate::store::{Contender, Shape, contenders};

pub use pass::{Operation, Pass, Workload};

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keys there are
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub keys: u32,
    /// Operations a thread and run; an eighth of them is warming up
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub ops: u32,
    /// Runs of each store, taking turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Exponent of the keys' Zipf distribution
    #[arg(long, default_value_t = 0.99)]
    pub zipf: f64,
    /// Seed of the keys drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run only these
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Operation::ALL)]
    pub operations: Vec<Operation>,
    /// Run only the stores whose name holds this
    #[arg(long, default_value = "")]
    pub store: String,
}

/// The figures of one store under one workload.
#[derive(Debug, Clone)]
pub struct Row {
    /// The store.
    pub store: &'static str,
    /// What one operation is.
    pub operation: Operation,
    /// Threads that ran it.
    pub threads: usize,
    /// Nanoseconds an operation took, by the clock on the wall.
    pub wall_ns: Sample,
    /// Nanoseconds of processor time an operation took.
    pub cpu_ns: Sample,
    /// Part of the operations that found their key.
    pub hit_ratio: Sample,
    /// Entries resident at the end.
    pub entries: u64,
}

/// Runs all workloads at one and two threads.
///
/// # Errors
/// When a distribution cannot be made of the options, or Larder refuses its configuration.
pub fn run(options: &Options) -> Result<Vec<Row>> {
    let draws = Draws::new(options)?;
    let mut rows = Vec::new();
    for threads in [1, 2] {
        let full: &[_] = match threads {
            1 => &[Operation::Get, Operation::DeleteInsert],
            _ => &[Operation::Get],
        };
        rows.extend(compare(options, &draws, threads, None, full)?);
        let half = Some(u64::from(options.keys / 2));
        rows.extend(compare(
            options,
            &draws,
            threads,
            half,
            &[Operation::GetOrInsert],
        )?);
    }
    rows.sort_by_key(|row| row.operation as u8);
    Ok(rows)
}

/// Fills one store of each kind and lets them take turns, operation after operation.
fn compare(
    options: &Options,
    draws: &Draws,
    threads: usize,
    held: Option<u64>,
    operations: &[Operation],
) -> Result<Vec<Row>> {
    let mut operations = operations.to_vec();
    operations.retain(|operation| options.operations.contains(operation));
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let keys = u64::from(options.keys);
    let mut stores = contenders(Shape {
        keys,
        held,
        threads,
    })?;
    stores.retain(|contender| contender.name.contains(&options.store));
    for Contender { bench, .. } in &stores {
        bench.fill(keys);
        if held.is_some() {
            // Policies are to know which keys are read often before anything is measured.
            bench.pass(
                Operation::GetOrInsert,
                &[draws.stream(options.keys, u64::MAX)],
            );
        }
    }
    let mut rows = Vec::new();
    for operation in operations {
        let row = |contender: &Contender| Row {
            store: contender.name,
            operation,
            threads,
            wall_ns: Sample::default(),
            cpu_ns: Sample::default(),
            hit_ratio: Sample::default(),
            entries: 0,
        };
        let mut of_stores: Vec<_> = stores.iter().map(row).collect();
        for run in 0..u64::from(options.runs) {
            let stream = |thread| draws.stream(options.ops, run * 64 + thread);
            let streams: Vec<_> = (0..threads as u64).map(stream).collect();
            for (row, contender) in of_stores.iter_mut().zip(&stores) {
                row.add(contender.bench.pass(operation, &streams));
            }
        }
        for (row, contender) in of_stores.iter_mut().zip(&stores) {
            row.entries = contender.bench.store().entries();
        }
        rows.extend(of_stores);
    }
    Ok(rows)
}

impl Row {
    fn add(&mut self, pass: Pass) {
        let ops = pass.ops as f64;
        self.wall_ns.add(pass.wall.as_nanos() as f64 / ops);
        self.cpu_ns.add(pass.cpu.as_nanos() as f64 / ops);
        self.hit_ratio.add(pass.hits as f64 / ops);
    }
}

/// The rows as a table, each store's time beside that of the first store under the same workload.
pub fn table(options: &Options, rows: &[Row]) -> Table {
    let first = |row: &Row| {
        let same = |other: &&Row| (other.operation, other.threads) == (row.operation, row.threads);
        rows.iter().find(same).map(|first| first.wall_ns.median())
    };
    let cells = |row: &Row| {
        let median = row.wall_ns.median();
        vec![
            Cell::text(row.operation.name()),
            Cell::Number(row.threads as f64, 0),
            Cell::text(row.store),
            Cell::Number(median, 1),
            Cell::Range(row.wall_ns.clone(), 0),
            Cell::Number(row.cpu_ns.median(), 1),
            Cell::maybe(first(row).map(|first| median / first), 2),
            Cell::Number(100.0 * row.hit_ratio.median(), 2),
            Cell::Number(row.entries as f64, 0),
        ]
    };
    Table {
        title: format!(
            "In process: {} keys of 16 B, values of 64 B, zipf {}, allocator jemalloc for all; \
             × 1st: time beside the first store; medians of {} interleaved runs of {} operations a thread; a cache with misses holds half of the keys",
            options.keys, options.zipf, options.runs, options.ops
        ),
        columns: &[
            "operation",
            "threads",
            "store",
            "ns/op",
            "ns/op, range",
            "CPU ns/op",
            "× 1st",
            "hits %",
            "entries",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}

/// Draws key numbers; what is drawn often has nothing to do with the order of insertion.
struct Draws {
    ranks: WeightedAliasIndex<f64>,
    keys: Vec<u32>,
    seed: u64,
}

impl Draws {
    fn new(options: &Options) -> Result<Self> {
        let weight = |rank| f64::from(rank).powf(-options.zipf);
        let ranks = WeightedAliasIndex::new((1..=options.keys).map(weight).collect())
            .with_context(|| format!("no zipf distribution with exponent {}", options.zipf))?;
        let mut keys: Vec<_> = (0..options.keys).collect();
        keys.shuffle(&mut StdRng::seed_from_u64(options.seed));
        Ok(Self {
            ranks,
            keys,
            seed: options.seed,
        })
    }

    /// The same `count` and `number` give the same stream.
    fn stream(&self, count: u32, number: u64) -> Vec<u32> {
        let seed = self.seed ^ number.wrapping_add(1).rotate_left(32);
        let ranks = StdRng::seed_from_u64(seed).sample_iter(&self.ranks);
        let keys = ranks.map(|rank| self.keys[rank]);
        keys.take(count as usize).collect()
    }
}
