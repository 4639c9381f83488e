//! What WebAssembly costs: events, decisions, and S3-FIFO beside its native twin.

use anyhow::Result;
use bench::policy::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Cost of policies in the sandbox, beside their native twins
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &policy::run(&options)?);
    Ok(())
}
