//! Growth of resident memory a key.

use std::env;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use larder_engine::Expiry;

use crate::Sample;
use crate::client::{Values, entries, load};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server, resident_bytes};
use crate::store::{Policy, VALUE_BYTES, engine, key, now, put};

/// So much that nothing is evicted.
const AMPLE_MIB: u64 = 2048;
/// How often resident memory is looked at, and how many looks have to agree: two seconds, twice the
/// time after which Larder's allocator gives back what was freed.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: usize = 20;
/// Looks after which the last one counts.
const LOOKS_MAX: usize = 200;
/// Looks agree when they differ by less than this part of the greatest.
const AGREE_PART: u64 = 1000;
/// What the allocator is told in process: what Larder's server tells it.
const ALLOCATOR: (&str, &str) = (
    "_RJEM_MALLOC_CONF",
    "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4",
);

/// What is measured.
#[derive(Debug, Clone)]
pub enum Target {
    /// A server, loaded through a connection.
    Server(Kind),
    /// The engine in a process of its own, started as this program with [`ENGINE_FLAG`].
    Engine,
}

/// The flag, with a [`Load`] as its value, that lets this program answer with [`engine_growth`].
pub const ENGINE_FLAG: &str = "--engine-growth";

/// What is loaded: keys of 16 B with values of 64 B.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many.
    pub keys: u64,
    /// Whether each has an expiry.
    pub expiring: bool,
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::Server(kind) => kind.name(),
            Self::Engine => "larder-engine s3-fifo, in process, no server".to_owned(),
        }
    }

    /// Bytes a key by which resident memory grows.
    fn growth(&self, load: Load) -> Result<f64> {
        match self {
            Self::Server(kind) => server_growth(kind, load),
            Self::Engine => {
                let mut command = Command::new(env::current_exe()?);
                let load = format!("{}:{}", load.keys, load.expiring);
                let output = command
                    .args([ENGINE_FLAG, &load])
                    .env(ALLOCATOR.0, ALLOCATOR.1)
                    .output()?;
                let text = String::from_utf8_lossy(&output.stdout);
                let failed = || format!("in process: {}", String::from_utf8_lossy(&output.stderr));
                text.trim().parse().with_context(failed)
            }
        }
    }
}

impl std::str::FromStr for Load {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (keys, expiring) = text.split_once(':').context("KEYS:EXPIRING is needed")?;
        Ok(Self {
            keys: keys.parse()?,
            expiring: expiring.parse()?,
        })
    }
}

/// The growth of one target under one load.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub target: String,
    /// What was loaded.
    pub load: Load,
    /// Bytes a key.
    pub bytes: Sample,
}

/// Loads each target `runs` times, each time anew, in turns.
///
/// # Errors
/// When a server cannot be started or breaks.
pub fn run(targets: &[Target], keys: &[u64], runs: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for keys in keys.iter().copied() {
        for expiring in [false, true] {
            let load = Load { keys, expiring };
            let row = |target: &Target| Row {
                target: target.name(),
                load,
                bytes: Sample::default(),
            };
            let mut of_targets: Vec<_> = targets.iter().map(row).collect();
            for _ in 0..runs {
                for (row, target) in of_targets.iter_mut().zip(targets) {
                    row.bytes.add(target.growth(load)?);
                }
            }
            rows.extend(of_targets);
        }
    }
    Ok(rows)
}

/// The rows as a table.
pub fn table(rows: &[Row], runs: u32) -> Table {
    let cells = |row: &Row| {
        vec![
            Cell::Number(row.load.keys as f64, 0),
            Cell::text(if row.load.expiring { "yes" } else { "no" }),
            Cell::text(&row.target),
            Cell::Number(row.bytes.median(), 1),
            Cell::Range(row.bytes.clone(), 1),
        ]
    };
    Table {
        title: format!(
            "Growth of resident memory, keys of 16 B with values of 64 B; medians of {runs} interleaved runs, each with a new process"
        ),
        columns: &["keys", "expiry", "server", "B/key", "B/key, range"],
        rows: rows.iter().map(cells).collect(),
    }
}

fn server_growth(kind: &Kind, Load { keys, expiring }: Load) -> Result<f64> {
    let server = Server::start(kind, Some(AMPLE_MIB))?;
    let before = settled(|| server.resident_bytes())?;
    load(
        &server,
        0..keys,
        Values {
            bytes: VALUE_BYTES,
            expiring,
        },
    )?;
    let after = settled(|| server.resident_bytes())?;
    let held = entries(&server)?;
    ensure!(held == keys, "{} holds {held} of {keys} keys", kind.name());
    Ok((after as f64 - before as f64) / keys as f64)
}

/// Bytes a key by which this process grows when an engine of its own takes a load.
///
/// # Errors
/// When the engine refuses its configuration or some of the keys.
pub fn engine_growth(Load { keys, expiring }: Load) -> Result<f64> {
    let engine = engine(Policy::S3Fifo, AMPLE_MIB << 20, 1)?;
    let tenant = engine.default_tenant();
    let resident = || resident_bytes(process::id());
    let before = settled(resident)?;
    let start = now();
    for number in 0..keys {
        let expiry = match expiring {
            true => Expiry::At(start + 7_200_000 + number % 86_400 * 1_000),
            false => Expiry::Never,
        };
        put(tenant, &key(number), &[0; VALUE_BYTES], expiry, now());
        if number.is_multiple_of(10_000) {
            engine.maintain(now());
        }
    }
    while engine.maintain(now()) {}
    let after = settled(resident)?;
    let held = tenant.stats().entries_total();
    ensure!(held == keys, "the engine holds {held} of {keys} keys");
    Ok((after as f64 - before as f64) / keys as f64)
}

/// Resident memory once it no longer changes, or after a bounded wait.
fn settled(look: impl Fn() -> Result<u64>) -> Result<u64> {
    let mut looks = Vec::new();
    loop {
        looks.push(look()?);
        let last = &looks[looks.len().saturating_sub(LOOKS)..];
        let (least, greatest) = last.iter().fold((u64::MAX, 0), |(least, greatest), bytes| {
            (least.min(*bytes), greatest.max(*bytes))
        });
        let agree = looks.len() >= LOOKS && greatest - least <= greatest / AGREE_PART;
        if agree || looks.len() >= LOOKS_MAX {
            return looks.last().copied().context("no look at resident memory");
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn memory_settles_when_it_stays() {
        let look = Cell::new(0);
        let read = || {
            look.set(look.get() + 1);
            Ok(if look.get() < 5 {
                look.get() << 20
            } else {
                100 << 20
            })
        };
        assert_eq!(settled(read).unwrap(), 100 << 20);
        assert_eq!(look.get(), 4 + LOOKS as u64);
    }
}
