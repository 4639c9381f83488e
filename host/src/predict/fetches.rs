//! Fetches that go on, and what keeps others from being begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::foresight::Prediction;
use larder_engine::tier::TierError;
use larder_engine::{FetchError, Millis, Prewarmed};
use parking_lot::Mutex;

/// Fetches that go on at once.
pub(super) const IN_FLIGHT_MAX: usize = 16;
/// So many that fail one after another tell of more than a key: a level that is away, or a loader's origin.
const FAULTS_MAX: u32 = 8;
/// Then nothing is fetched for so long. Of those that are tried afterwards one that fails is enough.
const PAUSE_MS: Millis = 1_000;
/// When none has ended for so long, those that go on are said to hang.
const SILENCE_MS: Millis = 1_000;
/// A key that was nowhere is not looked for again for so long, however often it is foretold: whoever reads it looks for it.
const ABSENT_MS: Millis = 5_000;
/// So many are remembered; one takes the place of another.
const ABSENT_KEYS: usize = 1 << 12;
/// Of what a fault says, so much is told.
const FAULT_CHARS_MAX: usize = 200;

/// What keeps a fetch from its end, in the order of [`Prediction::UNDONE`].
#[derive(Clone, Copy)]
enum Undone {
    Needless,
    Changed,
    NoRoom,
    Failed,
    Paused,
    Crowded,
}

/// See the module.
pub(super) struct Fetches {
    now: Mutex<Standing>,
    undone: [AtomicU64; Prediction::UNDONE.len()],
    /// Those that were looked for and are nowhere.
    in_vain: AtomicU64,
}

#[derive(Default)]
struct Standing {
    in_flight: usize,
    /// When one ended last, or was begun while there was no other.
    heard_ms: Millis,
    /// How many have failed since one did not.
    faults: u32,
    /// When the last one failed, and how.
    failed_ms: Millis,
    fault: String,
    /// Hashes of keys that were nowhere, and when.
    absent: Vec<(u64, Millis)>,
}

impl Standing {
    /// Whether so many failed that others wait. The clock may be set meanwhile.
    fn is_paused(&self, now: Millis) -> bool {
        self.faults >= FAULTS_MAX && now.abs_diff(self.failed_ms) < PAUSE_MS
    }

    fn is_absent(&self, key: u64, now: Millis) -> bool {
        let (absent, at_ms) = self.absent[key as usize % ABSENT_KEYS];
        absent == key && now.abs_diff(at_ms) < ABSENT_MS
    }
}

impl Fetches {
    /// The most that it takes.
    pub(super) const BYTES: usize = ABSENT_KEYS * size_of::<(u64, Millis)>();

    /// None yet.
    pub(super) fn new() -> Self {
        let standing = Standing {
            absent: vec![(0, 0); ABSENT_KEYS],
            ..Standing::default()
        };
        Self {
            now: Mutex::new(standing),
            undone: Default::default(),
            in_vain: AtomicU64::new(0),
        }
    }

    /// Has the key of that hash be fetched from now on, if that may be.
    pub(super) fn begin(self: &Arc<Self>, key: u64, now: Millis) -> Option<Fetching> {
        let mut standing = self.now.lock();
        let undone = if standing.is_absent(key, now) {
            Some(Undone::Needless)
        } else if standing.is_paused(now) {
            Some(Undone::Paused)
        } else if standing.in_flight >= IN_FLIGHT_MAX {
            Some(Undone::Crowded)
        } else {
            None
        };
        if let Some(undone) = undone {
            self.count(undone);
            return None;
        }
        if standing.in_flight == 0 {
            standing.heard_ms = now;
        }
        standing.in_flight += 1;
        Some(Fetching {
            fetches: Arc::clone(self),
            key,
            begun_ms: now,
            has_ended: false,
        })
    }

    fn end(&self, key: u64, fetched: &Result<Prewarmed, FetchError>, now: Millis) {
        let mut standing = self.now.lock();
        standing.in_flight -= 1;
        standing.heard_ms = now;
        if *fetched == Ok(Prewarmed::Absent) {
            standing.absent[key as usize % ABSENT_KEYS] = (key, now);
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        }
        match fetched {
            Ok(Prewarmed::Here | Prewarmed::Renewed) | Err(FetchError::Memory(_)) => {}
            Ok(_) => standing.faults = 0,
            Err(FetchError::Below(error)) => {
                standing.faults = standing.faults.saturating_add(1);
                standing.failed_ms = now;
                standing.fault = plain(&error.to_string());
            }
        }
        match fetched {
            Ok(Prewarmed::Came | Prewarmed::Renewed) => {}
            Ok(Prewarmed::Here | Prewarmed::Absent) => self.count(Undone::Needless),
            Ok(Prewarmed::Changed) => self.count(Undone::Changed),
            Ok(Prewarmed::NoRoom) => self.count(Undone::NoRoom),
            // Whoever asks for it hears why.
            Err(_) => self.count(Undone::Failed),
        }
    }

    /// Why none is begun at the moment, if so.
    pub(super) fn why_paused(&self, now: Millis) -> Option<String> {
        let standing = self.now.lock();
        let silent_ms = now.saturating_sub(standing.heard_ms);
        if standing.is_paused(now) {
            let (faults, fault) = (standing.faults, &standing.fault);
            return Some(format!("the last {faults} fetches failed: {fault}"));
        }
        let is_hung = standing.in_flight >= IN_FLIGHT_MAX && silent_ms >= SILENCE_MS;
        is_hung.then(|| {
            format!("{IN_FLIGHT_MAX} fetches go on, and none has ended for {silent_ms} ms")
        })
    }

