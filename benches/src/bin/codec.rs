//! What records of entries save, and what compressing and sealing them costs.

use anyhow::Result;
use bench::codec::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Compression and encryption of what leaves the process
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &codec::run(&options)?);
    Ok(())
}
