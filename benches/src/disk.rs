//! The disk tier alone: latency of hits beside writes, restart, memory of its index, write amplification.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use larder_engine::tier::{Stored, Tier, TierChange, TierFigures, TierKey, TierKeyBuf};
use larder_tiers::disk::{Disk, DiskOptions, Plain};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{Builder, Runtime};

use crate::Sample;
use crate::report::{Cell, Table};

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Entries that are there
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub entries: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(8..))]
    pub value_bytes: u64,
    /// Hits a second, all in the page cache
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub hits_s: u64,
    /// Writes a second beside them
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub writes_s: u64,
    /// Seconds of that
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Seed of the keys drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Changes that are written at once, as a busy queue hands them over.
const BATCH: u64 = 50;
/// Bytes that an entry takes beside its value, about: key, head, checksums, line in the footer.
const BESIDE_BYTES: u64 = 100;
const NOW: u64 = 1_700_000_000_000;

/// A tier in a folder, and what it needs to be waited for.
struct Subject {
    disk: Disk,
    runtime: Runtime,
    value_bytes: u64,
}

impl Subject {
    fn open(folder: &Path, bytes_max: u64, value_bytes: u64) -> Result<Self> {
        let options = DiskOptions {
            folder: folder.into(),
            bytes_max,
            sync_every: None,
            read_timeout: Duration::from_secs(10),
        };
        Ok(Self {
            disk: Disk::open(&options, Arc::new(Plain), NOW)?,
            runtime: Builder::new_current_thread().enable_time().build()?,
            value_bytes,
        })
    }

    fn close(self) -> TierFigures {
        self.runtime.block_on(self.disk.close());
        self.disk.figures()
    }

    fn write(&self, numbers: impl Iterator<Item = u64>) -> Result<()> {
        let put = |number| TierChange::Put(key(number), Arc::new(self.stored(number)));
        let changes: Vec<_> = numbers.map(put).collect();
        for result in self.runtime.block_on(self.disk.write(&changes, NOW)) {
            result?;
        }
        Ok(())
    }

    fn fill(&self, entries: u64) -> Result<()> {
        for first in (0..entries).step_by(BATCH as usize) {
            self.write(first..entries.min(first + BATCH))?;
        }
        Ok(())
    }

    fn stored(&self, number: u64) -> Stored {
        let mut value = number.to_le_bytes().to_vec();
        let mut random = StdRng::seed_from_u64(number);
        value.resize_with(self.value_bytes as usize, || random.random());
        Stored {
            value: value.into(),
            ..Stored::default()
        }
    }
}

fn key(number: u64) -> TierKeyBuf {
    TierKey {
        tenant: "t",
        db: 0,
        bytes: format!("key:{number:012}").as_bytes(),
    }
    .to_owned()
}

/// Runs it all, in a temporary folder.
///
/// # Errors
/// When the disk fails, or a value does not come back as it was.
pub fn run(options: &Options) -> Result<Vec<Table>> {
    Ok(vec![standing(options)?, amplification(options)?])
}

/// One figure of several runs.
fn row(what: &str, sample: Sample, decimals: usize) -> Vec<Cell> {
    let median = Cell::Number(sample.median(), decimals);
    vec![Cell::text(what), median, Cell::Range(sample, decimals)]
}

fn standing(options: &Options) -> Result<Table> {
    let mut samples: [Sample; 7] = Default::default();
    for run in 0..options.runs {
        let folder = tempfile::tempdir()?;
        let bytes_max = (options.entries * (options.value_bytes + BESIDE_BYTES) * 2).max(64 << 20);
        let open = || Subject::open(folder.path(), bytes_max, options.value_bytes);
        let begun = Instant::now();
        let subject = open()?;
        subject.fill(options.entries)?;
        samples[0].add(options.entries as f64 / begun.elapsed().as_secs_f64());
        subject.close();
        let begun = Instant::now();
        let subject = open()?;
        samples[1].add(begun.elapsed().as_secs_f64() * 1e3);
        let figures = subject.disk.figures();
        ensure!(
            figures.entries == options.entries,
            "entries are missing after a restart"
        );
        let latencies = latencies(&subject, options, u64::from(run))?;
        for (sample, quantile) in samples[2..5].iter_mut().zip([0.5, 0.99, 0.999]) {
            sample.add(latencies.value_at_quantile(quantile) as f64 / 1e3);
        }
        let figures = subject.disk.figures();
        samples[5].add(figures.index_bytes as f64 / figures.entries as f64);
        // Not closed: its last segment has no footer.
        drop(subject);
        let begun = Instant::now();
        let subject = reopened(open)?;
        samples[6].add(begun.elapsed().as_secs_f64() * 1e3);
        subject.close();
    }
    let [fill, restart, p50, p99, p999, index, crash] = samples;
    Ok(Table {
        title: format!(
            "{} entries of {} bytes; {} hits/s from page cache beside {} writes/s, for {} s; median and range of {} runs",
            options.entries,
            options.value_bytes,
            options.hits_s,
            options.writes_s,
            options.seconds,
            options.runs
        ),
        columns: &["what", "median", "range"],
        rows: vec![
            row("puts a second, 50 at once", fill, 0),
            row("hit, p50, µs", p50, 1),
            row("hit, p99, µs", p99, 1),
            row("hit, p99.9, µs", p999, 1),
            row("index, bytes an entry", index, 1),
            row("open after a good end, ms", restart, 0),
            row("open after a crash, ms", crash, 0),
        ],
    })
}

