//! What prediction gains where clients go through playlists, and what it costs where nothing can be foretold: hits, latency
//! of GET, processor time. Memory holds a part of the keys, the disk all of them.

mod requests;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use hdrhistogram::Histogram;

use crate::Sample;
use crate::client::{Values, ahead, hits_and_misses, load};
use crate::reader::{self, Pace};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server};
pub use requests::Requests;
use requests::{Asked, PLAYLIST};

/// Bytes of a value.
const VALUE_BYTES: usize = 500;
/// The threads of prediction: who foretells, and who trains.
const THREADS: [&str; 2] = ["larder-predict", "larder-train"];

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keys there are
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub keys: u64,
    /// Connections that read, each one key at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub readers: u32,
    /// Keys a second that each asks for; 0: as many as are answered
    #[arg(long, value_delimiter = ',', default_values_t = [100, 0], value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub rates: Vec<u32>,
    /// Seconds before anything is measured, in which a model is trained
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub learning: u64,
    /// Seconds of each run before it is measured: what was foretold before the others' turns is over then
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub settling: u64,
    /// Seconds of each run that are measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Runs of each server, taking turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Memory of the servers
    #[arg(long, default_value_t = 16)]
    pub memory_mib: u64,
    /// Only these requests
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Requests::ALL)]
    pub requests: Vec<Requests>,
}

/// How a server predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does not.
    Off,
    /// As it does when it is turned on.
    On,
    /// The same, and a new model is begun as soon as there is anything new to learn from.
    Training,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::On, Self::Training];

    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Training => "on, training all the time",
        }
    }

    /// However slow the disk is, what lies there is answered.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Off => &["--l2-timeout", "30s"],
            Self::On => &["--l2-timeout", "30s", "--predict-enabled"],
            Self::Training => &[
                "--l2-timeout",
                "30s",
                "--predict-enabled",
                "--predict-interval",
                "1s",
                "--predict-min-data-points",
                "100",
            ],
        }
    }
}

/// The figures of a server under some requests.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was asked for.
    pub requests: Requests,
    /// How often, by each connection; 0: as often as it was answered.
    pub rate: u32,
    /// How the server predicts.
    pub mode: Mode,
    /// Requests a second.
    pub asked: Sample,
    /// Percent of the reads that memory answered.
    pub hits: Sample,
    /// Microseconds: the middle, the 99th and the 99.9th percentile.
    pub latency_us: [Sample; 3],
    /// Microseconds of processor time a request, of the whole server.
    pub cpu_us: Sample,
    /// Percent of a processor that the server took.
    pub cpu_percent: Sample,
    /// Percent of that: who foretells, and who trains.
    pub threads_percent: [Sample; 2],
    /// Percent of what was fetched that was asked for, where anything was.
    pub precision: Sample,
}

/// A server with prediction or without, and those who ask it.
struct Contestant {
    mode: Mode,
    server: Server,
    clients: Vec<Asked>,
}

/// Starts a server of each mode for each kind of requests, and lets them take turns.
///
/// # Errors
/// When a server cannot be started, breaks, or answers anything but the value.
pub fn run(larder: &Path, options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &requests in &options.requests {
        let contestant = |mode| Contestant::start(larder.to_path_buf(), mode, requests, options);
        let mut contestants = Mode::ALL
            .into_iter()
            .map(contestant)
            .collect::<Result<Vec<_>>>()?;
        let rate = options.rates.iter().copied().max().unwrap_or_default();
        let time = Duration::from_secs(options.learning);
        // Nobody looks at how long that takes.
        thread::scope(|scope| {
            let learning: Vec<_> = contestants
                .iter_mut()
                .map(|contestant| scope.spawn(move || contestant.ask(rate, time)))
                .collect();
            reader::all_of(learning)
        })?;
        for &rate in &options.rates {
            let mut of_rate = Mode::ALL.map(|mode| Row::new(requests, rate, mode));
            for _ in 0..options.runs {
                for (row, contestant) in of_rate.iter_mut().zip(&mut contestants) {
                    let measured = row.measure(contestant, options);
                    let name = contestant.mode.name();
                    measured.with_context(|| format!("{}, prediction {name}", requests.name()))?;
                }
            }
            rows.extend(of_rate);
        }
    }
    Ok(rows)
}

impl Contestant {
    fn start(program: PathBuf, mode: Mode, requests: Requests, options: &Options) -> Result<Self> {
        let kind = Kind::Larder {
            program,
            threads: Some(1),
            policies: Vec::new(),
            l2: "disk".to_owned(),
            flags: mode.flags(),
        };
        let server = Server::start(&kind, Some(options.memory_mib))?;
        let values = Values {
            bytes: VALUE_BYTES,
            expiring: false,
        };
        load(&server, 0..options.keys, values)?;
        Ok(Self {
            mode,
            server,
            clients: Asked::by_all(requests, options.keys, options.readers)?,
        })
    }

