//! The server beside Debian's `redis-server`.

use std::path::PathBuf;

use anyhow::Result;
use bench::report::{self, Form};
use bench::server::{self, Options};
use bench::servers::Kind;
use clap::Parser;

/// Processor time of the server an operation, beside redis-server
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
    let contestants = server::contestants(&program, &options)?;
    let rows = server::run(&contestants, &options)?;
    report::print(form, &[server::table(&rows, &options)]);
    Ok(())
}
