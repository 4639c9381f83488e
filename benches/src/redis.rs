//! Entries in Redis by way of Larder's tier, and by redis-rs as it is: what a read, a write and sixteen at once take; a counter on
//! which several hosts agree; and how soon one server knows what another has changed.

pub mod delay;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use larder_engine::authority::{Arbiter, Becomes, Swap};
use larder_engine::tier::{Stored, Tier, TierChange, TierKey, TierKeyBuf, Told};
use larder_tiers::Plain;
use larder_tiers::redis::{Consistency, RedisOptions, RedisTier};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::aio::MultiplexedConnection;
use redis::{Client, cmd, pipe};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Sample;
use crate::disk::{key, number, value};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server, cpu};

const NOW: u64 = 1_700_000_000_000;
/// How long an entry is kept.
const KEPT: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(10);
/// What is asked for at once, where that is more than one.
const TOGETHER: usize = 16;
/// The counter: no entry has this number.
const COUNTER: u64 = u64::MAX;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Entries that are there
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub entries: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(8..))]
    pub value_bytes: u64,
    /// Operations of each kind
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub operations: u64,
    /// Runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Seed of the keys drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A way to Redis.
enum Way {
    Tier(Arc<RedisTier>),
    Plain(MultiplexedConnection),
}

const WAYS: [&str; 2] = ["larder's tier", "redis-rs, one connection"];

impl Way {
    fn open(name: &str, server: &Server, runtime: &Runtime) -> Result<Self> {
        let url = format!("redis://{}", server.address());
        if name == WAYS[1] {
            let client = Client::open(url)?;
            let connecting = client.get_multiplexed_async_connection();
            return Ok(Self::Plain(runtime.block_on(connecting)?));
        }
        let options = RedisOptions {
            address: url.parse().ok().context("an address")?,
            password: None,
            tls_ca: None,
            connections: 4,
            timeout: PATIENCE,
            prefix: "bench".to_owned(),
            buckets: None,
            ttl_max: KEPT,
            consistency: Consistency::One,
            is_required: true,
            // Nobody else is there.
            hearing: None,
            stale_max: None,
        };
        let tier = RedisTier::open(&options, Arc::new(Plain))?;
        Ok(Self::Tier(Arc::new(tier)))
    }

    async fn set(&mut self, numbers: &[u64], value_bytes: u64) -> Result<()> {
        match self {
            Self::Tier(tier) => {
                let told = |number: &u64| {
                    let stored = Stored {
                        value: value(*number, value_bytes).into(),
                        ..Stored::default()
                    };
                    Told {
                        change: TierChange::Put(owned_key(*number), Arc::new(stored)),
                        at: Instant::now(),
                    }
                };
                let changes: Vec<_> = numbers.iter().map(told).collect();
                for result in tier.write(&changes, NOW).await {
                    result?;
                }
            }
            Self::Plain(connection) => {
                let mut pipeline = pipe();
                for number in numbers {
                    let set = pipeline.cmd("SET").arg(key(*number));
                    set.arg(value(*number, value_bytes));
                    set.arg("PX").arg(KEPT.as_millis() as u64).ignore();
                }
                pipeline.query_async::<()>(connection).await?;
            }
        }
        Ok(())
    }

    /// Counts one more, in one step for all who count; the tier as a server does over whose counters it has the authority.
    async fn count(&mut self) -> Result<()> {
        match self {
            Self::Tier(tier) => {
                let keys = [owned_key(COUNTER)];
                let seen = tier.look(&keys, u64::MAX, NOW).await?;
                let [key] = keys;
                let seen = seen.into_iter().next().context("a look at a key")?;
                let before = seen.stored.map_or(Ok(0), |stored| {
                    str::from_utf8(&stored.value)?
                        .parse::<u64>()
                        .context("a counter")
                })?;
                let counted = Stored {
                    value: (before + 1).to_string().as_bytes().into(),
                    ..Stored::default()
                };
                let becomes = Becomes::Entry(Box::new(counted), false);
                let swap = Swap {
                    key,
                    mark: seen.mark,
                    becomes,
                };
                let until = Instant::now() + PATIENCE;
                let is_done = tier.swap(&[swap], NOW, until).await?;
                ensure!(is_done, "somebody else counts");
            }
            Self::Plain(connection) => {
                let mut incr = cmd("INCR");
                incr.arg(key(COUNTER));
                incr.query_async::<u64>(connection).await?;
            }
        }
        Ok(())
    }

