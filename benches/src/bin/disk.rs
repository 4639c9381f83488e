//! The disk tier alone, without the server above it.

use anyhow::Result;
use bench::disk::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The disk tier: latency of hits beside writes, restart, memory of its index, write amplification
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &disk::run(&options)?);
    Ok(())
}
