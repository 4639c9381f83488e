//! The disk tier alone, without the server above it, and rivals beside it.

use std::env;

use anyhow::Result;
use bench::disk::{self, Crash, Options};
use bench::report::{self, Form};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The disk tier, foyer and fjall: latency of hits beside writes, restart, what outlives a crash, write amplification
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    crash: Crash,
    #[command(flatten)]
    form: Form,
}

fn main() -> Result<()> {
    let Cli {
        options,
        crash,
        form,
    } = Cli::parse();
    if crash.crash_in.is_some() {
        return disk::crash_here(&options, &crash);
    }
    report::print(form, &disk::run(&options, &env::current_exe()?)?);
    Ok(())
}
