//! Follows the accesses, within a fixed number of bytes, and finds candidates.

use crate::access::{Access, Cache, Kind};
use crate::candidate::{Candidate, Source};
use crate::follow::followers;
use crate::history::{Histories, History};
use crate::log::Log;
use crate::sequence::{Step, Streams};

/// A rhythm is believed whose gaps deviate by less than this part of them.
const DEVIATION_MAX: f32 = 0.5;
/// Visits in the same hour of earlier days that make an hour of its own, where the last one is as long ago.
const HOUR_VISITS_MIN: u8 = 1;
/// Of the keys that the walk meets one in so many is a candidate whatever is expected of it.
const WALK_SAMPLED: u64 = 16;
/// Entries that make the usual size.
const USUAL_ENTRIES: f32 = 64.0;
const HOUR_MS: f32 = 3_600_000.0;

/// What is known of the accesses so far.
#[derive(Debug)]
pub(crate) struct Tracker {
    histories: Histories,
    log: Log,
    streams: Streams,
    steps: Vec<Step>,
    walked: u64,
    /// Bytes of entries, the latest counting most: what an entry has of which they are not known.
    usual_bytes: f32,
}

/// The time that candidates are sought for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub(crate) now_ms: u64,
    pub(crate) horizon_ms: u64,
    /// The hour of the day in the middle of the horizon.
    pub(crate) hour: usize,
    /// Days since the first access, those begun counted in.
    pub(crate) days: f32,
}

impl Tracker {
    /// One that takes at most so many bytes, but for a few MiB at least.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let rest = bytes_max.saturating_sub(Streams::BYTES_MAX);
        let log = Log::new(rest / 2);
        Self {
            histories: Histories::new(rest.saturating_sub(log.bytes())),
            log,
            streams: Streams::default(),
            steps: Vec::new(),
            walked: 0,
            usual_bytes: 0.0,
        }
    }

    /// The most bytes that it ever takes.
    pub(crate) fn bytes(&self) -> usize {
        self.histories.bytes() + self.log.bytes() + Streams::BYTES_MAX
    }

    pub(crate) fn history(&self, key: u64) -> Option<&History> {
        self.histories.get(key)
    }

    /// Keys that there is room for.
    pub(crate) fn keys_max(&self) -> usize {
        self.histories.len()
    }

    /// Notes an access, and appends what may be asked for after it.
    pub(crate) fn observe(
        &mut self,
        access: &Access,
        (now_ms, hour): (u64, usize),
        cache: &impl Cache,
        out: &mut Vec<Candidate>,
    ) {
        let history = self.histories.of(access.key, now_ms);
        if access.size_bytes > 0 {
            history.size_bytes = access.size_bytes;
            self.usual_bytes += (access.size_bytes as f32 - self.usual_bytes) / USUAL_ENTRIES;
        } else if history.size_bytes == 0 {
            history.size_bytes = self.usual_bytes as u32;
        }
        if access.kind == Kind::Insert {
            return;
        }
        history.ask(now_ms, hour);
        let size_bytes = history.size_bytes;
        if let Some(position) = history.position() {
            followers(&self.log, access.key, position, out);
        }
        // What is found in memory need not be foretold, and would crowd out what has to be.
        if access.kind == Kind::Miss {
            history.set_position(self.log.push(access.key, history.position()));
        }
        let Some(place) = access.place else { return };
        self.steps.clear();
        self.streams.see(place, &mut self.steps);
        for step in &self.steps {
            let Some(key) = cache.key_at(step.place) else {
                continue;
            };
            out.push(Candidate {
                key,
                source: Source::Sequence,
                run: step.run as f32,
                support: step.success,
                ahead: step.ahead as f32,
                is_drawn: false,
                size_bytes,
            });
        }
    }

    /// Walks on over so many keys, and appends those whose own rhythm says that they are due, and some
    /// others to compare them with.
    pub(crate) fn walk(&mut self, count: usize, when: &When, out: &mut Vec<Candidate>) {
        for history in self.histories.walk(count) {
            self.walked += 1;
            let due = due(history, when);
            let is_drawn = self.walked.is_multiple_of(WALK_SAMPLED);
            if due.is_none() && !is_drawn {
                continue;
            }
            out.push(Candidate {
                is_drawn,
                ..by_rhythm(history, due)
            });
        }
    }

    /// What speaks for a key by its own rhythm, if anything is known of it.
    pub(crate) fn by_rhythm(&self, key: u64, when: &When) -> Option<Candidate> {
        let history = self.history(key)?;
        Some(by_rhythm(history, due(history, when)))
    }
}

fn by_rhythm(history: &History, due: Option<f32>) -> Candidate {
    let steady = 1.0 - (history.gap_deviation_ms() / history.gap_ms.max(1.0)).min(1.0);
    Candidate {
        key: history.key(),
        source: due.map_or(Source::Walk, |_| Source::Due),
        run: f32::from(history.uses().min(32)),
        support: if history.uses() > 2 { steady } else { 0.0 },
        ahead: due.unwrap_or(1.0),
        is_drawn: false,
        size_bytes: history.size_bytes,
    }
}

/// How far into the horizon a key is due, 0 to 1, if it is.
fn due(history: &History, when: &When) -> Option<f32> {
    let (age, gap) = (history.age_ms(when.now_ms), history.gap_ms);
    let horizon = when.horizon_ms as f32;
    let deviation = history.gap_deviation_ms();
    if history.uses() > 2 && deviation < gap * DEVIATION_MAX {
        let is_due = age + horizon >= gap - deviation && age <= gap + 2.0 * deviation;
        return is_due.then(|| ((gap - age) / horizon).clamp(0.0, 1.0));
    }
    let is_hour = age > HOUR_MS && history.in_hour(when.hour) >= HOUR_VISITS_MIN;
    is_hour.then_some(0.5)
}
