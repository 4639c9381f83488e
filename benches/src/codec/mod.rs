//! What the form of values outside the process saves, and what it costs.

mod packing;
mod sealing;

use anyhow::{Result, ensure};
use clap::Args;
use larder_tiers::codec::{Codec, Dictionaries, Encrypt, Handling, Heat, KeyRing, Settings};

use crate::report::Table;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Documents of each topic
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub documents: u32,
    /// Bytes that are sealed and opened in each run, of each length
    #[arg(long, default_value_t = 16 << 20, value_parser = clap::value_parser!(u32).range(1 << 20..))]
    pub sealed_bytes: u32,
    /// Runs of each, taking turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Of the documents that dictionaries are trained from; others are measured
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

const WARM: Handling = Handling {
    is_marked: false,
    heat: Heat::Warm,
    is_portable: false,
};

/// Runs it all.
///
/// # Errors
/// When something does not come back as it was.
pub fn run(options: &Options) -> Result<Vec<Table>> {
    Ok(vec![packing::table(options)?, sealing::table(options)?])
}

fn codec(compress: bool, ring: Option<KeyRing>) -> Codec {
    let settings = Settings {
        compress,
        encrypt: match ring {
            Some(_) => Encrypt::All,
            None => Encrypt::None,
        },
        content_bytes_max: 64 << 20,
        data_type_of: |_| None,
        tenants: 1,
        seed: 1,
    };
    Codec::new(settings, ring, Dictionaries::default())
}

fn same(found: &[u8], expected: &[u8]) -> Result<()> {
    ensure!(found == expected, "a value did not come back as it was");
    Ok(())
}
