//! The trait of an eviction policy.

use crate::{Event, EventKind, Removal};

/// The number of an entry's place in its shard: dense from 0, kept until the entry goes.
pub type Slot = u32;

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

/// A demand for room.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Bytes that the named victims must free at least.
    pub bytes: u64,
    /// Bytes that the entries of this shard may take together, as things stand.
    pub capacity_bytes: u64,
    /// The entry that room is made for, where it is known.
    pub newcomer: Option<Entry>,
}

/// Collects the victims that a policy names.
#[derive(Debug)]
pub struct Victims<'a> {
    wanted_bytes: u64,
    named_bytes: u64,
    out: &'a mut Vec<Slot>,
}

impl<'a> Victims<'a> {
    /// An empty collection that has enough once `wanted_bytes` are named; appends to `out`.
    pub fn new(wanted_bytes: u64, out: &'a mut Vec<Slot>) -> Self {
        Self {
            wanted_bytes,
            named_bytes: 0,
            out,
        }
    }

    /// Names a victim and the bytes it frees. Each slot at most once a request.
    pub fn name(&mut self, slot: Slot, size: u32) {
        self.named_bytes += u64::from(size);
        self.out.push(slot);
    }

    /// Whether the victims named so far free what was asked for.
    pub fn enough(&self) -> bool {
        self.named_bytes >= self.wanted_bytes
    }
}

/// Decides which entries of one shard go when room is needed.
///
/// The host calls it for one shard, from one thread at a time. A slot that [`Self::victims`] named
/// stays resident until its [`Self::remove`] arrives, which may be never: the host checks victims
/// before it evicts, and stops when it has room.
pub trait Eviction {
    /// Whether [`Self::miss`] is of use; without it the host sends no misses.
    const WANTS_MISSES: bool = false;

    /// A new entry took `slot`.
    fn insert(&mut self, slot: Slot, entry: Entry);

    /// The entry was read. May be left out under load.
    fn hit(&mut self, _slot: Slot, _hash: u32) {}

    /// The entry was written again, perhaps with another size.
    fn update(&mut self, _slot: Slot, _entry: Entry) {}

    /// The entry is gone.
    fn remove(&mut self, slot: Slot, hash: u32, why: Removal);

    /// A key that is not here was asked for. May be left out under load.
    fn miss(&mut self, _hash: u32) {}

    /// Names resident slots, each once, until [`Victims::enough`] or nothing is left to name.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>);

    /// Bytes of memory the policy holds for its own bookkeeping.
    fn memory_bytes(&self) -> usize;

    /// Takes one event; the default hands it to the method of its kind.
    fn event(&mut self, event: &Event) {
        let entry = Entry {
            hash: event.hash,
            size: event.size,
            priority: event.priority,
        };
        match event.kind {
            EventKind::Insert => self.insert(event.slot, entry),
            EventKind::Hit => self.hit(event.slot, event.hash),
            EventKind::Update => self.update(event.slot, entry),
            EventKind::Remove => self.remove(event.slot, event.hash, event.removal),
            EventKind::Miss => self.miss(event.hash),
        }
    }
}