    /// Has all clients go on asking.
    fn ask(&mut self, rate: u32, time: Duration) -> Result<Histogram<u64>> {
        let (address, readers) = (self.server.address(), self.clients.len() as u32);
        thread::scope(|scope| {
            let reading: Vec<_> = (0..readers)
                .zip(&mut self.clients)
                .map(|(number, keys)| {
                    let pace = Pace::of(rate, (number, readers), time);
                    scope.spawn(move || reader::read(address, keys, VALUE_BYTES, pace))
                })
                .collect();
            reader::all_of(reading)
        })
    }
}

/// What a server has counted so far.
struct Counted {
    at: Instant,
    cpu: Duration,
    threads: [Duration; 2],
    /// Hits and misses.
    found: [u64; 2],
    /// Of what was fetched ahead: used and wasted.
    ahead: [u64; 2],
}

impl Counted {
    fn by(server: &Server) -> Result<Self> {
        let [foretells, trains] = THREADS;
        Ok(Self {
            found: hits_and_misses(server)?,
            ahead: ahead(server)?,
            threads: [server.cpu_of(foretells)?, server.cpu_of(trains)?],
            cpu: server.cpu()?,
            at: Instant::now(),
        })
    }
}

impl Row {
    fn new(requests: Requests, rate: u32, mode: Mode) -> Self {
        Self {
            requests,
            rate,
            mode,
            asked: Sample::default(),
            hits: Sample::default(),
            latency_us: Default::default(),
            cpu_us: Sample::default(),
            cpu_percent: Sample::default(),
            threads_percent: Default::default(),
            precision: Sample::default(),
        }
    }

    /// Adds one run.
    fn measure(&mut self, contestant: &mut Contestant, options: &Options) -> Result<()> {
        contestant.ask(self.rate, Duration::from_secs(options.settling))?;
        let before = Counted::by(&contestant.server)?;
        let latencies = contestant.ask(self.rate, Duration::from_secs(options.seconds))?;
        let after = Counted::by(&contestant.server)?;
        let seconds = (after.at - before.at).as_secs_f64();
        let cpu = (after.cpu - before.cpu).as_secs_f64();
        let count = latencies.len().max(1) as f64;
        self.asked.add(latencies.len() as f64 / seconds);
        self.cpu_us.add(cpu * 1e6 / count);
        self.cpu_percent.add(cpu / seconds * 100.0);
        let threads = after.threads.into_iter().zip(before.threads);
        for (sample, (after, before)) in self.threads_percent.iter_mut().zip(threads) {
            sample.add((after - before).as_secs_f64() / cpu * 100.0);
        }
        let share = |after: [u64; 2], before: [u64; 2]| {
            let [part, rest] = [after[0] - before[0], after[1] - before[1]];
            (part + rest > 0).then(|| part as f64 / (part + rest) as f64 * 100.0)
        };
        let hits = share(after.found, before.found);
        hits.into_iter().for_each(|hits| self.hits.add(hits));
        let precision = share(after.ahead, before.ahead);
        precision
            .into_iter()
            .for_each(|precision| self.precision.add(precision));
        for (sample, quantile) in self.latency_us.iter_mut().zip([0.5, 0.99, 0.999]) {
            sample.add(latencies.value_at_quantile(quantile) as f64);
        }
        Ok(())
    }

    fn cells(&self) -> Vec<Cell> {
        let [middle, p99, p999] = &self.latency_us;
        let [foretells, trains] = &self.threads_percent;
        let rate = match self.rate {
            0 => "any".to_owned(),
            rate => rate.to_string(),
        };
        let precision = Some(self.precision.median()).filter(|percent| !percent.is_nan());
        vec![
            Cell::text(self.requests.name()),
            Cell::text(rate),
            Cell::text(self.mode.name()),
            Cell::Number(self.asked.median(), 0),
            Cell::Number(self.hits.median(), 1),
            Cell::Number(middle.median(), 0),
            Cell::Number(p99.median(), 0),
            Cell::Range(p99.clone(), 0),
            Cell::Number(p999.median(), 0),
            Cell::Number(self.cpu_us.median(), 1),
            Cell::Number(self.cpu_percent.median(), 1),
            Cell::Number(foretells.median(), 1),
            Cell::Number(trains.median(), 1),
            Cell::maybe(precision, 0),
        ]
    }
}

/// The rows as a table.
pub fn table(rows: &[Row], options: &Options) -> Table {
    Table {
        title: format!(
            "{} connections ask for one key at a time, of {} keys with values of {VALUE_BYTES} B, in playlists of {PLAYLIST}, drawn by zipf 0.99 whose favourites change, or by chance; \
             rate: keys a second of each connection, any: as many as are answered; {} MiB of memory above the disk, one worker; latency of GET in microseconds, counted from when it was due; \
             after {} s, medians of {} interleaved runs of {} s, each after {} s of the same",
            options.readers,
            options.keys,
            options.memory_mib,
            options.learning,
            options.runs,
            options.seconds,
            options.settling
        ),
        columns: &[
            "requests",
            "rate",
            "prediction",
            "GET/s",
            "hits %",
            "p50",
            "p99",
            "p99, range",
            "p99.9",
            "CPU µs a GET",
            "CPU %",
            "of it: foretells %",
            "trains %",
            "precision %",
        ],
        rows: rows.iter().map(Row::cells).collect(),
    }
}
