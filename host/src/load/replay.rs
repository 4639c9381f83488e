//! `larder replay`: its options, and the passes over the trace.

mod link;
mod report;
mod session;

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;

use self::link::Link;
use self::report::{Report, Settings};
use self::session::Session;
use super::VALUE_BYTES_MAX;
use crate::server::ServerArgs;
use crate::trace::OracleReader;

const PROGRESS_REQUESTS: u64 = 1 << 10;

const EXAMPLES: &str = "\
Examples:
  larder replay trace.oracleGeneral.zst
  larder replay trace.oracleGeneral.zst --limit 1000000 --segments 20
  larder replay trace.oracleGeneral.zst --value-bytes 500 --pipeline 64 --json";

/// Replay a trace against a running server and report its hit ratio
///
/// Look-aside, through one connection: GET, and on a miss SET of the record's size; the SET goes
/// out before the next GET, in one write with it. A value follows from the object's id and the
/// size, and what a GET brings is checked. The exit code is 1 when a GET got an error or a wrong
/// value. A SET that the server refuses (no room, too large) is counted and is no fault.
///
/// The trace is read once before the replay, so that a damaged one is refused before the server
/// is asked anything.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// The trace: oracleGeneral (24-byte little-endian records: u32 time, u64 object id, u32 size,
    /// i64 next access), plain or zstd
    trace: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
    /// Store this many bytes for every object instead of the record's size
    #[arg(long, value_parser = clap::value_parser!(u32).range(..=VALUE_BYTES_MAX as i64))]
    value_bytes: Option<u32>,
    /// Replay only so many requests, from the start
    #[arg(long)]
    limit: Option<NonZeroU64>,
    /// Equal parts of the trace that the hit ratio is reported for
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    segments: u32,
    /// GETs sent at once; above 1 the replay is faster and no longer exact
    ///
    /// 1 is what a sequential client does. Above 1, SETs follow the whole batch of GETs instead of
    /// each its own, so evictions come at other moments than for a sequential client and the hit
    /// ratio differs a little. No object comes twice in a batch, so an object's own SET is never
    /// late: where nothing is evicted, the result is the same.
    #[arg(long, visible_alias = "batch", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pipeline: u32,
    /// Print the report as one JSON object
    ///
    /// Keys: requests, hits, hit_ratio; segments, a list of the same three; sets (SETs sent),
    /// refused (of these, answered with an error; and objects above 64 MiB, which are not sent),
    /// errors (GETs answered with one), wrong (GETs answered with what is not the object's),
    /// first_fault (the first of the refused, errors and wrong in words, or null), seconds,
    /// requests_per_s, settings.
    #[arg(long)]
    json: bool,
}

impl ReplayArgs {
    /// Replays the trace and prints the report. The exit code is 1 when a GET got an error or a
    /// wrong value.
    ///
    /// # Errors
    /// When the trace cannot be read to its end, or the server cannot be reached or stops
    /// answering.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let report = self.replay()?;
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &report)?;
            writeln!(out)?;
        } else {
            write!(out, "{report}")?;
        }
        Ok(if report.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn replay(&self) -> anyhow::Result<Report> {
        let requests = self.count()?;
        let link = Link::new(self.server.server()?.connect()?)?;
        let segments = self.segments as usize;
        let mut session = Session::new(link, self.pipeline as usize, requests, segments);
        let started = Instant::now();
        let bar = ProgressBar::new(requests);
        let lost = |at: u64| format!("{} stopped answering before request {at}", self.server.addr);
        let mut at = 0_u64;
        // A file that grows meanwhile is replayed as far as it was counted.
        for record in self.reader()?.take(requests as usize) {
            let mut record = record.with_context(|| self.unreadable())?;
            record.size_bytes = self.value_bytes.unwrap_or(record.size_bytes);
            session.request(&record).with_context(|| lost(at))?;
            at += 1;
            if at.is_multiple_of(PROGRESS_REQUESTS) {
                bar.set_position(at);
            }
        }
        let outcome = session.finish().with_context(|| lost(at))?;
        bar.finish_and_clear();
        Ok(Report::new(outcome, started.elapsed(), self.settings()))
    }

    /// Reads the trace, or as much of it as is asked for, and counts its requests.
    fn count(&self) -> anyhow::Result<u64> {
        let mut requests = 0;
        for record in self.reader()?.take(self.limit()) {
            record.with_context(|| self.unreadable())?;
            requests += 1;
        }
        Ok(requests)
    }

    fn reader(&self) -> anyhow::Result<OracleReader<File>> {
        OracleReader::open(&self.trace).with_context(|| self.unreadable())
    }

    fn unreadable(&self) -> String {
        format!("cannot read the trace {}", self.trace.display())
    }

    fn limit(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit.get()).unwrap_or(usize::MAX)
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            trace: self.trace.display().to_string(),
            addr: self.server.addr.to_string(),
            value_bytes: self.value_bytes,
            limit: self.limit,
            pipeline: self.pipeline,
        }
    }
}

#[cfg(test)]
mod tests;
