//! How fast the simulator is: what a request takes on one core, natively and in WebAssembly.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use larder::simulate;
use larder_simulator::Interner;
use larder_simulator::Request;
use larder_simulator::trace::{Columns, Generator, Record, TraceFile};

use crate::Sample;
use crate::report::{Cell, Table};

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The trace that is replayed; one is made up where none is named
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Requests of the trace that is made up
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub requests: u32,
    /// Runs of each, taking turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Folder of the policies, as `cargo xtask policies` leaves them
    #[arg(long, default_value = "target/policies")]
    pub policies: PathBuf,
}

/// The policies that are replayed, each natively and in WebAssembly.
const POLICIES: [&str; 2] = ["lru", "s3-fifo"];
/// The part of the footprint that fits.
const PART: u64 = 10;
/// Requests that are made at once, as the simulator does.
const CHUNK: usize = 16 * 1024;

/// Runs it all.
///
/// # Errors
/// When a trace cannot be read, or a policy is missing or breaks a rule.
pub fn run(options: &Options) -> Result<Table> {
    let (name, requests, footprint) = match &options.trace {
        Some(trace) => read(trace)?,
        None => made(options.requests)?,
    };
    let capacity = (footprint / PART).max(1);
    let file = |policy: &str| options.policies.join(format!("{policy}.wasm"));
    let specs = POLICIES.map(|policy| [policy.to_owned(), file(policy).display().to_string()]);
    let mut samples = vec![[Sample::default(), Sample::default()]; POLICIES.len()];
    for _ in 0..options.runs {
        for (specs, samples) in specs.iter().zip(&mut samples) {
            for (spec, sample) in specs.iter().zip(samples) {
                sample.add(replay(spec, capacity, &requests)?);
            }
        }
    }
    let mut rows = Vec::new();
    for (policy, [native, wasm]) in POLICIES.iter().zip(samples) {
        let base = native.median();
        for (runtime, sample) in [("native", native), ("wasm", wasm)] {
            rows.push(vec![
                Cell::text(*policy),
                Cell::text(runtime),
                Cell::Number(1e3 / sample.median(), 1),
                Cell::Number(sample.median(), 1),
                Cell::Number(sample.median() / base, 2),
                Cell::Range(sample, 1),
            ]);
        }
    }
    Ok(Table {
        title: format!(
            "Simulator, one core: {} requests of {name}, a tenth of the footprint fits; medians of {} interleaved runs",
            requests.len(),
            options.runs
        ),
        columns: &[
            "policy",
            "runtime",
            "M requests/s",
            "ns/request",
            "× native",
            "ns/request, range",
        ],
        rows,
    })
}

/// Nanoseconds a request.
fn replay(spec: &str, capacity: u64, requests: &[Request]) -> Result<f64> {
    let mut cell = simulate::cell(spec, capacity, 1, 1)?;
    let start = Instant::now();
    for chunk in requests.chunks(CHUNK) {
        cell.run(chunk)
            .map_err(|fault| anyhow!("{spec}: {fault}"))?;
    }
    Ok(start.elapsed().as_nanos() as f64 / requests.len() as f64)
}

fn read(trace: &Path) -> Result<(String, Vec<Request>, u64)> {
    let records = TraceFile::open(trace, &Columns::default());
    let records = records.with_context(|| trace.display().to_string())?;
    let records: Vec<Record> = records.collect::<Result<_, _>>()?;
    let (requests, footprint) = number(&records)?;
    Ok((TraceFile::name(trace), requests, footprint))
}

fn made(requests: u32) -> Result<(String, Vec<Request>, u64)> {
    let generator = Generator {
        requests: requests as usize,
        objects: u64::from(requests / 5),
        ..Generator::default()
    };
    let (requests, footprint) = number(&generator.records())?;
    Ok(("a made-up trace".to_owned(), requests, footprint))
}

/// The requests, and the sum of their objects' sizes.
fn number(records: &[Record]) -> Result<(Vec<Request>, u64)> {
    let mut interner = Interner::default();
    let mut footprint = 0;
    let mut requests = Vec::with_capacity(records.len());
    for record in records {
        let numbered = interner.request(record);
        let (request, is_first) = numbered.ok_or_else(|| anyhow!("there are too many objects"))?;
        footprint += u64::from(is_first) * u64::from(record.size_bytes);
        requests.push(request);
    }
    Ok((requests, footprint))
}
