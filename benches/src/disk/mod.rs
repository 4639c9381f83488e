//! The disk tier and rivals of it: latency of hits beside writes, restart, what outlives a crash, write amplification.

mod fjall;
mod foyer;
mod larder;
mod store;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub use store::Kind;
use store::{KEY_BYTES, Store};
pub(crate) use store::{key, number, value};

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
    /// Which stores
    #[arg(long, value_delimiter = ',', default_values = ["larder", "foyer", "fjall"])]
    pub stores: Vec<Kind>,
    /// Runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Seed of the keys drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What tells a process that it is to fill a store and crash.
#[derive(Debug, Clone, Args)]
pub struct Crash {
    /// The store's folder
    #[arg(long, hide = true)]
    pub crash_in: Option<PathBuf>,
    /// Which store it is
    #[arg(long, hide = true)]
    crash_of: Option<Kind>,
    /// Its bound
    #[arg(long, hide = true, default_value_t = 0)]
    crash_bytes: u64,
}

/// Changes that are written at once, as a busy queue hands them over.
const BATCH: u64 = 50;
/// Bytes that an entry takes beside its value, about: key, head, checksums, line in the footer.
const BESIDE_BYTES: u64 = 100;

/// Runs it all, in temporary folders; `program` is this benchmark's, which is to crash where that is measured.
///
/// # Errors
/// When a store fails, or a value does not come back as it was.
pub fn run(options: &Options, program: &Path) -> Result<Vec<Table>> {
    Ok(vec![standing(options, program)?, amplification(options)?])
}

fn standing(options: &Options, program: &Path) -> Result<Table> {
    let mut samples: Vec<[Sample; FIGURES.len()]> = Vec::new();
    samples.resize_with(options.stores.len(), Default::default);
    for run in 0..options.runs {
        for (&kind, samples) in options.stores.iter().zip(&mut samples) {
            let figures = once(kind, options, program, u64::from(run))
                .with_context(|| format!("{} failed", kind.name()))?;
            for (sample, figure) in samples.iter_mut().zip(figures) {
                sample.add(figure);
            }
        }
    }
    let mut rows = Vec::new();
    for (at, (what, decimals)) in FIGURES.into_iter().enumerate() {
        for (kind, samples) in options.stores.iter().zip(&samples) {
            let sample = samples[at].clone();
            if sample.median().is_nan() {
                continue;
            }
            let median = Cell::Number(sample.median(), decimals);
            let range = Cell::Range(sample, decimals);
            rows.push(vec![
                Cell::text(what),
                Cell::text(kind.name()),
                median,
                range,
            ]);
        }
    }
    Ok(Table {
        title: format!(
            "{} entries of {} bytes; {} hits/s from page cache beside {} writes/s, for {} s; median and range of {} runs in turn",
            options.entries,
            options.value_bytes,
            options.hits_s,
            options.writes_s,
            options.seconds,
            options.runs
        ),
        columns: &["what", "store", "median", "range"],
        rows,
    })
}

/// What is measured of each store, with its decimals, in the order of [`once`].
const FIGURES: [(&str, usize); 9] = [
    ("puts a second, 50 at once", 0),
    ("open after a good end, ms", 0),
    ("hit, p50, µs", 1),
    ("hit, p99, µs", 1),
    ("hit, p99.9, µs", 1),
    ("reads that found what was put, %", 2),
    ("index, bytes an entry", 1),
    ("open after a crash, ms", 0),
    ("puts that were answered and outlived a crash, %", 2),
];

fn once(kind: Kind, options: &Options, program: &Path, run: u64) -> Result<[f64; FIGURES.len()]> {
    let folder = tempfile::tempdir()?;
    let bytes_max = (options.entries * (options.value_bytes + BESIDE_BYTES) * 2).max(64 << 20);
    let open = |folder: &Path| kind.open(folder, bytes_max, options.value_bytes);
    let begun = Instant::now();
    let store = open(folder.path())?;
    fill(&*store, options.entries)?;
    let puts_s = options.entries as f64 / begun.elapsed().as_secs_f64();
    store.close()?;
    let begun = Instant::now();
    let store = open(folder.path())?;
    let open_ms = begun.elapsed().as_secs_f64() * 1e3;
    let (latencies, found_share) = latencies(&*store, options, run)?;
    let [p50, p99, p999] =
        [0.5, 0.99, 0.999].map(|quantile| latencies.value_at_quantile(quantile) as f64 / 1e3);
    let index_bytes = store.index_bytes().map_or(f64::NAN, |bytes| bytes as f64);
    store.close()?;
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(program);
    crash(
        child.arg("--crash-in").arg(folder.path()),
        kind,
        options,
        bytes_max,
    )?;
    let begun = Instant::now();
    let store = open(folder.path())?;
    let crash_ms = begun.elapsed().as_secs_f64() * 1e3;
    let survivors = (0..options.entries).map(|number| store.has(number));
    let survivors = survivors.sum::<Result<u64>>()?;
    store.close()?;
    let outlived = 100.0 * survivors as f64 / options.entries as f64;
    let index = index_bytes / options.entries as f64;
    let found = 100.0 * found_share;
    Ok([
        puts_s, open_ms, p50, p99, p999, found, index, crash_ms, outlived,
    ])
}

