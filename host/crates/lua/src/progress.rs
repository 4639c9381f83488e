//! How far a script is, as others see it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// What an interpreter is doing, told to other threads; they may end a script that wrote nothing.
#[derive(Debug, Default)]
pub struct Progress {
    stage: AtomicU8,
    memory_bytes: AtomicUsize,
}

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
        self.stage.load(Ordering::Relaxed) == WRITING
    }

    /// Memory that the Lua state held after its last script.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self, memory_bytes: usize) {
        self.memory_bytes.store(memory_bytes, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self) {
        self.stage.store(READING, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.stage.store(IDLE, Ordering::Release);
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == KILLED
    }

    fn turn(&self, from: u8, to: u8) -> Result<(), u8> {
        let turned = self
            .stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        turned.map(|_| ())
    }
}
