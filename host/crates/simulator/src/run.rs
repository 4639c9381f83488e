//! Many caches over one trace: it is read and its objects are numbered once, for all of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::thread_time;
use crate::replay::{Cell, Fault, Tally};
use crate::trace::{Record, TraceError};
use crate::{Interner, Request};

/// Requests that are handed on together.
const CHUNK: usize = 16 * 1024;
/// Chunks that may wait for a thread.
const CHUNKS_MAX: usize = 4;
/// Ids above are hashes: nobody numbers so many keys.
const HASHES_FROM: u64 = 1 << 48;

/// What is in a trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Requests.
    pub requests: u64,
    /// Objects.
    pub objects: u64,
    /// Bytes of the objects, each as large as when it was first asked for.
    pub bytes: u64,
    /// Objects that are asked for once.
    pub one_hit_objects: u64,
    /// The largest object.
    pub object_bytes_max: u32,
    /// The first request that is earlier than the one before.
    pub backward_time: Option<u64>,
    /// Whether it says when objects are asked for again.
    pub knows_future: bool,
    /// Whether it says how long objects live.
    pub has_ttls: bool,
    /// Whether ids may be numbers that are part of keys: neither hashes, which are high, nor given to objects as
    /// they came, each higher than all before.
    pub ids_are_numbers: bool,
}

impl Footprint {
    /// Reads a trace to its end, or until it cannot be read on, and why.
    pub fn of(
        records: impl Iterator<Item = Result<Record, TraceError>>,
    ) -> (Self, Option<TraceError>) {
        let mut found = Self::default();
        let error = found.count(records).err();
        (found, error)
    }

    fn count(
        &mut self,
        records: impl Iterator<Item = Result<Record, TraceError>>,
    ) -> Result<(), TraceError> {
        let mut interner = Interner::default();
        let mut is_repeated: Vec<bool> = Vec::new();
        let (mut before, mut id_max, mut ids_ascend) = (0, None, true);
        for record in records {
            let record = record?;
            let (request, is_first) = interner.request(&record).ok_or(TraceError::TooMany)?;
            self.requests += 1;
            if is_first {
                is_repeated.push(false);
                self.objects += 1;
                self.one_hit_objects += 1;
                self.bytes += u64::from(record.size_bytes);
                ids_ascend &= id_max.is_none_or(|max| record.id > max);
                id_max = id_max.max(Some(record.id));
                self.ids_are_numbers = !ids_ascend && id_max < Some(HASHES_FROM);
            } else {
                let was_repeated =
                    std::mem::replace(&mut is_repeated[request.object as usize], true);
                self.one_hit_objects -= u64::from(!was_repeated);
            }
            self.object_bytes_max = self.object_bytes_max.max(record.size_bytes);
            if record.time_seconds < before && self.backward_time.is_none() {
                self.backward_time = Some(self.requests - 1);
            }
            before = record.time_seconds;
            self.knows_future |= record.next_access.is_some();
            self.has_ttls |= record.ttl_seconds != 0;
        }
        Ok(())
    }
}

/// What came of one cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it counted, up to the end or to where it stopped.
    pub tally: Tally,
    /// Processor time that its requests took.
    pub time: Duration,
    /// The part of it that a request takes within the eviction policy.
    pub policy_time: Option<Duration>,
    /// The most that the eviction policy held.
    pub policy_bytes: u64,
    /// Why it stopped early.
    pub fault: Option<Fault>,
}

/// What a run is watched and ended by.
#[derive(Debug, Default)]
pub struct Control {
    /// Set, it ends the run after the requests in progress.
    pub stop: AtomicBool,
    /// Requests read so far.
    pub requests: AtomicU64,
}

struct Runner {
    number: usize,
    cell: Box<dyn Cell>,
    outcome: Outcome,
}

impl Runner {
    fn run(&mut self, requests: &[Request]) {
        if self.outcome.fault.is_some() {
            return;
        }
        let began = thread_time();
        self.outcome.fault = self.cell.run(requests).err();
        self.outcome.time += thread_time().saturating_sub(began);
        self.outcome.policy_time = self.cell.policy_time();
        self.outcome.tally = self.cell.tally();
        self.outcome.policy_bytes = self.outcome.policy_bytes.max(self.cell.policy_bytes());
    }
}

/// Makes the requests of a trace to all `cells`, on so many threads beside the one that reads; at
/// least one. Returns the outcomes in the order of the cells, and why reading stopped early, if it
/// did: what was read until then counts. Times to live are taken notice of where `honour_ttls`.
pub fn run(
    records: impl Iterator<Item = Result<Record, TraceError>>,
    cells: Vec<Box<dyn Cell>>,
    threads: usize,
    honour_ttls: bool,
    control: &Control,
) -> (Vec<Outcome>, Option<TraceError>) {
    let count = cells.len();
    let mut shares: Vec<Vec<Runner>> = (0..threads.clamp(1, count.max(1)))
        .map(|_| Vec::new())
        .collect();
    let shares_count = shares.len();
    for (number, cell) in cells.into_iter().enumerate() {
        let outcome = Outcome {
            tally: Tally::default(),
            time: Duration::ZERO,
            policy_time: None,
            policy_bytes: 0,
            fault: None,
        };
        shares[number % shares_count].push(Runner {
            number,
            cell,
            outcome,
        });
    }
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::with_capacity(count));
    let error = thread::scope(|scope| {
        let mut feeds: Vec<SyncSender<Arc<[Request]>>> = Vec::new();
        for mut share in shares {
            let (feed, chunks) = sync_channel::<Arc<[Request]>>(CHUNKS_MAX);
            let done = &done;
            feeds.push(feed);
            scope.spawn(move || {
                for chunk in chunks {
                    share.iter_mut().for_each(|runner| runner.run(&chunk));
                }
                let outcomes = share.into_iter().map(|r| (r.number, r.outcome));
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(outcomes);
            });
        }
        feed(records, &feeds, honour_ttls, control)
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let outcomes = done.into_iter().map(|(_, outcome)| outcome).collect();
    (outcomes, error)
}

/// Reads to the end, or until it is stopped.
fn feed(
    records: impl Iterator<Item = Result<Record, TraceError>>,
    feeds: &[SyncSender<Arc<[Request]>>],
    honour_ttls: bool,
    control: &Control,
) -> Option<TraceError> {
    let mut interner = Interner::default();
    let mut chunk: Vec<Request> = Vec::with_capacity(CHUNK);
    let hand_on = |chunk: &mut Vec<Request>| {
        control
            .requests
            .fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let shared: Arc<[Request]> = Arc::from(&chunk[..]);
        // A thread that ended has panicked, which the scope tells.
        feeds
            .iter()
            .for_each(|feed| drop(feed.send(Arc::clone(&shared))));
        chunk.clear();
    };
    let mut error = None;
    for record in records {
        let request = record.and_then(|record| {
            let request = interner.request(&record).ok_or(TraceError::TooMany)?;
            Ok(request.0)
        });
        match request {
            Ok(mut request) => {
                if !honour_ttls {
                    request.ttl_seconds = 0;
                }
                chunk.push(request);
            }
            Err(failed) => {
                error = Some(failed);
                break;
            }
        }
        if chunk.len() == CHUNK {
            if control.stop.load(Ordering::Relaxed) {
                break;
            }
            hand_on(&mut chunk);
        }
    }
    if !control.stop.load(Ordering::Relaxed) {
        hand_on(&mut chunk);
    }
    error
}

#[cfg(test)]
mod tests;