fn fill(store: &dyn Store, entries: u64) -> Result<()> {
    for first in (0..entries).step_by(BATCH as usize) {
        store.put(&Vec::from_iter(first..entries.min(first + BATCH)))?;
    }
    Ok(())
}

/// Fills a store in a process of its own, which ends without any further step as soon as the last put was answered.
fn crash(child: &mut Command, kind: Kind, options: &Options, bytes_max: u64) -> Result<()> {
    child.args(["--entries", &options.entries.to_string()]);
    child.args(["--value-bytes", &options.value_bytes.to_string()]);
    child.args([
        "--crash-of",
        kind.name(),
        "--crash-bytes",
        &bytes_max.to_string(),
    ]);
    let status = child.status()?;
    ensure!(
        status.signal().is_some(),
        "the process that was to crash ended with {status}"
    );
    Ok(())
}

/// What a process does that is started to crash: fills its store and ends. Does not return but for an error.
///
/// # Errors
/// When the store fails first.
pub fn crash_here(options: &Options, crash: &Crash) -> Result<()> {
    let folder = crash.crash_in.as_deref().context("no folder is named")?;
    let kind = crash.crash_of.context("no store is named")?;
    let store = kind.open(folder, crash.crash_bytes, options.value_bytes)?;
    fill(&*store, options.entries)?;
    process::abort()
}

/// Of hits that come twenty at a time, each millisecond when it is due, in nanoseconds; and the share of reads that
/// found something.
fn latencies(store: &dyn Store, options: &Options, seed: u64) -> Result<(Histogram<u64>, f64)> {
    let mut latencies = Histogram::new(3)?;
    let mut reads = 0_u64;
    thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let begun = Instant::now();
            for batch in 0..options.writes_s * options.seconds / BATCH {
                let numbers = batch * BATCH..(batch + 1) * BATCH;
                store.put(&Vec::from_iter(
                    numbers.map(|number| number % options.entries),
                ))?;
                let due = ((batch + 1) * BATCH) as f64 / options.writes_s as f64;
                wait_until(begun + Duration::from_secs_f64(due));
            }
            anyhow::Ok(())
        });
        let mut random = StdRng::seed_from_u64(options.seed + seed);
        let begun = Instant::now();
        for millisecond in 0..options.seconds * 1000 {
            wait_until(begun + Duration::from_millis(millisecond));
            for _ in 0..options.hits_s / 1000 {
                let number = random.random_range(0..options.entries);
                let asked = Instant::now();
                let found = store.get(number)?;
                let took = asked.elapsed();
                reads += 1;
                if let Some(found) = found {
                    latencies.record(took.as_nanos() as u64)?;
                    ensure!(found == number, "another entry's value");
                }
            }
        }
        let ended = writes.join();
        ended.map_err(|_| anyhow!("the writer panicked"))?
    })?;
    let found_share = latencies.len() as f64 / reads as f64;
    Ok((latencies, found_share))
}

fn wait_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}

/// Bytes handed to the operating system for each byte of what was put, when keys drawn at random are overwritten in a
/// store that they fill to so many percent of its bound.
fn amplification(options: &Options) -> Result<Table> {
    let each_bytes = options.value_bytes + BESIDE_BYTES;
    let entries = (options.entries / 10).max(1_000);
    let mut rows = Vec::new();
    for percent in [10, 30, 50, 65, 100, 200] {
        for &kind in &options.stores {
            let folder = tempfile::tempdir()?;
            let bytes_max = (entries * each_bytes * 100 / percent).max(kind.bytes_min());
            let store = kind.open(folder.path(), bytes_max, options.value_bytes)?;
            let mut random = StdRng::seed_from_u64(options.seed);
            fill(&*store, entries)?;
            let before = written_bytes()?;
            let batches = bytes_max * 2 / each_bytes / BATCH;
            for _ in 0..batches {
                store.put(&Vec::from_iter(
                    (0..BATCH).map(|_| random.random_range(0..entries)),
                ))?;
            }
            store.close()?;
            let put_bytes = batches * BATCH * (options.value_bytes + KEY_BYTES);
            let ratio = (written_bytes()? - before) as f64 / put_bytes as f64;
            rows.push(vec![
                Cell::text(format!("{percent} %")),
                Cell::text(kind.name()),
                Cell::Number(ratio, 2),
            ]);
        }
    }
    Ok(Table {
        title: format!(
            "Overwriting {entries} entries of {} bytes at random, twice the bound, by how much of the bound they take",
            options.value_bytes
        ),
        columns: &["entries take", "store", "bytes written for one put"],
        rows,
    })
}

/// What this process has handed to `write` and its like so far.
fn written_bytes() -> Result<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line
        .context("the system does not tell what was written")?
        .parse()?)
}
