//! `larder simulate`: what policies would make of a recorded trace.

mod contender;
mod deciders;
mod judge;
mod prewarm;
mod report;
mod row;
mod size;
mod spec;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use anyhow::{Context, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use larder_simulator::replay::Cell;
use larder_simulator::run::{Control, Footprint, run};
use larder_simulator::trace::{Columns, TraceFile, mix};

use contender::Contender;
pub(crate) use prewarm::Prewarm;
use row::{Row, write_csv, write_table};
use size::Size;
use spec::Spec;

use crate::natives::{CellForm, NATIVES};

/// Requests between looks at the progress.
const PROGRESS_REQUESTS: u64 = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  larder simulate scarab.oracleGeneral.zst --policy lru --policy s3-fifo --size 0.1%,1%,10%
  larder simulate trace.oracleGeneral --policy target/policies/my-policy.wasm:percent=20
  larder simulate *.zst --policy s3-fifo --policy belady --size 64MiB --format csv
  larder simulate trace.oracleGeneral --policy s3-fifo --size 1% --l2 10%
  larder simulate trace.oracleGeneral --policy s3-fifo --size 1%,10% --prewarm

Exit codes: 0 done; 1 a trace or a policy failed: what was found until then is printed all the same.";

/// Replay traces through caches of several policies and sizes, and report what they miss
///
/// The same policy code as in a server, native or in WebAssembly, told and asked in the same order;
/// room is made first, for one entry at a time. An object is as large as when it was stored, until
/// it goes. A cache has nothing in it but sizes: memory follows the objects of a trace, not its
/// length. Ctrl-C prints what was found so far.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// The traces, each plain or zstd: .csv with a line of names, .txt or .keys with a key a line,
    /// .larder from `larder record`, all others oracleGeneral (24-byte little-endian records: u32 time,
    /// u64 object id, u32 size, i64 next access)
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// A policy by name or file, NAME or FILE.wasm, with :param=value,… behind it; may be repeated
    ///
    /// Policies that decide over values stand before the one that evicts, in the order in which they
    /// are asked: size-gate:max_bytes=1MiB+second-hit+lru; without one that evicts, the server's
    /// default does. They know of a value its key, which is a number here, its size and its time to
    /// live: what they make of prefixes, types, tags or attributes cannot be seen. A file whose name has a
    /// plus sign stands in quotes, a list in brackets: rules=["a: 30s", "b: 1m"].
    ///
    /// `belady` and `belady-size` know the future: the first is the best there is where all sizes
    /// are the same, the second weighs by size.
    #[arg(long = "policy", required = true, value_name = "POLICY")]
    policies: Vec<Spec>,
    /// Sizes of the cache: parts of the footprint (0.1%), bytes (64MiB), or a number of bytes, of
    /// objects where a trace knows no sizes
    #[arg(
        long = "size",
        value_delimiter = ',',
        default_value = "0.1%,1%,10%",
        value_name = "SIZES"
    )]
    sizes: Vec<Size>,
    /// Size of a second level below each cache, as --size: what is stored is written there too, what is
    /// evicted from it and from the cache is gone, what is found there comes up
    ///
    /// It is kept as a server's disk keeps it, in segments of which the oldest is reclaimed. What a server needs beside
    /// the values, in memory and some 80 bytes an entry on disk, is to be left out of both sizes.
    #[arg(long, value_name = "SIZE")]
    l2: Option<Size>,
    /// Fetch ahead what is predicted to be asked for: each cache without, with, and as an oracle would
    ///
    /// PARAMS are param=value,…: horizon_seconds=5 (how far ahead at most),
    /// precision_percent=45 (of candidates as probable as each other, so many have to be asked for; 15 less, while 7 more are of all), share_percent=10 (of the cache, for what waits
    /// to be asked for), fetches_per_second=1000, mib_per_second=64, memory_mib=32, families=auto|on|off (whether
    /// ids are part of keys, so that 42 may follow 41; auto: unless they ascend as objects come, or are hashes).
    /// Within a second of the trace its requests are a millisecond apart. The oracle knows the next 512 requests, and has the
    /// same budget. Not with --l2.
    #[arg(
        long,
        value_name = "PARAMS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "l2"
    )]
    prewarm: Option<Prewarm>,
    /// What is in which column of a .csv: key=NAME,time=NAME,size=NAME,ttl=NAME; what is left out goes
    /// by usual names
    #[arg(long, default_value = "", hide_default_value = true, value_parser = columns)]
    columns: Columns,
    /// Whether entries expire as the trace says, where it says so
    #[arg(long, value_enum, default_value_t = Ttl::Ignore)]
    ttl: Ttl,
    /// Shards that share each cache, as a server's do
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    shards: u32,
    /// What all randomness follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads beside the one that reads; as many as there are cores if left out
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw the miss-ratio curves into this file, SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write charts and tables into this file, a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ttl {
    /// They expire.
    Honour,
    /// They stay while there is room.
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// An array of objects.
    Json,
    /// Comma-separated, with a line of names.
    Csv,
}

