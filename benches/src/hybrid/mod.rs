//! What a hit costs by where the value is, in caches of memory and disk inside a program.

mod store;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Sample;
use crate::report::{Cell, Table};
pub use store::Kind;
use store::Store;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Entries that are there
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub entries: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(8..))]
    pub value_bytes: u64,
    /// Bytes of memory, in MiB
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(4..))]
    pub memory_mib: u64,
    /// Reads of each kind
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub reads: u64,
    /// Writes a second while the caches are filled, so that none drops what it is given
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub writes_s: u64,
    /// Runs, the caches in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Seed of the keys drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Where the values are that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A few, read over and over.
    Memory,
    /// Any of all, of which memory holds a part.
    Disk,
    /// Nowhere.
    Nowhere,
}

impl Place {
    const ALL: [Self; 3] = [Self::Memory, Self::Disk, Self::Nowhere];
    /// Keys that are read over and over.
    const FEW: u64 = 500;

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            Self::Disk => "on disk, from the page cache",
            Self::Nowhere => "nowhere",
        }
    }

    fn draw(self, entries: u64, random: &mut StdRng) -> u64 {
        match self {
            Self::Memory => random.random_range(0..Self::FEW.min(entries)),
            Self::Disk => random.random_range(0..entries),
            Self::Nowhere => random.random_range(entries..2 * entries),
        }
    }
}

/// What one cache takes for reads of one kind.
#[derive(Default)]
struct Figures {
    p50_us: Sample,
    p99_us: Sample,
    cpu_us: Sample,
    found_percent: Sample,
}

/// Runs it all, in temporary folders.
///
/// # Errors
/// When a cache fails, or answers with another entry's value.
pub fn run(options: &Options) -> Result<Table> {
    let mut figures: Vec<[Figures; Place::ALL.len()]> = Vec::new();
    figures.resize_with(Kind::ALL.len(), Default::default);
    for run in 0..options.runs {
        for (kind, figures) in Kind::ALL.into_iter().zip(&mut figures) {
            once(kind, options, u64::from(run), figures)
                .with_context(|| format!("{} failed", kind.name()))?;
        }
    }
    let mut rows = Vec::new();
    for (at, place) in Place::ALL.into_iter().enumerate() {
        for (kind, figures) in Kind::ALL.into_iter().zip(&figures) {
            let Figures {
                p50_us,
                p99_us,
                cpu_us,
                found_percent,
            } = &figures[at];
            rows.push(vec![
                Cell::text(place.name()),
                Cell::text(kind.name()),
                Cell::Number(p50_us.median(), 2),
                Cell::Number(p99_us.median(), 1),
                Cell::Number(cpu_us.median(), 2),
                Cell::Range(cpu_us.clone(), 2),
                Cell::Number(found_percent.median(), 1),
            ]);
        }
    }
    Ok(Table {
        title: format!(
            "{} entries of {} bytes, {} MiB of memory, default policies; {} reads of each kind by one thread; medians of {} runs in turn",
            options.entries, options.value_bytes, options.memory_mib, options.reads, options.runs
        ),
        columns: &[
            "value",
            "cache",
            "p50 µs",
            "p99 µs",
            "CPU µs/op",
            "range",
            "found %",
        ],
        rows,
    })
}

fn once(
    kind: Kind,
    options: &Options,
    run: u64,
    figures: &mut [Figures; Place::ALL.len()],
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = kind.open(folder.path(), options)?;
    fill(&*store, options)?;
    for (place, figures) in Place::ALL.into_iter().zip(figures) {
        let mut random = StdRng::seed_from_u64(options.seed + run);
        let draw = |random: &mut StdRng| place.draw(options.entries, random);
        // As a program would: what is missing is put, so that what a cache has dropped is there again.
        for _ in 0..options.reads / 4 {
            let number = draw(&mut random);
            if store.get(number)?.is_none() && place != Place::Nowhere {
                store.put(number)?;
            }
        }
        let mut latencies = Histogram::<u64>::new(3)?;
        let mut found = 0;
        let cpu = process_cpu()?;
        for _ in 0..options.reads {
            let number = draw(&mut random);
            let asked = Instant::now();
            let value = store.get(number)?;
            latencies.record(asked.elapsed().as_nanos() as u64)?;
            ensure!(
                value.is_none_or(|value| value == number),
                "another entry's value"
            );
            found += u64::from(value.is_some());
        }
        let cpu = process_cpu()? - cpu;
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        figures.p50_us.add(at(0.5));
        figures.p99_us.add(at(0.99));
        let reads = options.reads as f64;
        figures.cpu_us.add(cpu.as_secs_f64() * 1e6 / reads);
        figures.found_percent.add(100.0 * found as f64 / reads);
    }
    store.close()
}

/// Writes all entries, no faster than asked for.
fn fill(store: &dyn Store, options: &Options) -> Result<()> {
    const BURST: u64 = 100;
    let begun = Instant::now();
    for number in 0..options.entries {
        store.put(number)?;
        if number % BURST == 0 {
            let due = begun + Duration::from_secs_f64(number as f64 / options.writes_s as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    Ok(())
}

/// Processor time of all threads of this process, from the scheduler's own count.
fn process_cpu() -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split_whitespace().next();
        nanoseconds += first.context("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
