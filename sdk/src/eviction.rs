//! The trait of an eviction policy.

use crate::{Entry, Event, EventKind, Policy, Removal, Request, Slot, Victims};

/// Decides which entries of one shard go when room is needed.
///
/// The host calls it for one shard, from one thread at a time, and keeps to this:
///
/// - Inserts, updates and removals all arrive, in order; hits and misses may be dropped under load.
/// - Room is made first: [`victims`](Self::victims) is asked, with the newcomer described, before
///   the newcomer's [`insert`](Self::insert).
/// - A slot that [`victims`](Self::victims) named stays resident until its
///   [`remove`](Self::remove) arrives, which may be never: the host checks victims before it
///   evicts, and stops when it has room. Its entry may be hit and updated meanwhile.
/// - A removal may come unasked: entries are deleted, expire, and are evicted by the host's fallback.
/// - A slot is used again only after its [`remove`](Self::remove).
///
/// First in, first out, whole:
///
/// ```
/// use larder_sdk::lists::{List, Nodes};
/// use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};
///
/// #[derive(Default)]
/// pub struct Fifo {
///     queue: List,
///     /// The size of each entry.
///     nodes: Nodes<u32>,
/// }
///
/// impl Policy for Fifo {
///     type Parameters = ();
///
///     fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
///         Ok(Self::default())
///     }
/// }
///
/// impl Eviction for Fifo {
///     fn insert(&mut self, slot: Slot, entry: Entry) {
///         self.nodes.push_front(&mut self.queue, slot, entry.size);
///     }
///
///     fn update(&mut self, slot: Slot, entry: Entry) {
///         self.nodes[slot] = entry.size;
///     }
///
///     fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
///         self.nodes.remove(&mut self.queue, slot);
///     }
///
///     fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
///         let mut next = self.queue.back();
///         while let Some(slot) = next.filter(|_| !victims.enough()) {
///             victims.name(slot, self.nodes[slot]);
///             next = self.nodes.towards_front(slot);
///         }
///     }
///
///     fn memory_bytes(&self) -> usize {
///         self.nodes.memory_bytes()
///     }
/// }
///
/// larder_sdk::export! {
///     name: "fifo",
///     about: "First in, first out",
///     eviction: Fifo,
/// }
///
/// // In a test:
/// larder_sdk::testing::check_eviction::<Fifo>();
/// let mut shard = larder_sdk::testing::Shard::new(Fifo::default(), 300);
/// for key in 0..5 {
///     shard.set(key, 100);
/// }
/// assert_eq!(shard.evicted(), [0, 1]);
/// ```
pub trait Eviction: Policy {
    /// Whether [`miss`](Self::miss) is of use; without it the host sends no misses.
    const WANTS_MISSES: bool = false;

    /// Whether it is of use to be told, when room is needed, how soon entries will be asked for again
    /// ([`Victims::foretold`]): the host follows all entries then, which takes some eighty bytes each, and rates some of them
    /// for each request, which takes some microseconds.
    const WANTS_REUSE: bool = false;

    /// A new entry took `slot`.
    fn insert(&mut self, slot: Slot, entry: Entry);

    /// The entry was read. May be left out under load.
    fn hit(&mut self, _slot: Slot, _hash: u32) {}

    /// The entry was written again, perhaps with another size and priority.
    fn update(&mut self, _slot: Slot, _entry: Entry) {}

    /// The entry is gone.
    fn remove(&mut self, slot: Slot, hash: u32, why: Removal);

    /// A key that is not here was asked for. May be left out under load.
    fn miss(&mut self, _hash: u32) {}

    /// Names resident slots, each once, until [`Victims::enough`] or nothing is left to name; or
    /// refuses the newcomer.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>);

    /// Bytes of memory the policy holds for its own bookkeeping.
    fn memory_bytes(&self) -> usize;

    /// How often an entry was read of late, as far as the policy counts that: by it entries are ranked, the hottest
    /// first, where somebody asks for them. `slot` may be any. The host asks what is compiled into it alone.
    fn reads(&self, _slot: Slot) -> u32 {
        0
    }

    /// Takes one event; the default hands it to the method of its kind.
    #[inline]
    fn event(&mut self, event: &Event) {
        match event.kind {
            EventKind::Insert => self.insert(event.slot, Entry::from(event)),
            EventKind::Hit => self.hit(event.slot, event.hash),
            EventKind::Update => self.update(event.slot, Entry::from(event)),
            EventKind::Remove => self.remove(event.slot, event.hash, event.removal),
            EventKind::Miss => self.miss(event.hash),
        }
    }
}
