//! One pass of operations over one store, timed.

use std::fs;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::store::{Store, VALUE_BYTES, key};

/// Operations that share one look at the clock, as the server reads it once a batch of requests.
const BATCH: usize = 64;
/// Pause between two rounds of maintenance.
const PAUSE: Duration = Duration::from_millis(10);
/// This part of the operations runs first, unmeasured, so that caches and queues are as in the midst.
const WARM_PART: usize = 8;

/// What one operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// A read; the key is there.
    Get,
    /// A read; a miss inserts.
    GetOrInsert,
    /// A removal and an insertion of the same key.
    DeleteInsert,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Get, Self::GetOrInsert, Self::DeleteInsert];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetOrInsert => "get, miss: insert",
            Self::DeleteInsert => "delete, insert",
        }
    }
}

/// What a pass gave.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Operations of all threads.
    pub ops: u64,
    /// Of them, those that found their key.
    pub hits: u64,
    /// From the first thread's start to the last one's end.
    pub wall: Duration,
    /// Time on a processor, all threads.
    pub cpu: Duration,
}

/// A store with the passes compiled for it, so that no call of the store is virtual.
pub trait Workload: Send + Sync {
    /// The store itself.
    fn store(&self) -> &dyn Store;

    /// Inserts the keys `0..keys`.
    fn fill(&self, keys: u64);

    /// Runs one thread a stream of key numbers.
    fn pass(&self, operation: Operation, streams: &[Vec<u32>]) -> Pass;
}

impl<S: Store> Workload for S {
    fn store(&self) -> &dyn Store {
        self
    }

    fn fill(&self, keys: u64) {
        let now = self.now();
        for number in 0..keys {
            self.insert(&key(number), &value(number), now);
        }
        self.maintain(now);
    }

    fn pass(&self, operation: Operation, streams: &[Vec<u32>]) -> Pass {
        let start = Barrier::new(streams.len());
        let work = |number: usize| {
            let (warm, measured) = streams[number].split_at(streams[number].len() / WARM_PART);
            run(self, operation, warm, number == 0);
            start.wait();
            let (begun, cpu) = (Instant::now(), thread_cpu());
            let hits = run(self, operation, measured, number == 0);
            let cpu = thread_cpu().saturating_sub(cpu);
            (begun, Instant::now(), cpu, measured.len() as u64, hits)
        };
        let done = thread::scope(|scope| {
            let work = &work;
            let spawn = |number| scope.spawn(move || work(number));
            let threads: Vec<_> = (0..streams.len()).map(spawn).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join();
            threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        });
        // A thread that panicked has said why.
        let done = done.unwrap_or_default();
        let begun = done.iter().map(|thread| thread.0).min();
        let ended = done.iter().map(|thread| thread.1).max();
        Pass {
            ops: done.iter().map(|thread| thread.3).sum(),
            hits: done.iter().map(|thread| thread.4).sum(),
            wall: begun
                .zip(ended)
                .map_or(Duration::ZERO, |(begun, ended)| ended - begun),
            cpu: done.iter().map(|thread| thread.2).sum(),
        }
    }
}

/// The value of the key with this number.
fn value(number: u64) -> [u8; VALUE_BYTES] {
    [number as u8; VALUE_BYTES]
}

/// Runs over `numbers`; how many keys were found. The thread that `maintains` does so in its own
/// time: maintenance is part of the figures.
fn run<S: Store>(store: &S, operation: Operation, numbers: &[u32], maintains: bool) -> u64 {
    let mut out = [0; VALUE_BYTES];
    let mut hits = 0;
    let mut maintained = Instant::now();
    for batch in numbers.chunks(BATCH) {
        let now = store.now();
        hits += match operation {
            Operation::Get => each(batch, |key, _| store.get(key, now, &mut out)),
            Operation::GetOrInsert => each(batch, |key, number| {
                let hit = store.get(key, now, &mut out);
                if !hit {
                    store.insert(key, &value(number), now);
                }
                hit
            }),
            Operation::DeleteInsert => each(batch, |key, number| {
                let removed = store.remove(key, now);
                store.insert(key, &value(number), now);
                removed
            }),
        };
        black_box(&out);
        if maintains && maintained.elapsed() >= PAUSE {
            store.maintain(now);
            maintained = Instant::now();
        }
    }
    hits
}

#[inline]
fn each(batch: &[u32], mut operation: impl FnMut(&[u8], u64) -> bool) -> u64 {
    let mut hits = 0;
    for number in batch {
        let number = u64::from(*number);
        hits += u64::from(operation(&key(number), number));
    }
    hits
}

/// What this thread has spent on a processor; zero where the system does not say.
fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
