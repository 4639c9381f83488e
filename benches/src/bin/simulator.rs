//! How fast the simulator replays a trace, natively and in WebAssembly.

use anyhow::Result;
use bench::report::{self, Form};
use bench::simulator::{self, Options};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Requests a second that the simulator makes to caches of several policies
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli { options, form } = Cli::parse();
    report::print(form, &[simulator::run(&options)?]);
    Ok(())
}
