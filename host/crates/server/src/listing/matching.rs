//! All keys that match a pattern.

use larder_engine::glob::Pattern;
use larder_engine::{Millis, Store};
use larder_resp::{Reply, Version};

use super::Listing;

/// Most entries visited while a shard stays locked.
const STEP: usize = 128;
/// Locks taken in one step of the list.
const LOCKS: usize = 8;
/// Bytes left free before the keys, for the head of the reply, which says how many they are.
const HEAD_BYTES: usize = 24;

/// See the module.
pub(crate) struct Matching {
    pattern: Pattern,
    cursor: u64,
    keys: usize,
    out: Vec<u8>,
}

impl Matching {
    /// `pattern` has [`larder_engine::glob::PATTERN_BYTES_MAX`] bytes at most.
    pub(crate) fn new(pattern: &[u8]) -> Self {
        Self {
            pattern: Pattern::new(pattern),
            cursor: 0,
            keys: 0,
            out: vec![0; HEAD_BYTES],
        }
    }
}

impl Listing for Matching {
    fn step(&mut self, store: &mut Store<'_>, db: u8, version: Version, now: Millis) -> bool {
        let Self {
            pattern, keys, out, ..
        } = self;
        for _ in 0..LOCKS {
            let visit = &mut |key: &[u8]| {
                if pattern.matches(key) {
                    *keys += 1;
                    Reply::new(out, version).bulk(key);
                }
            };
            self.cursor = store.scan(db, self.cursor, STEP, now, visit);
            if self.cursor == 0 {
                return true;
            }
        }
        false
    }

    fn bytes(&self) -> usize {
        self.out.capacity()
    }

    fn reply_bytes(&self) -> usize {
        self.out.len()
    }

    fn into_reply(mut self: Box<Self>, version: Version) -> (Vec<u8>, usize) {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        Reply::new(&mut head, version).array(self.keys);
        let start = HEAD_BYTES - head.len();
        self.out[start..HEAD_BYTES].copy_from_slice(&head);
        (self.out, start)
    }
}