    /// How many there are that do not come, by [`Prediction::UNDONE`].
    pub(super) fn undone(&self) -> [u64; Prediction::UNDONE.len()] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.undone.each_ref().map(of)
    }

    /// How many were looked for and are nowhere.
    pub(super) fn in_vain(&self) -> u64 {
        self.in_vain.load(Ordering::Relaxed)
    }

    /// Those that go on.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.now.lock().in_flight
    }

    fn count(&self, undone: Undone) {
        self.undone[undone as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// A fetch that goes on. Where it is dropped before its end, it has failed, and others have its place.
pub(super) struct Fetching {
    fetches: Arc<Fetches>,
    key: u64,
    begun_ms: Millis,
    has_ended: bool,
}

impl Fetching {
    /// What became of the key.
    pub(super) fn end(mut self, fetched: &Result<Prewarmed, FetchError>, now: Millis) {
        self.has_ended = true;
        self.fetches.end(self.key, fetched, now);
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        if !self.has_ended {
            let fault = "it panicked; the log says where, please report it".to_owned();
            let fetched = Err(TierError::Unavailable(fault).into());
            self.fetches.end(self.key, &fetched, self.begun_ms);
        }
    }
}

/// A text for a line: an origin may have had its say in it.
fn plain(text: &str) -> String {
    let chars = text.chars().take(FAULT_CHARS_MAX);
    chars
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins a fetch and ends it. Whether it was begun.
    fn fetch(fetches: &Arc<Fetches>, now: Millis, fetched: Result<Prewarmed, FetchError>) -> bool {
        let begun = fetches.begin(7, now);
        begun.map(|fetching| fetching.end(&fetched, now)).is_some()
    }

    fn fault() -> Result<Prewarmed, FetchError> {
        Err(TierError::NoOrigin("500\r\nfor this key".to_owned()).into())
    }

    #[test]
    fn a_key_that_fails_among_others_that_do_not_has_nobody_wait() {
        let fetches = Arc::new(Fetches::new());
        for _ in 0..100 {
            assert!((1..FAULTS_MAX).all(|_| fetch(&fetches, 5, fault())));
            assert!(fetch(&fetches, 5, Ok(Prewarmed::Came)));
        }
        assert_eq!(fetches.why_paused(5), None);
        assert_eq!(fetches.undone(), [0, 0, 0, 700, 0, 0]);
    }

    #[test]
    fn after_so_many_faults_in_a_row_there_is_a_pause_that_says_why_and_a_try() {
        let fetches = Arc::new(Fetches::new());
        assert!((0..FAULTS_MAX).all(|_| fetch(&fetches, 10, fault())));
        assert!(!fetch(&fetches, 10 + PAUSE_MS - 1, fault()));
        let why = fetches.why_paused(10).unwrap();
        assert!(why.starts_with("the last 8 fetches failed: "), "{why}");
        assert!(why.ends_with("500  for this key"), "{why}");
        // One more try, and again a pause; a clock that was set makes it no longer.
        assert!(fetch(&fetches, 10 + PAUSE_MS, fault()));
        assert!(!fetch(&fetches, 11 + PAUSE_MS, fault()));
        assert!(fetch(&fetches, 0, Ok(Prewarmed::Came)));
        assert_eq!(fetches.why_paused(0), None);
        assert!(fetch(&fetches, 1, fault()) && fetch(&fetches, 1, fault()));
    }

    #[test]
    fn no_more_go_on_than_may_and_it_is_said_when_none_ends() {
        let fetches = Arc::new(Fetches::new());
        let begin = |_| fetches.begin(7, 1_000).unwrap();
        let mut all: Vec<_> = (0..IN_FLIGHT_MAX).map(begin).collect();
        assert!(fetches.begin(7, 1_000).is_none());
        assert_eq!(fetches.why_paused(1_000), None, "they may end at once");
        let why = fetches.why_paused(1_000 + SILENCE_MS).unwrap();
        assert_eq!(why, "16 fetches go on, and none has ended for 1000 ms");
        all.pop().unwrap().end(&Ok(Prewarmed::Came), 3_000);
        assert_eq!(fetches.why_paused(3_000), None);
        assert!(fetches.begin(7, 3_000).is_some());
    }

    #[test]
    fn one_that_panics_has_failed_and_leaves_its_place_to_others() {
        let fetches = Arc::new(Fetches::new());
        let faults = FAULTS_MAX as usize;
        let all: Vec<_> = (0..faults).map(|_| fetches.begin(7, 5).unwrap()).collect();
        let panics = std::panic::AssertUnwindSafe(move || {
            let _fetching = all;
            panic!("it has a fault");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!((fetches.in_flight(), fetches.undone()[3]), (0, 8));
        let why = fetches.why_paused(5).unwrap();
        assert!(
            why.starts_with("the last 8 fetches failed: it panicked"),
            "{why}"
        );
        assert!(fetch(&fetches, 5 + PAUSE_MS, Ok(Prewarmed::Came)));
    }

    #[test]
    fn what_is_nowhere_is_not_looked_for_again_for_a_while() {
        let fetches = Arc::new(Fetches::new());
        assert!(fetch(&fetches, 9_000, Ok(Prewarmed::Absent)));
        assert!(!fetch(&fetches, 9_000 + ABSENT_MS - 1, Ok(Prewarmed::Came)));
        let other = fetches.begin(8, 9_000);
        assert!(other.is_some(), "another key");
        assert!(fetch(&fetches, 9_000 + ABSENT_MS, Ok(Prewarmed::Came)));
        assert_eq!(fetches.undone(), [2, 0, 0, 0, 0, 0]);
        assert_eq!(
            fetches.in_vain(),
            1,
            "what was not looked for is not in vain"
        );
    }
}
