//! The clock that stands still while others have the processor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or(0))
}
