//! The tail of GET's latency while somebody else keeps the server busy, or the Redis below it is in trouble.

use std::path::PathBuf;

use anyhow::Result;
use bench::report::{self, Form};
use bench::servers::Kind;
use bench::tail::{self, Options, trouble};
use clap::Parser;

/// Latency of GET while others watch, list all keys, run a script or connect, beside redis-server; and over a Redis that is slow, hung or dead
#[derive(Parser)]
struct Cli {
    /// The program measured [default: larder beside this program]
    #[arg(long, value_name = "PATH")]
    larder: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli {
        larder,
        options,
        form,
    } = Cli::parse();
    let program = larder.unwrap_or_else(Kind::larder_beside);
    let contestants = tail::contestants(&program, options.memory_mib);
    let rows = tail::run(&contestants, &options)?;
    let below = trouble::run(&program, &options)?;
    let tables = [
        tail::table(&rows, &options),
        trouble::table(&below, &options),
    ];
    report::print(form, &tables);
    Ok(())
}
