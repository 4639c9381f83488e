//! The server beside Debian's `redis-server`: processor time of the process an operation.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::Sample;
use crate::client::{Values, hits_and_misses, load};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server, installed};
use crate::store::VALUE_BYTES;

/// The load generator, of the same package as `redis-server`.
const GENERATOR: &str = "redis-benchmark";
/// Its connections.
const CLIENTS: u32 = 50;
/// One run has to be over by then.
const RUN_MAX: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(5);

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Keys there are
    #[arg(long, default_value_t = 1_000_000)]
    pub keys: u64,
    /// Requests of a run at pipeline 1; four times as many at 16, eight times at 64
    #[arg(long, default_value_t = 200_000)]
    pub requests: u64,
    /// Requests a connection sends before it reads the replies
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub pipelines: Vec<u32>,
    /// Runs of each server, taking turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Memory of the servers that are compared
    #[arg(long, default_value_t = 64)]
    pub memory_mib: u64,
    /// Another build of the server, measured with one thread behind the first two
    #[arg(long, value_name = "PATH")]
    pub beside: Option<PathBuf>,
}

/// A server that takes part.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// As it is shown.
    pub name: String,
    /// Which server.
    pub kind: Kind,
    /// Its memory; its own default when `None`.
    pub memory_mib: Option<u64>,
}

/// Redis; Larder with one thread, its policies native, in the sandbox, and with policies that do
/// nothing; Larder with two threads; and Larder as `cargo xtask serve` starts it, in memory alone and with its
/// disk.
///
/// # Errors
/// When there is no policy to be read beside the program.
pub fn contestants(larder: &Path, options: &Options) -> Result<Vec<Contestant>> {
    let program = larder.to_path_buf();
    let larder = |threads, policies| Kind::Larder {
        program: program.clone(),
        threads,
        policies,
        l2: "none".to_owned(),
        flags: &[],
    };
    let same = |name: &str, kind: Kind| Contestant {
        name: if name.is_empty() {
            kind.name()
        } else {
            name.to_owned()
        },
        kind,
        memory_mib: Some(options.memory_mib),
    };
    let built = |name: &str| -> Result<Vec<u8>> {
        let folder = program.ancestors().nth(2).unwrap_or(Path::new("target"));
        let file = folder.join("policies").join(format!("{name}.wasm"));
        fs::read(&file)
            .with_context(|| format!("{}: run `cargo xtask policies` first", file.display()))
    };
    let noop = |kind| Ok::<_, anyhow::Error>(wat::parse_str(crate::policy::noop(kind))?);
    let assembled = |name: &str, l2: &str| -> Result<Contestant> {
        Ok(Contestant {
            name: name.to_owned(),
            kind: Kind::Larder {
                program: program.clone(),
                threads: None,
                policies: vec![
                    ("10-size-gate", built("size-gate")?),
                    ("20-ttl-by-prefix", built("ttl-by-prefix")?),
                    ("30-s3-fifo", built("s3-fifo")?),
                ],
                l2: l2.to_owned(),
                flags: &[],
            },
            memory_mib: None,
        })
    };
    let mut contestants = vec![
        same("", Kind::Redis),
        same("", larder(Some(1), Vec::new())),
        same(
            "larder s3-fifo in wasmtime, 1 thread",
            larder(Some(1), vec![("s3-fifo", built("s3-fifo")?)]),
        ),
        same(
            "larder s3-fifo, three policies that do nothing, 1 thread",
            larder(
                Some(1),
                vec![
                    ("1-noop", noop("should_cache")?),
                    ("2-noop", noop("ttl")?),
                    ("3-noop", noop("priority")?),
                ],
            ),
        ),
        same("", larder(Some(2), Vec::new())),
        assembled("assembled: cargo xtask serve --l2 none", "none")?,
        assembled("assembled: as cargo xtask serve starts it", "disk")?,
    ];
    if let Some(other) = &options.beside {
        let name = format!("larder s3-fifo, 1 thread: {}", other.display());
        contestants.insert(2, same(&name, Kind::larder(other, Some(1))));
    }
    Ok(contestants)
}

/// The figures of one server for one command.
#[derive(Debug, Clone)]
pub struct Row {
    /// The server.
    pub server: String,
    /// `GET` or `SET`.
    pub command: &'static str,
    /// Requests sent before the replies are read.
    pub pipeline: u32,
    /// Microseconds of the server's processor time an operation.
    pub cpu_us: Sample,
    /// Operations a second.
    pub rate: Sample,
    /// Part of the reads that found their key, where there were reads.
    pub hit_ratio: Option<f64>,
}

