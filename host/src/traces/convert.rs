//! `larder trace convert`: a trace in another form, or a part of it.

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use larder_simulator::trace::{Columns, Record, TraceFile, mix};

use super::options::sample;
use super::output::OutputArgs;

/// Sets the choice of a sample apart from all other uses of an object's hash.
const SAMPLE_SALT: u64 = 0x5A3B_1E00_5A3B_1E00;

const EXAMPLES: &str = "\
Examples:
  larder trace convert cdn.csv cdn.oracleGeneral.zst --columns key=url,time=clock,size=bytes
  larder trace convert trace.oracleGeneral.zst trace.csv     for other programs
  larder trace convert long.zst short.zst --sample 1%        simulate it at 1 % of the sizes
  larder trace convert long.zst start.zst --limit 1000000

Exit codes: 0 done; 1 IN could not be read to its end (what was read is in OUT), or OUT could not be
written (nothing is left behind); 2 wrong command line.";

/// Write a trace in another form, or a part of it
///
/// The next accesses in an oracleGeneral file are found out anew, so they are right for what is in
/// OUT. Memory follows the objects of the trace, some 20 to 60 bytes each, not its length; the folder
/// of OUT needs room for 24 bytes a request meanwhile, and for OUT beside that where it is compressed.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConvertArgs {
    /// The trace, plain or zstd: .csv with a line of names, .txt or .keys with a key a line,
    /// .larder from `larder record`, all others oracleGeneral
    #[arg(value_name = "IN")]
    trace: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    /// What is in which column of a .csv: key=NAME,time=NAME,size=NAME,ttl=NAME; what is left out goes
    /// by usual names
    #[arg(long)]
    columns: Option<Columns>,
    /// Take only so many requests, from the start
    #[arg(long, value_name = "REQUESTS")]
    limit: Option<NonZeroU64>,
    /// Take only such a part of the objects (1%), with all their requests; which, follows from their
    /// ids alone
    #[arg(long, value_name = "SHARE", value_parser = sample)]
    sample: Option<f64>,
}

impl ConvertArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let name = self.trace.display();
        let output = self.output.open()?;
        let trace = TraceFile::open(&self.trace, &self.columns.unwrap_or_default());
        let trace = trace.with_context(|| name.to_string())?;
        let limit = self.limit.map_or(u64::MAX, NonZeroU64::get);
        let mut failed = None;
        let mut lost_ttls: u64 = 0;
        let records = (0..limit)
            .zip(trace)
            .map_while(|(_, record)| record.map_err(|error| failed = Some(error)).ok())
            .take_while(|_| !output.is_stopped())
            .filter(|record| self.sample.is_none_or(|share| is_sampled(record, share)))
            .inspect(|record| lost_ttls += u64::from(record.ttl_seconds != 0));
        let count = output.write(records)?;
        let failed = failed.map(|error| anyhow::Error::from(error).context(name.to_string()));
        if count == 0 {
            match failed {
                Some(error) => return Err(error),
                None => bail!("{name}: no object of it is in the sample; take a larger --sample"),
            }
        }
        let out = output.path().display();
        writeln!(io::stdout(), "{out}: {count} requests").context("cannot print the result")?;
        if lost_ttls > 0 && !output.has_ttls() {
            eprintln!(
                "warning: {lost_ttls} requests have a time to live, which only a .csv can hold: \
                 {out} does without"
            );
        }
        match failed {
            Some(error) => {
                Err(error.context(format!("{out} has only what comes before the damage")))
            }
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Whether an object belongs to that share of all.
fn is_sampled(record: &Record, share: f64) -> bool {
    // 53 bits, all that a fraction has.
    let place = (mix(record.id ^ SAMPLE_SALT) >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use larder_simulator::trace::Generator;

    use super::*;

    #[test]
    fn a_sample_has_its_share_of_the_objects_and_all_their_requests() {
        let records = Generator::default().records();
        let ids: HashSet<u64> = records.iter().map(|record| record.id).collect();
        for share in [0.01, 0.1, 0.5] {
            let sampled = records.iter().filter(|record| is_sampled(record, share));
            let taken: HashSet<u64> = sampled.clone().map(|record| record.id).collect();
            let part = taken.len() as f64 / ids.len() as f64;
            assert!((part / share - 1.0).abs() < 0.1, "{part} of {share}");
            let requests = records.iter().filter(|record| taken.contains(&record.id));
            assert_eq!(sampled.count(), requests.count());
        }
        assert!(records.iter().all(|record| is_sampled(record, 1.0)));
    }
}
