//! Entries in Redis by way of Larder's tier, and by redis-rs as it is.

use anyhow::Result;
use bench::redis::{self, Options, delay};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The tier in Redis beside redis-rs: latency and processor time of a read, a write and sixteen at once; and
/// how soon one server knows what another has changed
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    delay: delay::Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli {
        options,
        delay,
        form,
    } = Cli::parse();
    report::print(form, &[redis::run(&options)?, delay::run(&delay)?]);
    Ok(())
}
