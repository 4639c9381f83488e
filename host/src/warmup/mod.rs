//! `larder warmup`: has a running server bring keys into its memory.

mod names;
mod state;

use std::fmt;
use std::io::{self, IsTerminal};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use indicatif::ProgressBar;
use larder_resp::Value;
use larder_server::{Warmed, Warmth};
use larder_simulator::trace::Columns;

use crate::address::{Address, Socket};
use crate::output;
use crate::server::{Server, ServerArgs, refusal};
use names::{Name, Names};
use state::State;

/// Keys of one request.
const BATCH_KEYS: usize = 128;
/// How often its state is written down, and where there is no terminal, said.
const SAVED_EVERY: Duration = Duration::from_secs(1);
const SAID_EVERY: Duration = Duration::from_secs(10);
/// How long it sleeps at a time, so that Ctrl-C need not wait.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Hottest keys of another server, where nothing else is said.
const TOP: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  larder warmup --keys keys.txt
  larder warmup --keys keys.txt --rate 2000 --resume keys.state
  larder warmup --from-trace monday.csv --top 50000
  larder warmup --top 10000 --from 10.0.0.7:6379 --addr 10.0.0.8:6379

Exit codes: 0 all keys were seen to, those that are nowhere too; 1 some could not be read, it was ended by
Ctrl-C or SIGTERM, or the server cannot be reached, refuses or went away; 2 wrong command line.";

/// Have a running server bring keys into its memory
///
/// The server loads what is not in its memory from its slower tiers, and from its loaders what these
/// do not have, a few keys at a time, so that clients do not wait for it. Keys that are there
/// already cost a look, so it may be repeated at any time. It needs the right to CACHE.WARM.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("source").required(true).args(["keys", "from_trace", "from"])))]
pub struct WarmupArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A file with a key a line, in the order in which they are wanted
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The keys of a trace, those that are asked for most often first
    ///
    /// .csv with a line of names, .txt or .keys with a key a line; all others are oracleGeneral, whose
    /// objects have the keys that `larder replay` gives them. What `larder record` wrote has no names.
    #[arg(long, value_name = "TRACE")]
    from_trace: Option<PathBuf>,
    /// What is in which column of a .csv: key=NAME; what is left out goes by usual names
    #[arg(long, requires = "from_trace", conflicts_with_all = ["keys", "from"])]
    columns: Option<Columns>,
    /// The hottest keys of another server, which needs the right to CACHE.HOT there
    ///
    /// It is spoken to as --addr is: with the same certificates, user and password.
    #[arg(long, value_name = "ADDR")]
    from: Option<Address>,
    /// So many keys at most, from the first; of another server 10000 unless it is said, and 100000 at most
    #[arg(long, value_name = "N")]
    top: Option<NonZeroUsize>,
    /// The database of the keys, here and on the other server
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    db: u8,
    /// Keys that are asked for in a second at most
    #[arg(long, value_name = "KEYS")]
    rate: Option<NonZeroU32>,
    /// A file to write down in how far it came, and to go on from if it is there; it is removed when all is done
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    resume: Option<PathBuf>,
}

