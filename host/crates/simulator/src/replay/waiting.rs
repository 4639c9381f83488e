//! What was fetched ahead and nobody asked for yet: first come, first to go.

use std::collections::{HashMap, VecDeque};

/// Objects that wait to be asked for, each until its time is over.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    objects: HashMap<u32, (u32, u64)>,
    order: VecDeque<(u64, u32)>,
    bytes: u64,
}

impl Waiting {
    /// Bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// `object` waits from now on; it must not do so already.
    pub(super) fn add(&mut self, object: u32, size_bytes: u32, until_ms: u64) {
        self.objects.insert(object, (size_bytes, until_ms));
        self.order.push_back((until_ms, object));
        self.bytes += u64::from(size_bytes);
    }

    /// `object` waits no more; whether it did.
    pub(super) fn take(&mut self, object: u32) -> bool {
        let taken = self.objects.remove(&object);
        self.bytes -= taken.map_or(0, |(size_bytes, _)| u64::from(size_bytes));
        taken.is_some()
    }

    /// Drops one whose time is over, and tells which.
    pub(super) fn drop_late(&mut self, now_ms: u64) -> Option<u32> {
        while let Some(&(until_ms, object)) = self.order.front() {
            if until_ms > now_ms {
                return None;
            }
            self.order.pop_front();
            let is_meant = |&(_, until): &(u32, u64)| until == until_ms;
            if self.objects.get(&object).is_some_and(is_meant) {
                self.take(object);
                return Some(object);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_asked_for_is_not_dropped_and_who_came_again_waits_anew() {
        let mut waiting = Waiting::default();
        for (object, until) in [(1, 10), (2, 11), (3, 12)] {
            waiting.add(object, 5, until);
        }
        assert!(waiting.take(1) && !waiting.take(1));
        waiting.add(1, 7, 20);
        assert_eq!(waiting.bytes(), 17);
        let mut late = |now| std::iter::from_fn(|| waiting.drop_late(now)).collect::<Vec<_>>();
        assert_eq!(late(9), [0; 0]);
        assert_eq!(late(12), [2, 3]);
        assert_eq!(late(20), [1]);
        assert_eq!(waiting.bytes(), 0);
    }
}
