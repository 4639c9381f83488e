//! What prediction gains and costs.

use std::path::PathBuf;

use anyhow::Result;
use bench::predict::{self, Options};
use bench::report::{self, Form};
use bench::servers::Kind;
use clap::Parser;

/// Hits, latency of GET and processor time with prediction and without
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
    let rows = predict::run(&program, &options)?;
    report::print(form, &[predict::table(&rows, &options)]);
    Ok(())
}