/// Starts all contestants, fills each with all keys, and lets them take turns.
///
/// # Errors
/// When redis-benchmark is missing, or a server cannot be started or breaks.
pub fn run(contestants: &[Contestant], options: &Options) -> Result<Vec<Row>> {
    ensure!(
        installed(Path::new(GENERATOR)),
        "{GENERATOR} is not installed: it comes with the package redis-tools"
    );
    let mut servers = Vec::new();
    for Contestant {
        kind, memory_mib, ..
    } in contestants
    {
        let server = Server::start(kind, *memory_mib)?;
        load(
            &server,
            0..options.keys,
            Values {
                bytes: VALUE_BYTES,
                expiring: false,
            },
        )?;
        servers.push(server);
    }
    let mut rows = Vec::new();
    for pipeline in options.pipelines.iter().copied() {
        for command in ["GET", "SET"] {
            let row = |contestant: &Contestant| Row {
                server: contestant.name.clone(),
                command,
                pipeline,
                cpu_us: Sample::default(),
                rate: Sample::default(),
                hit_ratio: None,
            };
            let mut of_servers: Vec<_> = contestants.iter().map(row).collect();
            for _ in 0..options.runs {
                for (row, server) in of_servers.iter_mut().zip(&servers) {
                    row.measure(server, options)?;
                }
            }
            rows.extend(of_servers);
        }
    }
    Ok(rows)
}

impl Row {
    /// Adds one run.
    fn measure(&mut self, server: &Server, options: &Options) -> Result<()> {
        let requests = options.requests * requests_factor(self.pipeline);
        let generator = self.generator(server, options.keys, requests);
        let reads = hits_and_misses(server)?;
        let before = server.cpu()?;
        let output = output(generator)?;
        let spent = server.cpu()?.saturating_sub(before);
        self.cpu_us
            .add(spent.as_nanos() as f64 / 1_000.0 / requests as f64);
        self.rate
            .add(rate(&output).with_context(|| format!("what {GENERATOR} said: {output}"))?);
        let [hits, misses] = hits_and_misses(server)?;
        let (hits, misses) = (hits - reads[0], misses - reads[1]);
        if hits + misses > 0 {
            self.hit_ratio = Some(hits as f64 / (hits + misses) as f64);
        }
        Ok(())
    }

    fn generator(&self, server: &Server, keys: u64, requests: u64) -> Command {
        let address = server.address();
        let settings = [
            ("-h", address.ip().to_string()),
            ("-p", address.port().to_string()),
            ("-c", CLIENTS.to_string()),
            ("-d", VALUE_BYTES.to_string()),
            ("-r", keys.to_string()),
            ("-n", requests.to_string()),
            ("-P", self.pipeline.to_string()),
            ("-t", self.command.to_lowercase()),
        ];
        let mut command = Command::new(GENERATOR);
        for (flag, value) in settings {
            command.args([flag, &value]);
        }
        command.arg("--csv");
        command
    }
}

/// Pipelined requests are quick: more of them, so that a run is long enough to count.
fn requests_factor(pipeline: u32) -> u64 {
    match pipeline {
        0..4 => 1,
        4..32 => 4,
        _ => 8,
    }
}

/// Operations a second, from the last line of the table: `"SET","181818.19",…`.
fn rate(output: &str) -> Option<f64> {
    let last = output.lines().last()?;
    last.split(',').nth(1)?.trim_matches('"').parse().ok()
}

/// Runs a program that says little to its end.
fn output(mut command: Command) -> Result<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let ended = wait(&mut child, &command);
    if ended.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended?;
    let mut text = String::new();
    child
        .stdout
        .take()
        .context("no output")?
        .read_to_string(&mut text)?;
    Ok(text)
}

fn wait(child: &mut Child, command: &Command) -> Result<()> {
    let deadline = Instant::now() + RUN_MAX;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{status}: {command:?}"),
            None => ensure!(Instant::now() < deadline, "does not end: {command:?}"),
        }
        thread::sleep(POLL);
    }
}

/// The rows as a table, each server's time beside that of the first two under the same load.
pub fn table(rows: &[Row], options: &Options) -> Table {
    let reference = |row: &Row, number: usize| {
        let same = |other: &&Row| (other.command, other.pipeline) == (row.command, row.pipeline);
        let other = rows.iter().filter(same).nth(number);
        other.map(|other| row.cpu_us.median() / other.cpu_us.median())
    };
    let cells = |row: &Row| {
        vec![
            Cell::text(row.command),
            Cell::Number(f64::from(row.pipeline), 0),
            Cell::text(&row.server),
            Cell::Number(row.cpu_us.median(), 3),
            Cell::Range(row.cpu_us.clone(), 3),
            Cell::Number(row.rate.median(), 0),
            Cell::maybe(row.hit_ratio.map(|ratio| 100.0 * ratio), 1),
            Cell::maybe(reference(row, 0), 2),
            Cell::maybe(reference(row, 1), 2),
        ]
    };
    Table {
        title: format!(
            "Server: {GENERATOR} with {CLIENTS} clients, {} keys of 16 B, values of 64 B, {} MiB; \
             processor time of the server's process, × 1st and × 2nd: beside the first and the second server; medians of {} interleaved runs of {} requests at pipeline 1",
            options.keys, options.memory_mib, options.runs, options.requests
        ),
        columns: &[
            "command",
            "pipeline",
            "server",
            "CPU µs/op",
            "range",
            "op/s",
            "hits %",
            "× 1st",
            "× 2nd",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_the_second_column() {
        let output = "\"test\",\"rps\",\"avg_latency_ms\"\n\"GET\",\"181818.19\",\"0.1\"\n";
        assert_eq!(rate(output), Some(181_818.19));
        assert_eq!(rate(""), None);
    }

    #[test]
    fn what_fails_or_cannot_start_is_an_error() {
        assert!(output(Command::new("false")).is_err());
        assert!(output(Command::new("no-such-program")).is_err());
    }
}
