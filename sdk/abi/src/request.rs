//! A demand for room.

use crate::wire::{u8_at, u32_at, u64_at};
use crate::{Event, Slot};

/// Bytes of a request in version 1.
pub const REQUEST_BYTES: usize = 32;

/// Named in place of a slot: the newcomer itself is not worth the room. The host then evicts
/// nothing for it and does not keep it.
pub const NEWCOMER: Slot = Slot::MAX;

/// What a policy is told of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The low half of the key's hash.
    pub hash: u32,
    /// Bytes it takes.
    pub size: u32,
    /// 0 to 255, higher is worth more; 0 where nothing decides it.
    pub priority: u8,
}

impl From<&Event> for Entry {
    fn from(event: &Event) -> Self {
        Self {
            hash: event.hash,
            size: event.size,
            priority: event.priority,
        }
    }
}

/// A demand for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bytes that the named victims must free at least.
    pub bytes: u64,
    /// Bytes that the entries of this shard may take together, as things stand.
    pub capacity_bytes: u64,
    /// The entry that room is made for, where it is known.
    pub newcomer: Option<Entry>,
}

impl Request {
    /// Its record: u64 `bytes`, u64 `capacity_bytes`, u32 newcomer's hash, u32 its size, u8 1 where
    /// there is a newcomer, u8 its priority, zeros.
    pub fn to_bytes(&self) -> [u8; REQUEST_BYTES] {
        let mut record = [0; REQUEST_BYTES];
        record[..8].copy_from_slice(&self.bytes.to_le_bytes());
        record[8..16].copy_from_slice(&self.capacity_bytes.to_le_bytes());
        if let Some(newcomer) = self.newcomer {
            record[16..20].copy_from_slice(&newcomer.hash.to_le_bytes());
            record[20..24].copy_from_slice(&newcomer.size.to_le_bytes());
            record[24] = 1;
            record[25] = newcomer.priority;
        }
        record
    }

    /// The request of a record.
    pub fn from_bytes(record: &[u8]) -> Self {
        let newcomer = (u8_at(record, 24) == 1).then(|| Entry {
            hash: u32_at(record, 16),
            size: u32_at(record, 20),
            priority: u8_at(record, 25),
        });
        Self {
            bytes: u64_at(record, 0),
            capacity_bytes: u64_at(record, 8),
            newcomer,
        }
    }
}

/// Bytes of what is foretold of one entry, in version 1.
pub const FORETOLD_BYTES: usize = 8;

/// Entries of which something is foretold with one request, at most.
pub const FORETOLD_MAX: usize = 256;

/// How soon an entry will be asked for again, as the host's model has it. Such records lie behind a request's, where the
/// policy wants them and there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foretold {
    /// The entry; resident when the request is made.
    pub slot: Slot,
    /// Requests to its shard that are expected to go by until then.
    pub reuse: u32,
}

impl Foretold {
    /// Its record: u32 `slot`, u32 `reuse`.
    pub fn to_bytes(self) -> [u8; FORETOLD_BYTES] {
        let mut record = [0; FORETOLD_BYTES];
        record[..4].copy_from_slice(&self.slot.to_le_bytes());
        record[4..].copy_from_slice(&self.reuse.to_le_bytes());
        record
    }

    /// What a record says.
    pub fn from_bytes(record: &[u8]) -> Self {
        Self {
            slot: u32_at(record, 0),
            reuse: u32_at(record, 4),
        }
    }

    /// What records say, [`FORETOLD_MAX`] of them at most.
    pub fn read(records: &[u8]) -> impl Iterator<Item = Self> {
        let records = records.chunks_exact(FORETOLD_BYTES).take(FORETOLD_MAX);
        records.map(Self::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let newcomer = Entry {
            hash: 1,
            size: u32::MAX,
            priority: 255,
        };
        for newcomer in [None, Some(newcomer)] {
            let request = Request {
                bytes: u64::MAX,
                capacity_bytes: 1 << 40,
                newcomer,
            };
            assert_eq!(Request::from_bytes(&request.to_bytes()), request);
        }
    }

    #[test]
    fn what_is_foretold_is_read_up_to_the_bound() {
        let foretold = |slot| Foretold {
            slot,
            reuse: u32::MAX - slot,
        };
        let records: Vec<u8> = (0..300)
            .flat_map(|slot| foretold(slot).to_bytes())
            .collect();
        let read: Vec<_> = Foretold::read(&records).collect();
        assert_eq!(read, (0..256).map(foretold).collect::<Vec<_>>());
        assert_eq!(
            Foretold::read(&records[..15]).count(),
            1,
            "half a record is none"
        );
    }
}
