//! A recording on its way to the client that asked for it: blocks, each a bulk string of a
//! [`Head`] and of what was recorded since the block before.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::recording::{HEAD_BYTES, Head, RECORDED_BYTES, RING_BYTES, Recording};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Records of a block.
const BLOCK_RECORDS_MAX: usize = 1024;
const BLOCK_BYTES_MAX: usize = HEAD_BYTES + BLOCK_RECORDS_MAX * RECORDED_BYTES;
/// Pause between two looks at what was recorded.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Looks in vain after which a block without records tells that the server lives, and how the recording
/// stands: every second.
const VAIN_LOOKS_MAX: u32 = 100;

/// See the module. Ends the recording when dropped.
pub(crate) struct Feed {
    recording: Recording,
    looks: Interval,
    vain_looks: u32,
    /// Whether more waits than the last block took.
    has_more: bool,
    is_ended: bool,
    block: Vec<u8>,
}

impl Feed {
    /// Bytes that one holds, whatever its client does.
    pub(crate) const BYTES: usize = RING_BYTES + BLOCK_BYTES_MAX;

    pub(crate) fn new(recording: Recording) -> Self {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            recording,
            looks,
            // The first block comes at once: it tells that the recording has begun.
            vain_looks: VAIN_LOOKS_MAX,
            has_more: false,
            is_ended: false,
            block: Vec::with_capacity(BLOCK_BYTES_MAX),
        }
    }

    /// Records no more. What was recorded is still to be sent, and a last block that tells how the
    /// recording stands.
    pub(crate) fn end(&mut self) {
        if !std::mem::replace(&mut self.is_ended, true) {
            self.recording.end();
            self.has_more = true;
        }
    }

    /// The next block, when there is one; `None` once the recording has ended and all of it was given.
    pub(crate) fn poll_block(&mut self, cx: &mut Context<'_>, now: Millis) -> Poll<Option<&[u8]>> {
        while !self.has_more {
            if self.is_ended {
                return Poll::Ready(None);
            }
            ready!(self.looks.poll_tick(cx));
            self.vain_looks += 1;
            if self.fill(now) > 0 || self.vain_looks > VAIN_LOOKS_MAX {
                self.vain_looks = 0;
                return Poll::Ready(Some(&self.block));
            }
        }
        self.fill(now);
        Poll::Ready(Some(&self.block))
    }

    /// Makes the next block; how many records it has.
    fn fill(&mut self, now: Millis) -> usize {
        self.block.clear();
        self.block.resize(HEAD_BYTES, 0);
        let taken = self.recording.take(BLOCK_RECORDS_MAX, &mut self.block);
        let head = Head {
            threshold: taken.threshold,
            lost: taken.lost,
            time_ms: now,
        };
        self.block[..HEAD_BYTES].copy_from_slice(&head.to_bytes());
        self.has_more = taken.waiting > 0;
        taken.records
    }
}

#[cfg(test)]
mod tests;