/// A contender at one size, and its cache.
type Entrant<'c> = ((&'c Contender, &'c Size, CellForm), Box<dyn Cell>);

/// What was found, and what went wrong.
#[derive(Default)]
struct Findings {
    rows: Vec<Row>,
    complaints: Vec<String>,
}

impl SimulateArgs {
    /// Simulates, and prints what was found. The exit code is 1 where a trace or a policy failed.
    ///
    /// # Errors
    /// When a policy would be refused, a file for charts cannot be written, or nothing can be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let contenders = self.policies.iter().map(Contender::find);
        let contenders: Vec<_> = contenders.collect::<anyhow::Result<_>>()?;
        if let (Some(_), Some(bound)) = (&self.l2, contenders.iter().find(|one| one.is_bound())) {
            bail!(
                "{}: a bound is one of a single level; leave out --l2",
                bound.name
            );
        }
        for file in [&self.plot, &self.html].into_iter().flatten() {
            // Better told now than after hours.
            let opened = OpenOptions::new().append(true).create(true).open(file);
            opened.with_context(|| cannot_write(file))?;
        }
        let control = Arc::new(Control::default());
        let interrupted = Arc::clone(&control);
        ctrlc::set_handler(move || interrupted.stop.store(true, Ordering::Relaxed))
            .context("cannot wait for Ctrl-C")?;
        let mut found = Findings::default();
        for trace in &self.traces {
            if control.stop.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = self.simulate(trace, &contenders, &control, &mut found) {
                found
                    .complaints
                    .push(format!("{}: {error:#}", trace.display()));
            }
        }
        if control.stop.load(Ordering::Relaxed) {
            found
                .complaints
                .push("interrupted: the last trace was not read to its end".to_owned());
        }
        let printed = self.print(&found.rows);
        found
            .complaints
            .iter()
            .for_each(|complaint| eprintln!("error: {complaint}"));
        printed.and(self.draw(&found.rows))?;
        Ok(match found.complaints.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    fn simulate(
        &self,
        trace: &Path,
        contenders: &[Contender],
        control: &Control,
        found: &mut Findings,
    ) -> anyhow::Result<()> {
        let is_stream = fs::metadata(trace).is_ok_and(|found| !found.is_file() && !found.is_dir());
        ensure!(!is_stream, "it is read twice, so it has to be a file");
        // What can be read of a damaged trace is simulated all the same; the second reading tells.
        let records = TraceFile::open(trace, &self.columns)?;
        let is_stopped = || control.stop.load(Ordering::Relaxed);
        let (footprint, error) = Footprint::of(records.take_while(|_| !is_stopped()));
        if is_stopped() {
            return Ok(());
        }
        if let (0, Some(error)) = (footprint.requests, error) {
            return Err(error.into());
        }
        if self.ttl == Ttl::Honour
            && let Some(backward) = footprint.backward_time
        {
            bail!(
                "at request {backward} time goes backwards or begins anew, so that nobody can say \
                 what has expired; leave out --ttl honour"
            );
        }
        let entrants = self.entrants(contenders, &footprint, trace, found)?;
        let (labels, cells): (Vec<_>, Vec<_>) = entrants.into_iter().unzip();
        let bar = progress(footprint.requests, trace);
        let records = (1..)
            .zip(TraceFile::open(trace, &self.columns)?)
            .map(|(count, record)| {
                if count % PROGRESS_REQUESTS == 0 {
                    bar.set_position(count);
                }
                record
            });
        let honour = self.ttl == Ttl::Honour;
        let (outcomes, error) = run(records, cells, self.threads(), honour, control);
        bar.finish_and_clear();
        let name = &*self.name(trace);
        let l2 = self.l2.as_ref().map(|l2| &*l2.text);
        let mut misses_cold = 0;
        for ((contender, size, form), outcome) in labels.into_iter().zip(&outcomes) {
            // Interrupted before it began.
            if outcome.tally.requests == 0 {
                continue;
            }
            if form.prewarm.is_none() {
                misses_cold = outcome.tally.misses;
            }
            let policy = (name, &*contender.name, contender.runtime());
            let mut row = Row::new(policy, (&size.text, l2), form, outcome);
            if self.prewarm.is_some() {
                row.prewarm(form.prewarm, &outcome.tally, misses_cold);
            }
            found.rows.push(row);
            if let Some(fault) = &outcome.fault {
                found.complaints.push(format!(
                    "{}: {} at {}: {fault}",
                    trace.display(),
                    contender.name,
                    size.text
                ));
            }
        }
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Empty caches of all contenders at all sizes that a trace lets them have, and complaints for the
    /// rest.
    fn entrants<'c>(
        &'c self,
        contenders: &'c [Contender],
        footprint: &Footprint,
        trace: &Path,
        found: &mut Findings,
    ) -> anyhow::Result<Vec<Entrant<'c>>> {
        let (trace, shards) = (trace.display(), self.shards);
        let mut entrants = Vec::new();
        for contender in contenders {
            if let Some(why) = contender.cannot_run(footprint) {
                let complaint = format!("{trace}: {} {why}", contender.name);
                found.complaints.push(complaint);
                continue;
            }
            for size in &self.sizes {
                let capacity = size.capacity_bytes(footprint.bytes);
                if capacity < u64::from(shards) {
                    found.complaints.push(format!(
                        "{trace}: {} at {} has {capacity} bytes, less than one for each of {shards} shards",
                        contender.name, size.text
                    ));
                    continue;
                }
                let below = self.l2.as_ref();
                let form = CellForm {
                    capacity_bytes: capacity,
                    below_bytes: below.map(|size| size.capacity_bytes(footprint.bytes)),
                    prewarm: None,
                    shards,
                    seed: self.seed,
                };
                entrants.push(((contender, size, form), contender.cell(form)?));
                let prewarm = self.prewarm.filter(|_| !contender.is_bound());
                let prewarms = prewarm
                    .into_iter()
                    .flat_map(|one| one.on(footprint, self.seed));
                for prewarm in prewarms.map(Some) {
                    let form = CellForm { prewarm, ..form };
                    entrants.push(((contender, size, form), contender.cell(form)?));
                }
            }
        }
        Ok(entrants)
    }

