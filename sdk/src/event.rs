//! The record that tells a policy what happened to one slot.

use crate::Slot;

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

/// Sixteen bytes that tell what happened to one slot.
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
    /// Zero; room for later.
    pub reserved: u8,
    /// The slot, dense from 0; zero for [`EventKind::Miss`].
    pub slot: Slot,
    /// The low half of the key's hash.
    pub hash: u32,
    /// Bytes the entry takes, for [`EventKind::Insert`] and [`EventKind::Update`].
    pub size: u32,
}

const _: () = assert!(size_of::<Event>() == 16);

impl Event {
    /// An event with only its kind, slot and hash set.
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
}