/// Opens what was dropped, as soon as its writer has noticed.
fn reopened(open: impl Fn() -> Result<Subject>) -> Result<Subject> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(_) if begun.elapsed() < Duration::from_secs(10) => thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Of hits that come twenty at a time, each millisecond when it is due, in nanoseconds.
fn latencies(subject: &Subject, options: &Options, seed: u64) -> Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let writer = Builder::new_current_thread().enable_time().build()?;
            let begun = Instant::now();
            for batch in 0..options.writes_s * options.seconds / BATCH {
                let numbers = batch * BATCH..(batch + 1) * BATCH;
                let put = |number| TierChange::Put(key(number), Arc::new(subject.stored(number)));
                let changes: Vec<_> = numbers
                    .map(|number| put(number % options.entries))
                    .collect();
                for result in writer.block_on(subject.disk.write(&changes, NOW)) {
                    result?;
                }
                wait_until(
                    begun
                        + Duration::from_secs_f64(
                            ((batch + 1) * BATCH) as f64 / options.writes_s as f64,
                        ),
                );
            }
            anyhow::Ok(())
        });
        let mut random = StdRng::seed_from_u64(options.seed + seed);
        let begun = Instant::now();
        for millisecond in 0..options.seconds * 1000 {
            wait_until(begun + Duration::from_millis(millisecond));
            for _ in 0..options.hits_s / 1000 {
                let number = random.random_range(0..options.entries);
                let key = key(number);
                let asked = Instant::now();
                let found = subject.runtime.block_on(subject.disk.read(&key, NOW))?;
                latencies.record(asked.elapsed().as_nanos() as u64)?;
                let found = found.context("an entry is missing")?;
                ensure!(
                    found.value.starts_with(&number.to_le_bytes()),
                    "another entry's value"
                );
            }
        }
        writes
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))?
    })?;
    Ok(latencies)
}

fn wait_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}

/// Bytes written for each byte of what was put, when keys drawn at random are overwritten in a tier that they fill to
/// so many percent.
fn amplification(options: &Options) -> Result<Table> {
    let each_bytes = options.value_bytes + BESIDE_BYTES;
    let entries = (options.entries / 10).max(1_000);
    let mut rows = Vec::new();
    for percent in [10, 30, 50, 65, 100, 200] {
        let folder = tempfile::tempdir()?;
        let bytes_max = (entries * each_bytes * 100 / percent).max(1 << 20);
        let subject = Subject::open(folder.path(), bytes_max, options.value_bytes)?;
        let mut random = StdRng::seed_from_u64(options.seed);
        subject.fill(entries)?;
        let before = subject.disk.figures();
        for _ in 0..bytes_max * 2 / each_bytes / BATCH {
            subject.write((0..BATCH).map(|_| random.random_range(0..entries)))?;
        }
        let after = subject.close();
        let put_bytes = (after.put_bytes - before.put_bytes) as f64;
        let written_bytes = (after.written_bytes - before.written_bytes) as f64;
        rows.push(vec![
            Cell::text(format!("{percent} %")),
            Cell::Number(written_bytes / put_bytes, 2),
            Cell::Number(after.evictions as f64, 0),
        ]);
    }
    Ok(Table {
        title: format!(
            "Overwriting {entries} entries of {} bytes at random, twice the bound, by how much of the bound they take",
            options.value_bytes
        ),
        columns: &["entries take", "bytes written for one put", "evictions"],
        rows,
    })
}
