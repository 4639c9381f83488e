//! Memory: growth a key, and the bound while sizes shift.

use std::path::PathBuf;

use anyhow::Result;
use bench::memory::{self, Load, Target};
use bench::report::{self, Form};
use bench::servers::{Kind, Protocol};
use bench::shifting;
use clap::{Parser, ValueEnum};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Resident memory a key, and the bound while sizes shift, beside the rivals that are installed
#[derive(Parser)]
struct Cli {
    /// The program measured [default: larder beside this program]
    #[arg(long, value_name = "PATH")]
    larder: Option<PathBuf>,
    /// Its workers [default: its own]
    #[arg(long)]
    threads: Option<usize>,
    /// Keys loaded
    #[arg(long, value_delimiter = ',', default_value = "700000,1000000,1400000")]
    keys: Vec<u64>,
    /// Runs of each load, taking turns
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Memory of the shifting sizes
    #[arg(long, default_value_t = 256)]
    memory_mib: u64,
    /// Only these parts
    #[arg(long, value_delimiter = ',', default_value = "growth,shifting")]
    parts: Vec<Part>,
    /// Leave the rivals out
    #[arg(long)]
    alone: bool,
    /// Growth of this very process, as the program asks itself
    #[arg(long, hide = true)]
    engine_growth: Option<Load>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Resident memory a key
    Growth,
    /// Resident memory while sizes shift
    Shifting,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(load) = cli.engine_growth {
        println!("{}", memory::engine_growth(load)?);
        return Ok(());
    }
    let program = cli.larder.unwrap_or_else(Kind::larder_beside);
    let mut kinds = vec![Kind::larder(&program, cli.threads)];
    if !cli.alone {
        kinds.extend(Kind::rivals());
    }
    let mut tables = Vec::new();
    if cli.parts.contains(&Part::Growth) {
        let servers = kinds.iter().cloned().map(Target::Server);
        let targets: Vec<_> = servers.chain([Target::Engine]).collect();
        let rows = memory::run(&targets, &cli.keys, cli.runs)?;
        tables.push(memory::table(&rows, cli.runs));
    }
    if cli.parts.contains(&Part::Shifting) {
        // What memcached has given to one size it does not give to another: it refuses writes.
        kinds.retain(|kind| kind.protocol() == Protocol::Resp);
        let rows = shifting::run(&kinds, cli.memory_mib)?;
        tables.push(shifting::table(&rows, cli.memory_mib));
    }
    report::print(cli.form, &tables);
    Ok(())
}
