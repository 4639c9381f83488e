//! What those who read from memory wait for while the Redis below it is in trouble, and others miss and write.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use larder_resp::encode_command;
use rustix::process::Signal;

use super::{Figures, Options};
use crate::client::{Values, connect, key, load};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server};
use crate::store::VALUE_BYTES;

/// Keys that are read: they are written down to Redis before each run.
const KEYS_MAX: u64 = 100_000;
/// Connections that miss and write.
const OTHERS: u32 = 16;
/// What each of them waits between one key and the next: no more is asked of a server that answers sooner.
const PAUSE: Duration = Duration::from_millis(10);
/// A slow Redis stands still for so long, and then goes on as long as [`PAUSE`].
const STILL: Duration = Duration::from_millis(100);
/// By then a server hears what others do.
const HEARING_MAX: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_secs(1);
/// In so many lines INFO says whether it does.
const INFO_LINES_MAX: usize = 20;
/// The p99 of readers is to stay within so many times the one over a Redis in good health, and so much.
const BOUND: (f64, f64) = (1.5, 200.0);

/// How the Redis below is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trouble {
    /// It answers.
    None,
    /// It stands still most of the time, a tenth of a second each.
    Slow,
    /// It stands still, and its connections stay.
    Hung,
    /// It has ended.
    Dead,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Slow, Self::Hung, Self::Dead];

    fn name(self) -> &'static str {
        match self {
            Self::None => "answers",
            Self::Slow => "stands still, 100 ms of 110",
            Self::Hung => "stands still",
            Self::Dead => "was killed",
        }
    }

    fn begin(self, redis: &Server) -> Result<()> {
        match self {
            Self::None | Self::Slow => Ok(()),
            Self::Hung => redis.signal(Signal::STOP),
            Self::Dead => redis.signal(Signal::KILL),
        }
    }

    /// Threads beside the others.
    fn threads(self) -> u32 {
        u32::from(self == Self::Slow)
    }
}

/// What was found in one state of Redis.
#[derive(Debug, Clone)]
pub struct Row {
    /// The state.
    pub trouble: Trouble,
    /// What was found.
    pub figures: Figures,
}

/// Each run has a Redis and a server of its own; the states take turns.
///
/// # Errors
/// When a server cannot be started, breaks, or answers who reads anything but the value.
pub fn run(larder: &Path, options: &Options) -> Result<Vec<Row>> {
    let row = |trouble: &Trouble| Row {
        trouble: *trouble,
        figures: Figures::default(),
    };
    let mut rows: Vec<_> = options.troubles.iter().map(row).collect();
    let options = Options {
        keys: options.keys.min(KEYS_MAX),
        ..options.clone()
    };
    for _ in 0..options.runs {
        for row in &mut rows {
            let measured = row.measure(larder, &options);
            measured.with_context(|| format!("over a Redis that {}", row.trouble.name()))?;
        }
    }
    Ok(rows)
}

impl Row {
    /// Adds one run.
    fn measure(&mut self, larder: &Path, options: &Options) -> Result<()> {
        let redis = Server::start(&Kind::Redis, None)?;
        let kind = Kind::Larder {
            program: larder.to_path_buf(),
            threads: None,
            policies: Vec::new(),
            l2: format!("redis://{}", redis.address()),
            flags: &[],
        };
        let server = Server::start(&kind, Some(options.memory_mib))?;
        let values = Values {
            bytes: VALUE_BYTES,
            expiring: false,
        };
        await_hearing(server.address())?;
        load(&server, 0..options.keys, values)?;
        self.trouble.begin(&redis)?;
        let go_on = |number, stop: &AtomicBool, done: &AtomicU64| match number < OTHERS {
            true => miss_and_write(server.address(), options.keys, stop, done),
            false => stand_still(&redis, stop),
        };
        let threads = OTHERS + self.trouble.threads();
        self.figures.measure(&server, options, threads, go_on)
    }
}

/// Waits until the server hears what others do: what came into memory before is asked for anew.
fn await_hearing(address: SocketAddr) -> Result<()> {
    let began = Instant::now();
    loop {
        let mut stream = connect(address)?;
        stream.write_all(b"INFO tiers\r\n")?;
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let is_deaf = |line: String| {
            line.split(',')
                .find_map(|part| Some(part.strip_prefix("deaf=")? != "0"))
        };
        let mut lines = lines.take(INFO_LINES_MAX).filter_map(is_deaf);
        if lines.next() == Some(false) {
            // It says so a moment before its memory knows.
            thread::sleep(SETTLED);
            return Ok(());
        }
        ensure!(
            began.elapsed() < HEARING_MAX,
            "the server does not hear what others do"
        );
        thread::sleep(PAUSE);
    }
}

/// Asks for keys that are nowhere and writes them, whatever is answered.
fn miss_and_write(
    address: SocketAddr,
    keys: u64,
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Result<()> {
    let mut stream = BufReader::new(connect(address)?);
    let value = [b'v'; VALUE_BYTES];
    let (mut request, mut line) = (Vec::new(), String::new());
    while !stop.load(Ordering::Acquire) {
        let key = key(keys + done.fetch_add(1, Ordering::Relaxed));
        for args in [
            &[b"GET", key.as_bytes()][..],
            &[b"SET", key.as_bytes(), &value],
        ] {
            request.clear();
            encode_command(&mut request, args);
            stream.get_mut().write_all(&request)?;
            line.clear();
            // A null, a word or an error: a line in any case.
            stream.read_line(&mut line)?;
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Redis stands still, goes on for a moment, and so on. In the end it goes on.
fn stand_still(redis: &Server, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Acquire) {
        redis.signal(Signal::STOP)?;
        thread::sleep(STILL);
        redis.signal(Signal::CONT)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The rows as a table.
pub fn table(rows: &[Row], options: &Options) -> Table {
    let healthy = rows.iter().find(|row| row.trouble == Trouble::None);
    let bound_us = healthy.map(|row| row.figures.latency_us[1].median() * BOUND.0 + BOUND.1);
    let cells = |row: &Row| {
        let [middle, p99, p999, most] = &row.figures.latency_us;
        vec![
            Cell::text(row.trouble.name()),
            Cell::Number(row.figures.done.median(), 0),
            Cell::Number(middle.median(), 0),
            Cell::Number(p99.median(), 0),
            Cell::Range(p99.clone(), 0),
            Cell::maybe(bound_us, 0),
            Cell::Number(p999.median(), 0),
            Cell::Number(most.median(), 0),
        ]
    };
    Table {
        title: format!(
            "Latency of GET of keys in memory, in microseconds, over a Redis in trouble: {} connections ask for {} keys a second each, while {OTHERS} others ask for a key              that is nowhere and write it, then wait for 10 ms; counted as above; medians of {} interleaved runs of {} s",
            options.readers, options.rate, options.runs, options.seconds
        ),
        columns: &[
            "Redis",
            "of others a second",
            "p50",
            "p99",
            "p99, range",
            "p99, at most",
            "p99.9",
            "most",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}
