//! What those who read wait for while somebody else keeps the server busy: the tail of GET's latency.

mod disturbance;
mod reader;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use hdrhistogram::Histogram;

use crate::Sample;
use crate::client::{Values, load};
use crate::report::{Cell, Table};
use crate::server::Contestant;
use crate::servers::{Kind, Server};
use crate::store::VALUE_BYTES;
pub use disturbance::Disturbance;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keys there are
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: u64,
    /// Connections that read, each one key at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub readers: u32,
    /// Keys a second that each asks for
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Runs of each server, taking turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Memory of the servers
    #[arg(long, default_value_t = 512)]
    pub memory_mib: u64,
    /// Only these disturbances
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Disturbance::ALL)]
    pub disturbances: Vec<Disturbance>,
}

/// Redis, and Larder with one thread and with two.
pub fn contestants(larder: &Path, memory_mib: u64) -> Vec<Contestant> {
    let kinds = [
        Kind::Redis,
        Kind::larder(larder, Some(1)),
        Kind::larder(larder, Some(2)),
    ];
    let contestant = |kind: Kind| Contestant {
        name: kind.name(),
        kind,
        memory_mib: Some(memory_mib),
    };
    kinds.map(contestant).into()
}

/// The figures of one server under one disturbance.
#[derive(Debug, Clone)]
pub struct Row {
    /// The server.
    pub server: String,
    /// What went on meanwhile.
    pub disturbance: Disturbance,
    /// How much of it a second.
    pub done: Sample,
    /// Microseconds: the middle, the 99th and the 99.9th percentile and the most.
    pub latency_us: [Sample; 4],
    /// Replies read.
    pub replies: u64,
}

/// Starts all contestants, fills each with all keys, and lets them take turns.
///
/// # Errors
/// When a server cannot be started, breaks, or answers anything but the value.
pub fn run(contestants: &[Contestant], options: &Options) -> Result<Vec<Row>> {
    let mut servers = Vec::new();
    for Contestant {
        kind, memory_mib, ..
    } in contestants
    {
        let server = Server::start(kind, *memory_mib)?;
        let values = Values {
            bytes: VALUE_BYTES,
            expiring: false,
        };
        load(&server, 0..options.keys, values)?;
        servers.push(server);
    }
    let mut rows = Vec::new();
    for disturbance in options.disturbances.iter().copied() {
        let row = |contestant: &Contestant| Row {
            server: contestant.name.clone(),
            disturbance,
            done: Sample::default(),
            latency_us: Default::default(),
            replies: 0,
        };
        let mut of_servers: Vec<_> = contestants.iter().map(row).collect();
        for _ in 0..options.runs {
            for (row, server) in of_servers.iter_mut().zip(&servers) {
                let measured = row.measure(server, options);
                measured
                    .with_context(|| format!("{} beside {}", row.server, disturbance.name()))?;
            }
        }
        rows.extend(of_servers);
    }
    Ok(rows)
}

impl Row {
    /// Adds one run.
    fn measure(&mut self, server: &Server, options: &Options) -> Result<()> {
        let script = self.disturbance.prepare(server.address())?;
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let time = Duration::from_secs(options.seconds);
        let began = Instant::now();
        let latencies = thread::scope(|scope| -> Result<Histogram<u64>> {
            let (stop, done) = (&stop, &done);
            let script = script.as_str();
            let disturbing: Vec<_> = (0..self.disturbance.threads())
                .map(|_| {
                    let disturbance = self.disturbance;
                    scope.spawn(move || disturbance.go_on(server.address(), script, stop, done))
                })
                .collect();
            let reading: Vec<_> = (0..options.readers)
                .map(|number| {
                    scope.spawn(move || reader::read(server.address(), number, options, time))
                })
                .collect();
            let read = reading.into_iter().map(joined).collect::<Result<Vec<_>>>();
            stop.store(true, Ordering::Release);
            for thread in disturbing {
                joined(thread)?;
            }
            let mut all = reader::histogram()?;
            for of_one in read? {
                all.add(of_one)?;
            }
            Ok(all)
        })?;
        let seconds = began.elapsed().as_secs_f64();
        self.done.add(done.load(Ordering::Relaxed) as f64 / seconds);
        self.replies += latencies.len();
        let at = |quantile: f64| latencies.value_at_quantile(quantile) as f64;
        let found = [at(0.5), at(0.99), at(0.999), latencies.max() as f64];
        for (sample, found) in self.latency_us.iter_mut().zip(found) {
            sample.add(found);
        }
        Ok(())
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let panicked = |_| Err(anyhow::anyhow!("a thread of the benchmark panicked"));
    thread.join().unwrap_or_else(panicked)
}

/// The rows as a table.
pub fn table(rows: &[Row], options: &Options) -> Table {
    let cells = |row: &Row| {
        let [middle, p99, p999, most] = &row.latency_us;
        vec![
            Cell::text(row.disturbance.name()),
            Cell::text(&row.server),
            match row.disturbance {
                Disturbance::Nothing => Cell::Nothing,
                _ => Cell::Number(row.done.median(), 1),
            },
            Cell::Number(middle.median(), 0),
            Cell::Number(p99.median(), 0),
            Cell::Number(p999.median(), 0),
            Cell::Range(p999.clone(), 0),
            Cell::Number(most.median(), 0),
        ]
    };
    Table {
        title: format!(
            "Latency of GET in microseconds while somebody else keeps the server busy: {} connections ask for {} keys a second each, of {} keys with values of 64 B; \
             a request that has to wait for the one before counts from when it was due; medians of {} interleaved runs of {} s",
            options.readers, options.rate, options.keys, options.runs, options.seconds
        ),
        columns: &[
            "meanwhile",
            "server",
            "of it a second",
            "p50",
            "p99",
            "p99.9",
            "p99.9, range",
            "most",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}
