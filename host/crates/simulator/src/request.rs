//! A request as the simulator sees it: objects are numbered densely, so that tables do for maps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::trace::{Record, mix};

/// One request for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The object's number: dense from 0 in the order of first requests.
    pub object: u32,
    /// Its id in the trace.
    pub id: u64,
    /// What a policy sees of its key.
    pub hash: u32,
    /// Bytes that it takes; 1 where a trace knows no sizes.
    pub size_bytes: u32,
    /// When it was made, in seconds of the trace's own.
    pub time_seconds: u32,
    /// How long it lives from now on if it is written now; 0 for as long as there is room.
    pub ttl_seconds: u32,
    /// Index of the next request for the object; `u64::MAX` for none, or where nobody knows.
    pub next_access: u64,
}

/// A map by the ids of objects.
pub(crate) type IdMap<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;

/// Numbers objects. It holds some 20 bytes an object.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: IdMap<u32>,
}

impl Interner {
    /// The request of a record, and whether it is the first for its object. `None` once there are
    /// more objects than numbers, some four billion.
    #[inline]
    pub fn request(&mut self, record: &Record) -> Option<(Request, bool)> {
        let next = u32::try_from(self.numbers.len()).ok()?;
        let object = *self.numbers.entry(record.id).or_insert(next);
        let request = Request {
            object,
            id: record.id,
            hash: mix(record.id) as u32,
            size_bytes: record.size_bytes,
            time_seconds: record.time_seconds,
            ttl_seconds: record.ttl_seconds,
            next_access: record.next_access.unwrap_or(u64::MAX),
        };
        Some((request, object == next))
    }
}

/// Ids are mixed already, or next to each other: one multiplication spreads both.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        let wide = u128::from(id) * 0x9E37_79B9_7F4A_7C15_u128;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