impl WarmupArgs {
    /// Has the server bring the keys into memory, and prints what came of it.
    ///
    /// # Errors
    /// When there are no keys to be had, or the server cannot be reached, refuses or goes away.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Arc::new(AtomicBool::new(false));
        let interrupted = Arc::clone(&stop);
        ctrlc::set_handler(move || interrupted.store(true, Ordering::Relaxed))
            .context("cannot wait for Ctrl-C")?;
        let names = self.names()?;
        let server = self.server.server()?;
        let state = match &self.resume {
            Some(path) => Some(State::open(path, &server.to_string(), self.db, &names)?),
            None => None,
        };
        let socket = self.connect(&server)?;
        let mut run = Run {
            server,
            socket,
            done: state.as_ref().map_or(0, State::done),
            state,
            tally: Tally::default(),
            shown: Shown::new(names.len()),
            began: Instant::now(),
        };
        let ended = run.work(&names, self.rate, &stop);
        let kept = run.keep(names.len());
        run.shown.bar.finish_and_clear();
        output::say(&format!(
            "{} in {:.1} s\n",
            run.tally,
            run.began.elapsed().as_secs_f64()
        ))?;
        ended?;
        kept?;
        if is_set(&stop) && run.done < names.len() {
            eprintln!("error: interrupted");
            return Ok(ExitCode::FAILURE);
        }
        Ok(match run.tally.of(Warmth::Failed) {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }

    fn names(&self) -> anyhow::Result<Names> {
        let most = self.top.map_or(usize::MAX, NonZeroUsize::get);
        let names = match (&self.keys, &self.from_trace, &self.from) {
            (Some(path), _, _) => names::of_file(path)?,
            (_, Some(path), _) => names::of_trace(path, &self.columns.clone().unwrap_or_default())?,
            (_, _, Some(addr)) => self.hottest(addr)?,
            // The command line is refused without one.
            _ => bail!("nothing says which keys are wanted"),
        };
        Ok(names.into_iter().take(most).collect())
    }

    /// The hottest keys of another server.
    fn hottest(&self, addr: &Address) -> anyhow::Result<Names> {
        let mut args = self.server.clone();
        args.addr = addr.clone();
        let server = args.server()?;
        let mut socket = self.connect(&server)?;
        let count = self.top.map_or(TOP, NonZeroUsize::get).to_string();
        let refused = || format!("{server} does not tell its hottest keys");
        match server.exchange(&mut socket, &["CACHE.HOT", &count])? {
            Value::Array(keys) => Ok(keys.into_iter().filter_map(name_of).collect()),
            Value::Error(why) => Err(refusal(&why)).with_context(refused),
            _ => bail!("{server} answers CACHE.HOT with something else; is it a Larder?"),
        }
    }

    fn connect(&self, server: &Server) -> anyhow::Result<Socket> {
        let mut socket = server.connect()?;
        match server.exchange(&mut socket, &["SELECT", &self.db.to_string()])? {
            Value::Error(why) => Err(refusal(&why)).with_context(|| server.to_string()),
            _ => Ok(socket),
        }
    }
}

fn name_of(value: Value) -> Option<Name> {
    match value {
        Value::Bulk(name) => name.map(Into::into),
        _ => None,
    }
}

/// How many keys came to what.
#[derive(Default)]
struct Tally(Warmed);

impl Tally {
    fn of(&self, warmth: Warmth) -> u64 {
        self.0[warmth as usize]
    }

    fn keys(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys:", self.keys())?;
        for (warmth, comma) in Warmth::ALL.into_iter().zip(["", ",", ",", ","]) {
            write!(f, "{comma} {} {}", self.of(warmth), warmth.name())?;
        }
        Ok(())
    }
}

/// A warm-up that goes on.
struct Run {
    server: Server,
    socket: Socket,
    state: Option<State>,
    /// Names before this one need not be asked for again.
    done: usize,
    tally: Tally,
    shown: Shown,
    began: Instant,
}

impl Run {
    fn work(
        &mut self,
        names: &[Name],
        rate: Option<NonZeroU32>,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let rate = rate.map(NonZeroU32::get);
        // Ten requests a second at least, so that they are spread.
        let batch_keys = rate.map_or(BATCH_KEYS, |rate| (rate as usize / 10).clamp(1, BATCH_KEYS));
        let first = self.done;
        let mut saved_at = self.began;
        for (nth, batch) in names[first..].chunks(batch_keys).enumerate() {
            let behind = nth * batch_keys;
            let due = rate.map(|rate| Duration::from_secs_f64(behind as f64 / f64::from(rate)));
            while due.is_some_and(|due| self.began.elapsed() < due) && !is_set(stop) {
                let left = due.unwrap_or_default().saturating_sub(self.began.elapsed());
                thread::sleep(left.min(PAUSE_MAX));
            }
            if is_set(stop) {
                break;
            }
            let warmed = self.warm(batch)?;
            for (sum, count) in self.tally.0.iter_mut().zip(warmed) {
                *sum += count;
            }
            // What failed, and what comes behind it, is asked for again.
            if self.tally.of(Warmth::Failed) == 0 {
                self.done = first + behind + batch.len();
            }
            if saved_at.elapsed() >= SAVED_EVERY {
                saved_at = Instant::now();
                self.keep(names.len())?;
            }
            self.shown.show(first + behind + batch.len(), &self.tally);
        }
        Ok(())
    }

