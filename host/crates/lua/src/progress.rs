//! How far a script is, as others see it.

use std::sync::atomic::{AtomicU8, Ordering};

/// What an interpreter is doing, told to other threads; they may end a script that wrote nothing.
#[derive(Debug, Default)]
pub struct Progress(AtomicU8);

const IDLE: u8 = 0;
const READING: u8 = 1;
const WRITING: u8 = 2;
const KILLED: u8 = 3;

/// What came of an order to end a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// None is running.
    NotBusy,
    /// It has written; what it began has to be whole.
    Unkillable,
    /// It ends within moments.
    Done,
}

impl Progress {
    /// Ends the script that is running, if it wrote nothing.
    pub fn kill(&self) -> Kill {
        match self.turn(READING, KILLED) {
            Ok(()) | Err(KILLED) => Kill::Done,
            Err(WRITING) => Kill::Unkillable,
            Err(_) => Kill::NotBusy,
        }
    }

    /// Tells that the script is about to write. False if it was killed, and must not.
    pub fn write(&self) -> bool {
        matches!(self.turn(READING, WRITING), Ok(()) | Err(WRITING))
    }

    /// Whether the script has written.
    pub fn has_written(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WRITING
    }

    pub(crate) fn begin(&self) {
        self.0.store(READING, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.0.store(IDLE, Ordering::Release);
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == KILLED
    }

    fn turn(&self, from: u8, to: u8) -> Result<(), u8> {
        let turned = self
            .0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        turned.map(|_| ())
    }
}
