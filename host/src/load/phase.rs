//! Runs the threads of `larder bench` from start to end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::REPLY_TIMEOUT;
use super::client::Lane;
use super::encoder::Encoder;
use super::options::ValueBytes;
use super::source::Source;
use super::tally::Tally;
use super::worker::Worker;
use crate::address::Socket;
use crate::server::Server;
use crate::trace::mix;

const SHOW_INTERVAL: Duration = Duration::from_millis(100);
const POLL_FAILED: &str = "cannot poll the connections";

/// One load from connecting to the last reply.
pub(super) struct Phase<'a> {
    pub(super) server: &'a Server,
    pub(super) clients: usize,
    /// At least 1.
    pub(super) threads: usize,
    pub(super) pipeline: usize,
    pub(super) value_bytes: ValueBytes,
    pub(super) ttl: Duration,
    pub(super) verify: bool,
    pub(super) seed: u64,
}

impl Phase<'_> {
    /// Runs a worker on each thread, on what `source` gives for the thread and the start; `show`
    /// is told the replies so far, and the time. Returns the sum of the workers' counts, and how
    /// long the slowest took.
    ///
    /// # Errors
    /// When a client cannot connect, or the system does not let the connections be polled.
    pub(super) fn run(
        &self,
        source: impl Fn(usize, Instant) -> Source,
        show: impl Fn(u64, Duration),
    ) -> anyhow::Result<(Tally, Duration)> {
        let sockets = self.connect()?;
        let progress = AtomicU64::new(0);
        let started = Instant::now();
        let worker = |(thread, sockets)| {
            let encoder = Encoder::new(self.value_bytes, self.ttl);
            let seed = mix(self.seed).wrapping_add(thread as u64);
            let source = source(thread, started);
            let lane = Lane::new(source, encoder, seed, self.pipeline, self.verify);
            Worker::new(sockets, lane, &progress)
        };
        let workers = sockets.into_iter().enumerate().map(worker);
        let workers: Vec<Worker> = workers.collect::<Result<_, _>>().context(POLL_FAILED)?;
        let mut sum = Tally::new();
        thread::scope(|scope| {
            let (done, results) = mpsc::channel();
            for worker in workers {
                let done = done.clone();
                scope.spawn(move || {
                    // Nobody listens any more once another worker has failed.
                    let _ = done.send(worker.run(REPLY_TIMEOUT));
                });
            }
            drop(done);
            loop {
                match results.recv_timeout(SHOW_INTERVAL) {
                    Ok(tally) => sum.add(tally.context(POLL_FAILED)?),
                    Err(RecvTimeoutError::Timeout) => {
                        show(progress.load(Ordering::Relaxed), started.elapsed());
                    }
                    Err(RecvTimeoutError::Disconnected) => break Ok((sum, started.elapsed())),
                }
            }
        })
    }

    /// Connects every client; one list a thread.
    fn connect(&self) -> anyhow::Result<Vec<Vec<Socket>>> {
        let bound = |thread| self.clients * thread / self.threads;
        let share = |thread| {
            (bound(thread)..bound(thread + 1))
                .map(|_| self.server.connect())
                .collect()
        };
        (0..self.threads).map(share).collect()
    }
}