    /// Has the server see to some keys.
    fn warm(&mut self, batch: &[Name]) -> anyhow::Result<Warmed> {
        let command = [b"CACHE.WARM".as_slice()].into_iter();
        let command: Vec<_> = command.chain(batch.iter().map(|name| &**name)).collect();
        let server = &self.server;
        match server.exchange(&mut self.socket, &command)? {
            Value::Error(why) => Err(refusal(&why)).with_context(|| format!("{server} refuses")),
            told => warmed_of(&told).with_context(|| {
                format!("{server} answers CACHE.WARM with something else; is it a Larder?")
            }),
        }
    }

    /// Writes down how far it came.
    fn keep(&mut self, all: usize) -> anyhow::Result<()> {
        match &mut self.state {
            Some(state) if self.done == all => state.finish(),
            Some(state) => state.save(self.done),
            None => Ok(()),
        }
    }
}

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

/// The counts in a reply: a map, or an array in place of one.
fn warmed_of(told: &Value) -> Option<Warmed> {
    let Value::Array(items) = told else {
        return None;
    };
    let count = |warmth: Warmth| {
        let name = Value::Bulk(Some(warmth.name().into()));
        let at = items.iter().position(|item| *item == name)?;
        match items.get(at + 1)? {
            Value::Integer(count) => u64::try_from(*count).ok(),
            _ => None,
        }
    };
    let mut warmed = Warmed::default();
    for warmth in Warmth::ALL {
        warmed[warmth as usize] = count(warmth)?;
    }
    Some(warmed)
}

/// How far it came, for whoever looks on: a bar on a terminal, else a line now and then.
struct Shown {
    bar: ProgressBar,
    is_terminal: bool,
    said_at: Instant,
    all: usize,
}

impl Shown {
    fn new(all: usize) -> Self {
        Self {
            bar: ProgressBar::new(all as u64),
            is_terminal: io::stderr().is_terminal(),
            said_at: Instant::now(),
            all,
        }
    }

    fn show(&mut self, at: usize, tally: &Tally) {
        if self.is_terminal {
            self.bar.set_position(at as u64);
        } else if self.said_at.elapsed() >= SAID_EVERY {
            self.said_at = Instant::now();
            eprintln!("{at} of {} keys so far; {tally}", self.all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_their_names_or_not_at_all() {
        let bulk = |text: &str| Value::Bulk(Some(text.into()));
        let counts = [("loaded", 2), ("resident", 1), ("failed", 4), ("absent", 3)];
        let pairs = counts.map(|(name, count)| [bulk(name), Value::Integer(count)]);
        let items: Vec<_> = pairs.into_iter().flatten().collect();
        assert_eq!(warmed_of(&Value::Array(items.clone())), Some([1, 2, 3, 4]));
        assert_eq!(
            Tally([1, 2, 3, 4]).to_string(),
            "10 keys: 1 resident, 2 loaded, 3 absent, 4 failed"
        );
        for wrong in [
            Value::Array(items[2..].to_vec()),
            Value::Array(items[..7].to_vec()),
            Value::Integer(1),
        ] {
            assert_eq!(warmed_of(&wrong), None, "{wrong:?}");
        }
    }
}
