//! The host's side of an instance: what it may use up, and the one function that it may call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use larder_abi::{LOG_BYTES_MAX, export, import};
use wasmtime::{Caller, Extern, Linker, ResourceLimiter, UpdateDeadline};

use super::figures::Recorder;
use super::offence::{TimeSpent, WrongCall};
use crate::sandbox::{Account, Beat, TICK, thread_clock};

/// Elements of a guest's table of functions.
const TABLE_ELEMENTS_MAX: usize = 1 << 16;
/// Ticks in a second.
const SECOND_TICKS: u64 = 1_000 / TICK.as_millis() as u64;

/// What belongs to an instance.
pub(crate) struct Guest {
    pub(super) account: Account,
    pub(super) beat: Arc<Beat>,
    pub(super) tally: Recorder,
    /// Bytes of linear memory that it may have.
    pub(super) memory_bytes_max: usize,
    /// The most bytes of memory that were refused in the call in progress.
    pub(super) denied_bytes: Option<usize>,
    /// Where its lines go; `None` while it is tried.
    pub(super) log: Option<Arc<Log>>,
    /// The last error that it logged in the call in progress.
    pub(super) complaint: Option<String>,
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let is_allowed = desired <= self.memory_bytes_max;
        if !is_allowed {
            self.denied_bytes = self.denied_bytes.max(Some(desired));
        } else if maximum.is_none_or(|maximum| desired <= maximum) {
            self.tally.memory_bytes.set(desired as u64);
        }
        Ok(is_allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

impl Guest {
    /// What happens at each tick that falls into a call.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        match self.account.tick(thread_clock()) {
            true => Ok(UpdateDeadline::Continue(1)),
            false => Err(TimeSpent.into()),
        }
    }

    fn write_log(&mut self, level: u32, text: &[u8]) {
        // First of all, so that lines that nobody reads cost next to nothing.
        let is_admitted = self
            .log
            .as_ref()
            .is_none_or(|log| log.pace.admits(self.beat.ticks()));
        if !is_admitted {
            self.tally.log_lines_dropped.add(1);
            return;
        }
        let text = String::from_utf8_lossy(&text[..text.len().min(LOG_BYTES_MAX)]);
        // A guest's line must not look like two.
        let line: String = text
            .trim_end()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let Some(log) = &self.log else {
            self.complaint = (level == 1).then_some(line).or(self.complaint.take());
            return;
        };
        self.tally.log_lines.add(1);
        let policy = &*log.policy;
        match level {
            1 => tracing::error!(policy, "{line}"),
            2 => tracing::warn!(policy, "{line}"),
            4 => tracing::debug!(policy, "{line}"),
            _ => tracing::info!(policy, "{line}"),
        }
        if level == 1 {
            self.complaint = Some(line);
        }
    }
}

/// The log of a policy.
pub(super) struct Log {
    pub(super) policy: String,
    pub(super) pace: Pace,
}

/// So many lines a second, from all threads together.
pub(super) struct Pace {
    lines_max_a_second: u32,
    second: AtomicU64,
    lines: AtomicU32,
}

impl Pace {
    pub(super) fn new(lines_max_a_second: u32) -> Self {
        Self {
            lines_max_a_second,
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
        }
    }

    /// Whether one more line may be written. Threads that meet at the turn of a second may get a few
    /// more through.
    pub(super) fn admits(&self, ticks: u64) -> bool {
        let second = ticks / SECOND_TICKS;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        let one_more = |lines| (lines < self.lines_max_a_second).then_some(lines + 1);
        self.lines
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }
}

/// Offers guests what they may import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(
        import::MODULE,
        import::LOG,
        |mut caller: Caller<'_, Guest>, level: u32, address: u32, bytes: u32| {
            let Some(Extern::Memory(memory)) = caller.get_export(export::MEMORY) else {
                return Err(WrongCall("has no memory".to_owned()).into());
            };
            let (memory, guest) = memory.data_and_store_mut(&mut caller);
            let end = (address as usize).saturating_add(bytes as usize);
            let Some(text) = memory.get(address as usize..end) else {
                let why = format!("logged {bytes} bytes at {address}, which is not in its memory");
                return Err(WrongCall(why).into());
            };
            guest.write_log(level, text);
            Ok(())
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_cap_of_a_second_are_dropped() {
        let pace = Pace::new(2);
        let admitted = |tick| (0..5).filter(|_| pace.admits(tick)).count();
        assert_eq!(admitted(0), 2);
        assert_eq!(admitted(SECOND_TICKS - 1), 0);
        assert_eq!(admitted(SECOND_TICKS), 2);
    }
}
