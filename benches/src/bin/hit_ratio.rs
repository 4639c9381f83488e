//! Miss ratios of all eviction policies on recorded traces.

use anyhow::Result;
use bench::hit_ratio::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Miss ratios of all native eviction policies, beside bounds and another simulator
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &hit_ratio::run(&options)?);
    Ok(())
}
