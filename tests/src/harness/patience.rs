//! Waiting for what other processes do.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should take next to no time: long, because a machine that runs
/// tests has other things to do, and because only a failure ever waits for it.
pub const PATIENCE: Duration = Duration::from_secs(90);

const PAUSE: Duration = Duration::from_millis(2);

/// Asks `probe` until it has an answer, for [`PATIENCE`] at most.
///
/// # Panics
/// When there is none by then; `what` says what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, probe) {
        Some(found) => found,
        None => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Asks `probe` until it has an answer, at least once and for `limit` at most.
pub fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = probe();
        if found.is_some() || start.elapsed() >= limit {
            return found;
        }
        // Another process tells nobody when its state changes, so it has to be asked again; the
        // pause leaves it the processor meanwhile.
        thread::sleep(PAUSE);
    }
}
