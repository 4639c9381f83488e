//! The bounds that a running script is held to.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mlua::{Error, Result};

use crate::Progress;
use crate::failure::Failure;

/// Why a script ends before its end, whatever it catches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody said SCRIPT KILL.
    Killed,
    /// Its time is over.
    OutOfTime,
    /// The host wants it to begin anew.
    Again,
}

/// Looks after one interpreter's script.
pub(crate) struct Watch {
    progress: Arc<Progress>,
    time_max: Duration,
    deadline: Cell<Instant>,
    stop: Cell<Option<Stop>>,
    /// Units of work since the last look at the bounds.
    work: Cell<usize>,
}

/// Units of work, of some nanoseconds each, between two looks at the bounds.
const WORK: usize = 10_000;
/// What a key in a table counts for: strings can be made such that many share a place.
pub(crate) const KEY_WORK: usize = 64;

impl Watch {
    pub(crate) fn new(progress: Arc<Progress>, time_max: Duration) -> Self {
        Self {
            progress,
            time_max,
            deadline: Cell::new(Instant::now()),
            stop: Cell::new(None),
            work: Cell::new(0),
        }
    }

    pub(crate) fn begin(&self) {
        self.deadline.set(Instant::now() + self.time_max);
        self.stop.set(None);
        self.progress.begin();
    }

    pub(crate) fn end(&self) {
        self.progress.end();
    }

    /// Has the script end: every check fails from now on.
    pub(crate) fn stop(&self, stop: Stop) -> Error {
        self.stop.set(Some(stop));
        Error::external(Failure::reply(self.text(stop), None))
    }

    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stop.get()
    }

    /// To be asked at least once a millisecond by whatever takes long.
    ///
    /// # Errors
    /// When the script has to end.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(stop) = self.stop.get() {
            return Err(self.stop(stop));
        }
        if self.progress.is_killed() {
            return Err(self.stop(Stop::Killed));
        }
        match Instant::now() < self.deadline.get() {
            true => Ok(()),
            false => Err(self.stop(Stop::OutOfTime)),
        }
    }

    /// Counts work that is done in a single call of a function, and looks at the bounds now and then.
    ///
    /// # Errors
    /// When the script has to end.
    pub(crate) fn work(&self, units: usize) -> Result<()> {
        let work = self.work.get().saturating_add(units);
        if work < WORK {
            self.work.set(work);
            return Ok(());
        }
        self.work.set(0);
        self.check()
    }

    fn text(&self, stop: Stop) -> String {
        match stop {
            Stop::Killed => "ERR Script killed by user with SCRIPT KILL.".to_owned(),
            Stop::OutOfTime => format!(
                "ERR Script ended as it took longer than lua.time_max, {} ms; what it wrote until then stays.",
                self.time_max.as_millis()
            ),
            Stop::Again => "ERR Script begins anew.".to_owned(),
        }
    }
}
