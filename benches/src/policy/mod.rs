//! What WebAssembly costs a policy, apart from server and engine.

mod calls;
mod recording;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use larder_engine::{Evictor, EvictorFactory, native};
use larder_policy_runtime::{Figures, Policy, Sandbox, SandboxConfig, Settings};
use larder_policy_s3_fifo::S3Fifo;

use crate::Sample;
use crate::report::{Cell, Table};
use recording::Recording;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keys there are; a tenth of them fits
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub keys: u32,
    /// Requests of the recording that S3-FIFO replays
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub requests: u32,
    /// Calls of the smallest measurements
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub calls: u32,
    /// Entries that instances of S3-FIFO in 32 shards hold together
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub entries: u32,
    /// Runs of each, taking turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Folder of the policies, as `cargo xtask policies` leaves them
    #[arg(long, default_value = "target/policies")]
    pub policies: PathBuf,
}

/// The kinds that decide over values.
const KINDS: [&str; 3] = ["should_cache", "ttl", "priority"];
/// Shards whose instances' memory is measured.
const SHARDS: u32 = 32;

/// The policies in the sandbox that are measured.
struct Bench {
    noop: Arc<Policy>,
    by_hand: Arc<Policy>,
    s3_fifo: Arc<Policy>,
    native: Arc<dyn EvictorFactory>,
}

/// Runs it all.
///
/// # Errors
/// When a policy is missing or breaks a rule.
pub fn run(options: &Options) -> Result<Vec<Table>> {
    let bench = Bench::new(options)?;
    Ok(vec![
        bench.calls(options)?,
        bench.replay(options)?,
        bench.memory(options)?,
    ])
}

/// The text of a policy of that kind that keeps all as it was asked for.
pub(crate) fn noop(kind: &str) -> String {
    calls::noop(&[kind])
}

impl Bench {
    fn new(options: &Options) -> Result<Self> {
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        let load = |name: &str, module: &[u8]| {
            sandbox.load(
                name,
                module,
                &Settings::default(),
                Arc::<Figures>::default(),
            )
        };
        let file = options.policies.join("s3-fifo.wasm");
        let module = fs::read(&file)
            .with_context(|| format!("{}: run cargo xtask policies first", file.display()))?;
        Ok(Self {
            noop: load("noop", &wat::parse_str(calls::noop(&KINDS))?)?,
            by_hand: load("by-hand", &wat::parse_str(calls::BY_HAND)?)?,
            s3_fifo: load("s3-fifo", &module)?,
            native: native("s3-fifo", S3Fifo::default),
        })
    }

    /// The smallest calls there are.
    fn calls(&self, options: &Options) -> Result<Table> {
        let mut rows = Vec::new();
        for (name, measure) in calls::MEASUREMENTS {
            let mut sample = Sample::default();
            for _ in 0..options.runs {
                sample.add(measure(self, options.calls)?);
            }
            rows.push(vec![
                Cell::text(name),
                Cell::Number(sample.median(), 1),
                Cell::Range(sample, 1),
            ]);
        }
        let title = format!(
            "Crossing, policies that do nothing; medians of {} runs of {} calls",
            options.runs, options.calls
        );
        Ok(Table {
            title,
            columns: &["what", "ns", "range"],
            rows,
        })
    }

    /// S3-FIFO in both forms, from one recording.
    fn replay(&self, options: &Options) -> Result<Table> {
        let mut recorder = self.build(None)?;
        let recording = Recording::make(&mut *recorder, options.keys, options.requests)?;
        let mut samples = [Sample::default(), Sample::default()];
        for _ in 0..options.runs {
            for (sample, policy) in samples.iter_mut().zip([None, Some(&self.s3_fifo)]) {
                let mut evictor = self.build(policy)?;
                sample.add(recording.replay(&mut *evictor)?);
            }
        }
        let base = samples[0].median();
        let names = ["native s3-fifo", "s3-fifo in wasmtime"];
        let row = |(name, sample): (&str, Sample)| {
            vec![
                Cell::text(name),
                Cell::Number(sample.median(), 1),
                Cell::Range(sample.clone(), 1),
                Cell::Number(sample.median() / base, 2),
            ]
        };
        let title = format!(
            "S3-FIFO, one shard, {} keys by zipf 0.99, a tenth fits, batches of 256; medians of {} \
             interleaved replays of {} requests; victims are the same",
            options.keys, options.runs, options.requests
        );
        Ok(Table {
            title,
            columns: &["policy", "ns/request", "range", "× native"],
            rows: names.into_iter().zip(samples).map(row).collect(),
        })
    }

    /// Linear memory of instances that have been full for a while.
    fn memory(&self, options: &Options) -> Result<Table> {
        let mut bytes = [0_usize; 2];
        for (sum, policy) in bytes.iter_mut().zip([None, Some(&self.s3_fifo)]) {
            for _ in 0..SHARDS {
                let mut evictor = self.build(policy)?;
                recording::churn(&mut *evictor, options.entries / SHARDS)?;
                *sum += evictor.memory_bytes();
            }
        }
        let row = |(name, bytes): (&str, usize)| {
            vec![
                Cell::text(name),
                Cell::Number(bytes as f64 / f64::from(options.entries), 1),
            ]
        };
        let names = ["native s3-fifo", "s3-fifo in wasmtime, linear memory"];
        Ok(Table {
            title: format!(
                "Memory of S3-FIFO, {} entries in {SHARDS} shards, each entry replaced twice",
                options.entries
            ),
            columns: &["policy", "B/entry"],
            rows: names.into_iter().zip(bytes).map(row).collect(),
        })
    }

    fn build(&self, policy: Option<&Arc<Policy>>) -> Result<Box<dyn Evictor>> {
        let built = match policy {
            None => self.native.build(1, u64::MAX),
            Some(policy) => policy.evictor(1, u64::MAX),
        };
        built.map_err(|unfit| anyhow!("{unfit}"))
    }
}
