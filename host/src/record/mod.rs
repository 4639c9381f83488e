//! `larder record`: what clients do to a running server, into a file that the simulator reads.

mod blocks;
mod file;
mod tally;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use indicatif::ProgressBar;
use larder_engine::recording::{SALT_BYTES, Salt, Threshold};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::load::duration;
use crate::server::ServerArgs;
use blocks::{Blocks, Came};
use file::Part;
use tally::Tally;

/// A server that sends nothing for so long is taken to be gone: it sends a block each second.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Ending of the names of recordings, by which the simulator knows them.
const ENDING: &str = "larder";

const EXAMPLES: &str = "\
Examples:
  larder record --out monday.larder --for 10m
  larder record --addr 10.0.0.7:6379 --out monday.larder --sample 1% --requests 1000000
  larder simulate monday.larder --policy lru --policy s3-fifo --size 1%,10%

Exit codes: 0 done, by Ctrl-C or SIGTERM too; 1 failed. If the server goes away, what came is kept.";

/// Record what clients do to a running server, for the simulator
///
/// Time, size, time to live and outcome of each read and write of the connection's database, without
/// keys and values: of a key a hash is kept (SipHash-2-4), with a salt that is drawn anew for each
/// recording and kept nowhere. Whoever gets to know the salt can test which keys were used; without it
/// the file still shows how often and when the same object was asked for, and how large it is.
///
/// Objects are sampled, not requests: of an object all requests are recorded or none. The simulator
/// judges a sample of 1% as it would the whole, with caches of 1% of the size; sizes that are parts of
/// the footprint need no change. A read that found nothing and the write that answers it count as one
/// request. The server records for one client at a time.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct RecordArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The file to write, NAME.larder; it is there once the recording has ended
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The part of the objects that is recorded
    #[arg(long, default_value = "100%", value_name = "PERCENT", value_parser = percent)]
    sample: f64,
    /// Accesses that are recorded in a second at most; when more come, half of the objects are left out
    /// from then on, and of what was recorded before
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How long to record: 90s, 10m, 2h; until Ctrl-C if left out
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// End after so many accesses
    #[arg(long)]
    requests: Option<NonZeroU64>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// 32 hexadecimal digits to hash keys with, for recordings that are to be compared; drawn at random
    /// if left out
    #[arg(long, value_name = "HEX")]
    salt: Option<Salt>,
}

impl RecordArgs {
    /// Records until it is told to end, and prints what was recorded. The exit code is 1 when the server
    /// went away before, or the disk was full.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or the file cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let shown = self.out.display();
        ensure!(
            self.out.extension().is_some_and(|found| found == ENDING),
            "--out {shown} has to end in .{ENDING}, by which the simulator knows what it is"
        );
        ensure!(
            !self.out.exists() || self.out.is_file(),
            "{shown} is no file, so it cannot be replaced"
        );
        ensure!(
            self.force || !self.out.exists(),
            "{shown} is there already; --force replaces it"
        );
        let stop = Arc::new(AtomicBool::new(false));
        let interrupted = Arc::clone(&stop);
        ctrlc::set_handler(move || interrupted.store(true, Ordering::Relaxed))
            .context("cannot wait for Ctrl-C")?;
        let mut part = Part::create(&self.out)?;
        let mut blocks = self.begin()?;
        let mut tally = Tally::new();
        let trouble = self.record(&mut blocks, &mut part, &mut tally, &stop);
        if let Some(trouble) = &trouble
            && !tally.has_begun()
        {
            bail!("{trouble}");
        }
        let finished = part.finish(&tally.head());
        println!("{shown}: {tally}");
        finished?;
        let Some(trouble) = trouble else {
            return Ok(ExitCode::SUCCESS);
        };
        eprintln!("error: {trouble}; {shown} has what came before");
        Ok(ExitCode::FAILURE)
    }

    /// Connects and orders the recording.
    fn begin(&self) -> anyhow::Result<Blocks> {
        let salt = match self.salt {
            Some(salt) => salt,
            None => {
                let mut drawn = [0; SALT_BYTES];
                SysRng
                    .try_fill_bytes(&mut drawn)
                    .context("the system gives no random numbers")?;
                Salt(drawn)
            }
        };
        let (salt, sample) = (salt.to_hex(), self.sample.to_string());
        let rate = self.rate.to_string();
        let order = [
            "CACHE.RECORD",
            "SALT",
            &salt,
            "SAMPLE",
            &sample,
            "RATE",
            &rate,
        ];
        let lost = || format!("the connection to {} is lost", self.server.addr);
        Blocks::order(self.server.server()?.connect()?, &order).with_context(lost)
    }

    /// Writes what comes until it is to end, or nothing comes any more, or nothing can be written: what
    /// happened then.
    fn record(
        &self,
        blocks: &mut Blocks,
        part: &mut Part,
        tally: &mut Tally,
        stop: &AtomicBool,
    ) -> Option<String> {
        let bar = ProgressBar::new_spinner();
        let began = Instant::now();
        let mut last = began;
        let mut is_ending = false;
        let records_max = self.requests.map_or(u64::MAX, NonZeroU64::get);
        loop {
            let is_time = self.time.is_some_and(|time| began.elapsed() >= time);
            if !is_ending && (is_time || stop.load(Ordering::Relaxed)) {
                is_ending = true;
                // Fails when the server is gone, as the next read will tell.
                let _ = blocks.end();
            }
            let trouble = match blocks.next() {
                Ok(Came::Block { head, records }) => {
                    if !tally.has_begun() {
                        eprintln!("recording {}; Ctrl-C ends it", self.server.addr);
                    }
                    let left = records_max.saturating_sub(tally.records());
                    let few =
                        usize::try_from(left).map_or(records.len(), |left| left.min(records.len()));
                    if let Err(error) = part.write(records[..few].as_flattened()) {
                        return Some(format!("cannot write on: {error}"));
                    }
                    tally.add(head, &records[..few], began.elapsed());
                    if tally.records() == records_max {
                        return None;
                    }
                    last = Instant::now();
                    bar.set_message(tally.to_string());
                    bar.tick();
                    continue;
                }
                Ok(Came::Nothing) if last.elapsed() <= SILENCE_MAX => continue,
                Ok(Came::Nothing) => "has fallen silent".to_owned(),
                Ok(Came::End) if is_ending => return None,
                Ok(Came::End) => "closed the connection".to_owned(),
                Ok(Came::Refusal(why)) => format!("refuses: {why}"),
                Err(error) => format!("is lost: {error}"),
            };
            return Some(format!("{} {trouble}", self.server.addr));
        }
    }
}

/// `1%`, or the number alone.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse();
    number
        .ok()
        .filter(|&percent| Threshold::of_percent(percent).is_some())
        .ok_or_else(|| "it has to be above 0% and 100% at most".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_above_nothing_and_all_at_most() {
        assert_eq!(percent("1%"), Ok(1.0));
        assert_eq!(percent("0.25"), Ok(0.25));
        for wrong in ["", "%", "0%", "101%", "-1%", "nan", "1%%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
