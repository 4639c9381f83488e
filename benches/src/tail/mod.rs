//! What those who read wait for while somebody else keeps the server busy: the tail of GET's latency.

mod disturbance;
pub mod trouble;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Sample;
use crate::client::{Values, load};
use crate::reader::{self, Pace};
use crate::report::{Cell, Table};
use crate::server::Contestant;
use crate::servers::{Kind, Server};
use crate::store::VALUE_BYTES;
pub use disturbance::Disturbance;
pub use trouble::Trouble;

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
    /// Only these states of a Redis below the memory
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Trouble::ALL)]
    pub troubles: Vec<Trouble>,
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

/// What was measured of one server, in all runs.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// How much went on beside the readers, a second.
    pub done: Sample,
    /// Microseconds: the middle, the 99th and the 99.9th percentile and the most.
    pub latency_us: [Sample; 4],
    /// Replies read.
    pub replies: u64,
}

/// The figures of one server under one disturbance.
#[derive(Debug, Clone)]
pub struct Row {
    /// The server.
    pub server: String,
    /// What went on meanwhile.
    pub disturbance: Disturbance,
    /// What was found.
    pub figures: Figures,
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
            figures: Figures::default(),
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
        let (address, disturbance) = (server.address(), self.disturbance);
        let script = disturbance.prepare(address)?;
        let disturb = |_, stop: &_, done: &_| disturbance.go_on(address, &script, stop, done);
        let threads = disturbance.threads();
        self.figures.measure(server, options, threads, disturb)
    }
}

impl Figures {
    /// Adds one run, in which so many threads `go_on` beside the readers: each with its number, until they are to stop, and counting
    /// what they have done.
    fn measure(
        &mut self,
        server: &Server,
        options: &Options,
        threads: u32,
        go_on: impl Fn(u32, &AtomicBool, &AtomicU64) -> Result<()> + Sync,
    ) -> Result<()> {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let time = Duration::from_secs(options.seconds);
        let began = Instant::now();
        let latencies = thread::scope(|scope| -> Result<Histogram<u64>> {
            let (stop, done, go_on) = (&stop, &done, &go_on);
            let disturbing: Vec<_> = (0..threads)
                .map(|number| scope.spawn(move || go_on(number, stop, done)))
                .collect();
            let reading: Vec<_> = (0..options.readers)
                .map(|number| {
                    let mut random = StdRng::seed_from_u64(u64::from(number));
                    let keys = std::iter::repeat_with(move || random.random_range(0..options.keys));
                    let pace = Pace::of(options.rate, (number, options.readers), time);
                    scope.spawn(move || reader::read(server.address(), keys, VALUE_BYTES, pace))
                })
                .collect();
            let read = reader::all_of(reading);
            stop.store(true, Ordering::Release);
            for thread in disturbing {
                reader::joined(thread)?;
            }
            read
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

/// The rows as a table.
pub fn table(rows: &[Row], options: &Options) -> Table {
    let cells = |row: &Row| {
        let [middle, p99, p999, most] = &row.figures.latency_us;
        vec![
            Cell::text(row.disturbance.name()),
            Cell::text(&row.server),
            match row.disturbance {
                Disturbance::Nothing => Cell::Nothing,
                _ => Cell::Number(row.figures.done.median(), 1),
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
