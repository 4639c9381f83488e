//! `larder bench`: its options, and its phases.

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::options::{ValueBytes, Weight, duration};
use super::phase::Phase;
use super::report::{Report, Settings};
use super::source::{Keys, Mix, Op, Source};
use super::tally::Tally;
use crate::server::{Server, ServerArgs};

/// Requests that a client sends at once while it fills, unless `--pipeline` says more.
const FILL_PIPELINE: usize = 64;
/// What one client may have to hold of its batch.
const BATCH_BYTES_MAX: usize = 256 << 20;

const EXAMPLES: &str = "\
Examples:
  larder bench --duration 10s
  larder bench --clients 200 --pipeline 16 --ratio get=95,set=5,del=0 --fill
  larder bench --addr unix:/run/larder/larder.sock --value 1000 --ttl 60s --json";

/// Load a running server and report throughput and latency
///
/// Each client sends a batch of `--pipeline` requests, awaits all replies, and sends the next one
/// (a closed loop: a server that stalls is also asked less). Latency is the time from sending a
/// batch to reading the reply. The exit code is 1 when any reply was an error, wrong or lost.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Connections, shared out among the threads
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    clients: u32,
    /// Requests that a connection sends at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pipeline: u32,
    /// What to do, of get, set and del
    #[arg(long, value_delimiter = ',', default_value = "get,set,del")]
    ops: Vec<Op>,
    /// How often to do it, as get=90,set=9,del=1 (the default); what is not named keeps its default
    #[arg(long, value_delimiter = ',')]
    ratio: Vec<Weight>,
    /// Different keys, of 16 bytes each
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// Skew of the popularity of the keys; 0 makes all equally popular
    #[arg(long, default_value_t = 0.99)]
    zipf: f64,
    /// Length of the values in bytes, drawn evenly from MIN..MAX, or one length
    #[arg(long, default_value = "100..1000")]
    value: ValueBytes,
    /// How long to measure: 60s, 500ms, 2m
    #[arg(long, default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// Names the load: each thread draws the same requests again for the same seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads that make the load [default: half of the cores]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    threads: Option<u32>,
    /// Time to live of what is SET: 60s, 500ms; 0 is for ever
    #[arg(long, default_value = "0", value_parser = duration)]
    ttl: Duration,
    /// SET every key once before measuring
    #[arg(long)]
    fill: bool,
    /// Check that each value is its key's and whole; false for values that others have written
    #[arg(long, default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    verify: bool,
    /// Print the report as one JSON object
    ///
    /// Keys: ops_per_s, seconds and count (replies) of what was measured; ops.get, .set and .del,
    /// each with count, ops_per_s and latency_us (mean, p50, p95, p99, p999, max); hits, misses,
    /// hit_ratio (null without a GET); errors (error replies), wrong (replies that do not belong
    /// to their request, values that are not their key's), lost (requests without a reply),
    /// first_fault (one of these in words, or null), the fill included; fill (count, seconds,
    /// ops_per_s, or null); settings; seed.
    #[arg(long)]
    json: bool,
}

impl BenchArgs {
    /// Runs the load and prints the report. The exit code is 1 when any reply was an error, wrong
    /// or lost.
    ///
    /// # Errors
    /// When options contradict each other or the server cannot be reached.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let report = self.measure()?;
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

    fn measure(&self) -> anyhow::Result<Report> {
        let weights = self.weights()?;
        self.check()?;
        let server = self.server.server()?;
        let filled = self.fill.then(|| self.fill_phase(&server)).transpose()?;
        let (mut tally, elapsed) = self.measured_phase(&server, weights)?;
        let fill = filled.map(|(filled, took)| {
            let count = filled.replies();
            tally.add_faults(filled);
            (count, took)
        });
        Ok(Report::new(
            self.settings(weights),
            self.seed,
            &tally,
            elapsed,
            fill,
        ))
    }

