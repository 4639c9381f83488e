//! Recordings of what is done to a tenant.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Tenant;
use crate::recording::{Plan, Taken};
use crate::shard::Recorder;

/// A recording that goes on until it is ended or dropped. It holds [`RING_BYTES`] bytes for what was
/// recorded and not taken yet, which count as nobody's; what comes while they are full is lost, and
/// counted.
///
/// [`RING_BYTES`]: crate::recording::RING_BYTES
pub struct Recording {
    tenant: Arc<Tenant>,
    recorder: Arc<Recorder>,
    is_ended: bool,
}

impl Tenant {
    /// Begins to record what clients do; `None` while somebody else records it. Reads that leave no
    /// trace are not recorded, nor are writes that were refused.
    pub fn record(self: &Arc<Self>, plan: &Plan) -> Option<Recording> {
        if self.is_recorded.swap(true, Ordering::Acquire) {
            return None;
        }
        let recorder = Arc::new(Recorder::new(plan));
        for shard in &self.shards {
            shard.state.lock().record_to(Some(Arc::clone(&recorder)));
        }
        Some(Recording {
            tenant: Arc::clone(self),
            recorder,
            is_ended: false,
        })
    }
}

impl Recording {
    /// Appends the oldest records to `out` as they are written down, `records_max` at most, and takes
    /// them out of the recording.
    pub fn take(&self, records_max: usize, out: &mut Vec<u8>) -> Taken {
        self.recorder.take(records_max, out)
    }

    /// Records no more; what was recorded can still be taken.
    pub fn end(&mut self) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        for shard in &self.tenant.shards {
            shard.state.lock().record_to(None);
        }
        self.tenant.is_recorded.store(false, Ordering::Release);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