    /// Reads entries, which have to be there.
    async fn get(&mut self, numbers: &[u64]) -> Result<()> {
        let mut found = Vec::new();
        match self {
            Self::Tier(tier) => {
                let mut reads = JoinSet::new();
                for number in numbers {
                    let (tier, key) = (Arc::clone(tier), owned_key(*number));
                    reads.spawn(async move { tier.read(&key, NOW).await });
                }
                for read in reads.join_all().await {
                    found.push(read?.and_then(|stored| number(&stored.value)));
                }
            }
            Self::Plain(connection) => {
                let mut get = cmd("MGET");
                for number in numbers {
                    get.arg(key(*number));
                }
                let values: Vec<Option<Vec<u8>>> = get.query_async(connection).await?;
                let values = values.into_iter();
                found.extend(values.map(|value| value.and_then(|value| number(&value))));
            }
        }
        found.sort_unstable();
        let mut expected: Vec<_> = numbers.iter().copied().map(Some).collect();
        expected.sort_unstable();
        ensure!(found == expected, "another entry's value, or none");
        Ok(())
    }
}

fn owned_key(number: u64) -> TierKeyBuf {
    TierKey {
        tenant: "t",
        db: 0,
        bytes: &key(number),
    }
    .to_owned()
}

/// What is done, of so many entries at once.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Get(usize),
    Set(usize),
    Count,
}

/// What is measured.
const KINDS: [(&str, Operation); 5] = [
    ("get", Operation::Get(1)),
    ("set", Operation::Set(1)),
    ("get of 16", Operation::Get(TOGETHER)),
    ("set of 16", Operation::Set(TOGETHER)),
    ("incr, atomic among hosts", Operation::Count),
];
const FIGURES: [&str; 4] = ["p50, µs", "p99, µs", "own processor, µs", "Redis', µs"];

/// Runs it all over a server of its own.
///
/// # Errors
/// When Redis cannot be started, or a value does not come back as it was.
pub fn run(options: &Options) -> Result<Table> {
    let server = Server::start(&Kind::Redis, None)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut samples = vec![[(); 4].map(|()| Sample::default()); KINDS.len() * WAYS.len()];
    for run in 0..options.runs {
        for (nth, name) in WAYS.into_iter().enumerate() {
            let mut way = Way::open(name, &server, &runtime)?;
            for number in 0..options.entries {
                runtime.block_on(way.set(&[number], options.value_bytes))?;
            }
            for (at, (_, operation)) in KINDS.into_iter().enumerate() {
                let seed = options.seed + u64::from(run);
                let figures = measure(&mut way, operation, options, seed, &server, &runtime)?;
                let own = &mut samples[at * WAYS.len() + nth];
                for (sample, figure) in own.iter_mut().zip(figures) {
                    sample.add(figure);
                }
            }
        }
    }
    let names = KINDS
        .iter()
        .flat_map(|(kind, _)| WAYS.map(|way| (*kind, way)));
    let row = |((kind, way), samples): ((&str, &str), [Sample; 4])| {
        let medians = samples.map(|sample| Cell::Number(sample.median(), 1));
        [Cell::text(kind), Cell::text(way)]
            .into_iter()
            .chain(medians)
            .collect()
    };
    Ok(Table {
        title: format!(
            "{} entries of {} bytes in redis-server, {} operations one after the other; medians of {} runs in turn",
            options.entries, options.value_bytes, options.operations, options.runs
        ),
        columns: &[
            "operation",
            "by way of",
            FIGURES[0],
            FIGURES[1],
            FIGURES[2],
            FIGURES[3],
        ],
        rows: names.zip(samples).map(row).collect(),
    })
}

fn measure(
    way: &mut Way,
    operation: Operation,
    options: &Options,
    seed: u64,
    server: &Server,
    runtime: &Runtime,
) -> Result<[f64; 4]> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut latencies = Histogram::<u64>::new(3)?;
    let before = [cpu(std::process::id())?, server.cpu()?];
    for _ in 0..options.operations {
        let mut draw = |together| -> Vec<u64> {
            let draw = |_| random.random_range(0..options.entries);
            (0..together).map(draw).collect()
        };
        let numbers = match operation {
            Operation::Get(together) | Operation::Set(together) => draw(together),
            Operation::Count => Vec::new(),
        };
        let asked = Instant::now();
        runtime.block_on(async {
            match operation {
                Operation::Get(_) => way.get(&numbers).await,
                Operation::Set(_) => way.set(&numbers, options.value_bytes).await,
                Operation::Count => way.count().await,
            }
        })?;
        latencies.record(asked.elapsed().as_nanos() as u64)?;
    }
    let spent = [cpu(std::process::id())?, server.cpu()?];
    let each_us = |at: usize| {
        let spent = spent[at].saturating_sub(before[at]);
        spent.as_nanos() as f64 / 1e3 / options.operations as f64
    };
    let [p50, p99] = [0.5, 0.99].map(|part| latencies.value_at_quantile(part) as f64 / 1e3);
    Ok([p50, p99, each_us(0), each_us(1)])
}
