//! A cache inside a program, memory and disk together, beside a rival.

use anyhow::Result;
use bench::hybrid::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// `larder::Cache` and foyer's hybrid cache: what a hit costs by where the value is
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &[hybrid::run(&options)?]);
    Ok(())
}
