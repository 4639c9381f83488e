//! How long after a change at one server another one that shares its Redis has dropped what it had of the key.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use larder_resp::encode_command;

use crate::client::{connect, key};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server};

/// The other writes come in parts, so often.
const PART_EVERY: Duration = Duration::from_millis(10);
/// Keys of the other writes, beyond those that are listened to.
const OTHERS: u64 = 100_000;
/// Keys from here on mark an end.
const MARKERS: u64 = 900_000_000_000;
/// Servers have to know of each other by then.
const MEET_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// What a message of tracking begins with.
const PUSH: &str = ">2";
/// What is followed: whether it deletes, and whether others write meanwhile.
const KINDS: [(&str, bool, bool); 4] = [
    ("SET", false, false),
    ("DEL", true, false),
    ("SET", false, true),
    ("DEL", true, true),
];

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Changes that are followed, in each row
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub changes: u64,
    /// Writes a second of other keys, in the rows that have them
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub writes: u64,
    /// The program `larder`; the one beside this by default
    #[arg(long)]
    pub larder: Option<PathBuf>,
}

/// A connection whose replies are read line by line.
struct Connection {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Connection {
    fn open(server: &Server) -> Result<Self> {
        let stream = connect(server.address())?;
        let replies = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, replies })
    }

    fn send(&mut self, args: &[&[u8]]) -> Result<()> {
        let mut out = Vec::new();
        encode_command(&mut out, args);
        Ok(self.stream.write_all(&out)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let bytes = self.replies.read_line(&mut line)?;
        ensure!(bytes > 0, "a server has ended the connection");
        Ok(line.trim_end().to_owned())
    }

    /// Reads until a line begins so, what it was not interested in before included.
    fn skip_to(&mut self, begin: &str) -> Result<String> {
        loop {
            let line = self.line()?;
            ensure!(!line.starts_with('-'), "a server refuses: {line}");
            if line.starts_with(begin) {
                return Ok(line);
            }
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        self.send(&[b"SET", key.as_bytes(), value.as_bytes()])?;
        self.skip_to("+OK").map(drop)
    }

    /// A value, whatever is told before it.
    fn get(&mut self, key: &str) -> Result<Option<String>> {
        self.send(&[b"GET", key.as_bytes()])?;
        loop {
            match self.line()?.as_str() {
                PUSH => _ = self.rest_of_push()?,
                "_" => return Ok(None),
                head => {
                    ensure!(head.starts_with('$'), "no value: {head}");
                    return self.line().map(Some);
                }
            }
        }
    }

    /// The key that a message of tracking tells of; `None`: all.
    fn rest_of_push(&mut self) -> Result<Option<String>> {
        self.skip_to("invalidate")?;
        match self.line()?.as_str() {
            "_" => Ok(None),
            _ => {
                self.skip_to("$")?;
                self.line().map(Some)
            }
        }
    }

    /// Waits until it is told that a key has changed.
    fn await_change(&mut self, key: &str) -> Result<()> {
        loop {
            self.skip_to(PUSH)?;
            if self.rest_of_push()?.is_none_or(|changed| changed == key) {
                return Ok(());
            }
        }
    }
}

/// Whether a server hears others.
fn hears_others(server: &Server) -> Result<bool> {
    let mut connection = Connection::open(server)?;
    connection.send(&[b"INFO", b"tiers"])?;
    let line = connection.skip_to("tier_l2_redis:")?;
    let field = |name: &str| line.split(',').find_map(|field| field.strip_prefix(name));
    let hosts = field("hosts=").context("no hosts in INFO tiers")?;
    Ok(hosts != "0" && field("deaf=") == Some("0"))
}

/// Two servers over one Redis.
struct Pair {
    servers: [Server; 2],
    _redis: Server,
}

impl Pair {
    fn start(options: &Options) -> Result<Self> {
        let redis = Server::start(&Kind::Redis, None)?;
        let program = options.larder.clone();
        let kind = Kind::Larder {
            program: program.unwrap_or_else(Kind::larder_beside),
            threads: Some(1),
            policies: Vec::new(),
            l2: format!("redis://{}", redis.address()),
            flags: &[],
        };
        let start = || Server::start(&kind, None);
        let pair = Self {
            servers: [start()?, start()?],
            _redis: redis,
        };
        for server in &pair.servers {
            let begun = Instant::now();
            while !hears_others(server)? {
                ensure!(begun.elapsed() < MEET_MAX, "the servers do not meet");
                thread::sleep(POLL);
            }
        }
        Ok(pair)
    }

    /// What changes of these keys took: since they were answered, and since they were sent, in microseconds.
    fn follow(&self, keys: Range<u64>, deletes: bool) -> Result<[Histogram<u64>; 2]> {
        let mut delays = [Histogram::new(3)?, Histogram::new(3)?];
        let mut writer = Connection::open(&self.servers[0])?;
        let mut reader = Connection::open(&self.servers[1])?;
        reader.send(&[b"HELLO", b"3"])?;
        reader.send(&[b"CLIENT", b"TRACKING", b"ON"])?;
        reader.skip_to("+OK")?;
        for number in keys.clone() {
            writer.set(&key(number), "old")?;
        }
        // Behind it nothing is heard any more of what was written so far.
        let marker = key(MARKERS + keys.start);
        reader.get(&marker)?;
        writer.set(&marker, "last")?;
        reader.await_change(&marker)?;
        for key in keys.map(key) {
            ensure!(
                reader.get(&key)?.as_deref() == Some("old"),
                "a value is lost"
            );
            let sent = Instant::now();
            match deletes {
                true => {
                    writer.send(&[b"DEL", key.as_bytes()])?;
                    writer.skip_to(":1")?;
                }
                false => writer.set(&key, "new")?,
            }
            let answered = Instant::now();
            let expected = (!deletes).then_some("new");
            let heard = loop {
                reader.await_change(&key)?;
                let heard = Instant::now();
                // Told that all may have changed, it may be that nothing has yet.
                if reader.get(&key)?.as_deref() == expected {
                    break heard;
                }
            };
            for (delays, since) in delays.iter_mut().zip([answered, sent]) {
                let delay = heard.saturating_duration_since(since);
                delays.record(delay.as_micros() as u64)?;
            }
        }
        Ok(delays)
    }

    /// Writes other keys until it is over: so many a second, at the first server.
    fn write_others(&self, options: &Options, is_over: &AtomicBool) -> Result<u64> {
        let first = KINDS.len() as u64 * options.changes;
        let mut connection = Connection::open(&self.servers[0])?;
        let part = options.writes * PART_EVERY.as_millis() as u64 / 1_000;
        let (begun, mut written, mut parts) = (Instant::now(), 0, 0);
        while !is_over.load(Ordering::Relaxed) {
            let mut out = Vec::new();
            for number in written..written + part {
                let key = key(first + number % OTHERS);
                encode_command(&mut out, &[b"SET", key.as_bytes(), &[b'v'; 200]]);
            }
            connection.stream.write_all(&out)?;
            for _ in 0..part {
                connection.skip_to("+OK")?;
            }
            written += part;
            parts += 1;
            thread::sleep((PART_EVERY * parts).saturating_sub(begun.elapsed()));
        }
        Ok(written * 1_000 / (begun.elapsed().as_millis() as u64).max(1))
    }
}

/// Runs it all over servers of its own.
///
/// # Errors
/// When a server cannot be started, or answers with what it should have dropped.
pub fn run(options: &Options) -> Result<Table> {
    let pair = Pair::start(options)?;
    let mut rows = Vec::new();
    for ((name, deletes, is_busy), nth) in KINDS.into_iter().zip(0..) {
        let keys = nth * options.changes..(nth + 1) * options.changes;
        let is_over = AtomicBool::new(!is_busy);
        let (delays, others) = thread::scope(|scope| {
            let others = scope.spawn(|| pair.write_others(options, &is_over));
            let delays = pair.follow(keys, deletes);
            is_over.store(true, Ordering::Relaxed);
            (delays, others.join())
        });
        let others = others.ok().context("the other writes broke off")??;
        let figures = delays?.into_iter().flat_map(|delays| {
            [0.5, 0.99].map(|part| Cell::Number(delays.value_at_quantile(part) as f64, 0))
        });
        let head = [Cell::text(name), Cell::Number(others as f64, 0)];
        rows.push(head.into_iter().chain(figures).collect());
    }
    Ok(Table {
        title: format!(
            "Two hosts' invalidation delay: {} changes at one server, until a tracking client of another one is told; one redis-server below",
            options.changes
        ),
        columns: &[
            "change",
            "other writes a second",
            "p50 since its answer, µs",
            "p99 since its answer, µs",
            "p50 since it was sent, µs",
            "p99 since it was sent, µs",
        ],
        rows,
    })
}
