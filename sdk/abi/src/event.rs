//! The record that tells a policy what happened to one slot.

use crate::wire::{u8_at, u32_at};

/// The number of an entry's place in its shard: dense from 0, kept until the entry goes.
pub type Slot = u32;

/// Bytes of an event in version 1.
pub const EVENT_BYTES: usize = 16;

/// What happened. The numbers are part of the contract and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    /// A new entry took the slot.
    Insert = 1,
    /// The entry was read.
    Hit = 2,
    /// The entry was written again; it keeps its slot, its size may have changed.
    Update = 3,
    /// The entry is gone; the slot will be used again only after this was delivered.
    Remove = 4,
    /// A key that is not here was asked for; only its hash is known.
    Miss = 5,
}

/// Why an entry went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Removal {
    /// A client deleted it.
    Deleted = 0,
    /// It was evicted, as this policy asked or as the host's fallback chose.
    Evicted = 1,
    /// Its time to live ended.
    Expired = 2,
}

/// What happened to one slot. It lies in memory as in its record, so that writing that is one move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The entry's priority, 0 to 255, higher is worth more; for [`EventKind::Insert`] and
    /// [`EventKind::Update`].
    pub priority: u8,
    /// Why, for [`EventKind::Remove`].
    pub removal: Removal,
    /// Zero in this version; whoever reads it takes no notice of it.
    pub reserved: u8,
    /// The slot, dense from 0; zero for [`EventKind::Miss`].
    pub slot: Slot,
    /// The low half of the key's hash.
    pub hash: u32,
    /// Bytes the entry takes, for [`EventKind::Insert`] and [`EventKind::Update`].
    pub size: u32,
}

// The host keeps some thousands of them a shard.
const _: () = assert!(size_of::<Event>() == EVENT_BYTES);

impl Event {
    /// An event with only its kind, slot and hash set.
    #[inline]
    pub const fn new(kind: EventKind, slot: Slot, hash: u32) -> Self {
        Self {
            kind,
            priority: 0,
            removal: Removal::Deleted,
            reserved: 0,
            slot,
            hash,
            size: 0,
        }
    }

    /// Its record.
    #[inline]
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let head = [
            self.kind as u8,
            self.priority,
            self.removal as u8,
            self.reserved,
        ];
        let words = [u32::from_le_bytes(head), self.slot, self.hash, self.size];
        let mut record = [0; EVENT_BYTES];
        for (place, word) in record.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        record
    }

    /// The event of a record; `None` for what a newer host tells and this version does not know.
    #[inline]
    pub fn from_bytes(record: &[u8]) -> Option<Self> {
        let kind = match u8_at(record, 0) {
            1 => EventKind::Insert,
            2 => EventKind::Hit,
            3 => EventKind::Update,
            4 => EventKind::Remove,
            5 => EventKind::Miss,
            _ => return None,
        };
        let removal = match u8_at(record, 2) {
            1 => Removal::Evicted,
            2 => Removal::Expired,
            _ => Removal::Deleted,
        };
        Some(Self {
            kind,
            priority: u8_at(record, 1),
            removal,
            reserved: 0,
            slot: u32_at(record, 4),
            hash: u32_at(record, 8),
            size: u32_at(record, 12),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: Event = Event {
        kind: EventKind::Update,
        priority: 200,
        removal: Removal::Deleted,
        reserved: 0,
        slot: 0x0102_0304,
        hash: 0xfffe_fdfc,
        size: 4096,
    };

    #[test]
    fn what_is_written_is_read() {
        let removed = Event {
            removal: Removal::Expired,
            ..Event::new(EventKind::Remove, 7, 8)
        };
        let miss = Event::new(EventKind::Miss, 0, 9);
        for event in [UPDATE, removed, miss] {
            assert_eq!(Event::from_bytes(&event.to_bytes()), Some(event));
        }
    }

    #[test]
    fn an_unknown_kind_is_nothing_and_what_is_missing_is_zero() {
        let mut record = UPDATE.to_bytes();
        let short = Event::from_bytes(&record[..12]).map(|event| (event.slot, event.size));
        assert_eq!(short, Some((UPDATE.slot, 0)));
        record[0] = 6;
        assert_eq!(Event::from_bytes(&record), None);
        assert_eq!(Event::from_bytes(&[]), None);
    }
}
