//! The in-memory level in process, beside other caches for Rust.

use anyhow::Result;
use bench::l1::{self, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Time of operations in process, beside moka, quick_cache and foyer-memory
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    let rows = l1::run(&options)?;
    report::print(form, &[l1::table(&options, &rows)]);
    Ok(())
}