    /// What a trace is called in the result: by its path where another one has its name.
    fn name(&self, trace: &Path) -> String {
        let name = TraceFile::name(trace);
        let mut others = self.traces.iter().filter(|other| *other != trace);
        match others.any(|other| TraceFile::name(other) == name) {
            true => trace.display().to_string(),
            false => name,
        }
    }

    fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(cores, NonZeroUsize::get)
    }

    fn print(&self, rows: &[Row]) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let printed = match self.format {
            Format::Table => write_table(rows, &mut out),
            Format::Csv => write_csv(rows, &mut out),
            Format::Json => serde_json::to_writer_pretty(&mut out, rows)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
        };
        printed.context("cannot print the result")
    }

    fn draw(&self, rows: &[Row]) -> anyhow::Result<()> {
        for (file, image) in [
            (&self.plot, report::plot as fn(&[Row]) -> _),
            (&self.html, report::page),
        ] {
            if let Some(file) = file {
                let written = fs::write(file, image(rows)?);
                written.with_context(|| cannot_write(file))?;
            }
        }
        Ok(())
    }
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write {}", file.display())
}

/// The names of the eviction policies that are compiled in.
pub fn natives() -> impl Iterator<Item = &'static str> {
    NATIVES.iter().map(|native| native.name)
}

/// An empty cache of the policy that `spec` names as on the command line.
///
/// # Errors
/// When there is none, or it would not be taken.
pub fn cell(
    spec: &str,
    capacity_bytes: u64,
    shards: u32,
    seed: u64,
) -> anyhow::Result<Box<dyn Cell>> {
    let spec = spec.parse::<Spec>().map_err(|why| anyhow!(why))?;
    Contender::find(&spec)?.cell(CellForm {
        capacity_bytes,
        below_bytes: None,
        prewarm: None,
        shards,
        seed,
    })
}

fn columns(text: &str) -> Result<Columns, String> {
    match text {
        "" => Ok(Columns::default()),
        text => text.parse(),
    }
}

/// Shown on a terminal only.
fn progress(requests: u64, trace: &Path) -> ProgressBar {
    let template = "{msg} {wide_bar} {percent}% {per_sec} {eta}";
    let bar = ProgressBar::new(requests).with_message(trace.display().to_string());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The seed of a shard.
pub(crate) fn shard_seed(seed: u64, shard: u32) -> u64 {
    mix(seed ^ u64::from(shard) << 32)
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};
    use larder_simulator::trace::{Generator, write};

    use super::*;

    fn arguments(traces: &[&Path]) -> SimulateArgs {
        let command = SimulateArgs::augment_args(Command::new("simulate"));
        let paths = traces.iter().map(|trace| trace.display().to_string());
        let args = ["simulate", "--policy", "lru", "--size", "10"].map(str::to_owned);
        let matches = command.get_matches_from(args.into_iter().chain(paths));
        SimulateArgs::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn what_was_interrupted_before_it_began_has_no_row() {
        let trace = tempfile::NamedTempFile::new().unwrap();
        write(&Generator::default().records(), &mut trace.as_file()).unwrap();
        let args = arguments(&[trace.path()]);
        let contenders = [Contender::find(&args.policies[0]).unwrap()];
        let rows = |control: &Control| {
            let mut found = Findings::default();
            let simulated = args.simulate(trace.path(), &contenders, control, &mut found);
            simulated.unwrap();
            found.rows.len()
        };
        let control = Control::default();
        assert_eq!(rows(&control), 1);
        control.stop.store(true, Ordering::Relaxed);
        assert_eq!(rows(&control), 0);
    }

    #[test]
    fn traces_of_one_name_are_told_apart() {
        let [one, other, third] = ["a/x.csv", "b/x.keys.zst", "b/y.csv"].map(Path::new);
        let args = arguments(&[one, other, third]);
        assert_eq!(
            [one, other, third].map(|trace| args.name(trace)),
            ["a/x.csv", "b/x.keys.zst", "y"]
        );
    }
}