    fn check(&self) -> anyhow::Result<()> {
        let zipf = self.zipf;
        ensure!(
            (0.0..=100.0).contains(&zipf),
            "--zipf {zipf} is outside 0 to 100"
        );
        ensure!(
            !self.duration.is_zero(),
            "--duration is zero; give at least 1ms"
        );
        let batch_bytes = self.value.max.saturating_mul(self.fill_pipeline());
        ensure!(
            batch_bytes <= BATCH_BYTES_MAX,
            "batches of up to {batch_bytes} bytes are above {BATCH_BYTES_MAX}; lower --pipeline \
             or --value"
        );
        Ok(())
    }

    fn weights(&self) -> anyhow::Result<[u32; Op::ALL.len()]> {
        let mut weights = [90, 9, 1];
        for &Weight { op, weight } in &self.ratio {
            ensure!(
                self.ops.contains(&op),
                "--ratio weighs {}, which is not in --ops",
                op.name()
            );
            weights[op as usize] = weight;
        }
        for op in Op::ALL.into_iter().filter(|op| !self.ops.contains(op)) {
            weights[op as usize] = 0;
        }
        if weights.iter().all(|&weight| weight == 0) {
            bail!("nothing to do: every operation of --ops weighs 0");
        }
        Ok(weights)
    }

    fn threads(&self) -> usize {
        let half = || thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let wanted = self.threads.map_or_else(half, |threads| threads as usize);
        wanted.clamp(1, self.clients as usize)
    }

    /// Longer than the measured one's where that is short, but with no more bytes in a batch.
    fn fill_pipeline(&self) -> usize {
        let fitting = BATCH_BYTES_MAX / 16 / self.value.max.max(1);
        FILL_PIPELINE.min(fitting).max(self.pipeline as usize)
    }

    fn fill_phase(&self, server: &Server) -> anyhow::Result<(Tally, Duration)> {
        let threads = self.threads() as u64;
        let bound = |thread: u64| (u64::from(self.keys) * thread / threads) as u32;
        let source = |thread, _| Source::Fill(bound(thread as u64)..bound(thread as u64 + 1));
        let bar = bar(u64::from(self.keys), "filling {wide_bar} {pos}/{len}");
        let show = |replies, _| bar.set_position(replies);
        let filled = self.phase(server, self.fill_pipeline()).run(source, show);
        bar.finish_and_clear();
        filled
    }

    fn measured_phase(
        &self,
        server: &Server,
        weights: [u32; Op::ALL.len()],
    ) -> anyhow::Result<(Tally, Duration)> {
        let keys = Keys::new(self.keys, self.zipf);
        let source = |_, started| {
            Source::Mix(Mix {
                weights,
                keys: keys.clone(),
                deadline: started + self.duration,
            })
        };
        let bar = bar(
            self.duration.as_millis() as u64,
            "measuring {wide_bar} {elapsed} {msg}",
        );
        let show = |replies, since: Duration| {
            bar.set_position(since.as_millis() as u64);
            bar.set_message(format!("{:.0} ops/s", replies as f64 / since.as_secs_f64()));
        };
        let measured = self.phase(server, self.pipeline as usize).run(source, show);
        bar.finish_and_clear();
        measured
    }

    fn phase<'s>(&self, server: &'s Server, pipeline: usize) -> Phase<'s> {
        Phase {
            server,
            clients: self.clients as usize,
            threads: self.threads(),
            pipeline,
            value_bytes: self.value,
            ttl: self.ttl,
            verify: self.verify,
            seed: self.seed,
        }
    }

    fn settings(&self, weights: [u32; Op::ALL.len()]) -> Settings {
        Settings {
            addr: self.server.addr.to_string(),
            clients: self.clients,
            pipeline: self.pipeline,
            threads: self.threads(),
            ratio: Op::ALL.into_iter().zip(weights).collect(),
            keys: self.keys,
            zipf: self.zipf,
            value_bytes: self.value,
            duration_s: self.duration.as_secs_f64(),
            ttl_s: self.ttl.as_secs_f64(),
            verify: self.verify,
        }
    }
}

/// Draws nothing when standard error is no terminal.
fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests;
