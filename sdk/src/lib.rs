//! What the author of a Larder policy sees.
//!
//! A policy decides; the host stores. For eviction the host tells the policy, slot by slot, what
//! happens to the entries of **one shard** ([`Event`]), and asks it for victims when room is
//! needed. A policy holds numbers only: it never sees a key or a value, it has no clock, no
//! randomness and no I/O, so the same events always give the same victims.
//!
//! ```
//! use larder_sdk::{Entry, Eviction, Removal, Request, Slot, Victims};
//! use larder_sdk::lists::{Links, List};
//!
//! /// First in, first out.
//! #[derive(Default)]
//! struct Fifo { links: Links, queue: List, sizes: Vec<u32> }
//!
//! impl Eviction for Fifo {
//!     fn insert(&mut self, slot: Slot, entry: Entry) {
//!         larder_sdk::cover(&mut self.sizes, slot);
//!         self.sizes[slot as usize] = entry.size;
//!         self.links.push_front(&mut self.queue, slot);
//!     }
//!     fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
//!         self.links.remove(&mut self.queue, slot);
//!     }
//!     fn victims(&mut self, _request: &Request, victims: &mut Victims<'_>) {
//!         let mut next = self.queue.back();
//!         while let Some(slot) = next.filter(|_| !victims.enough()) {
//!             victims.name(slot, self.sizes[slot as usize]);
//!             next = self.links.towards_front(slot);
//!         }
//!     }
//!     fn memory_bytes(&self) -> usize {
//!         self.links.memory_bytes() + self.sizes.capacity() * 4
//!     }
//! }
//!
//! let mut fifo = Fifo::default();
//! for slot in 0..3 {
//!     fifo.insert(slot, Entry { hash: slot, size: 100, priority: 0 });
//! }
//! let mut out = Vec::new();
//! fifo.victims(&Request { bytes: 150, capacity_bytes: 300, newcomer: None }, &mut Victims::new(150, &mut out));
//! assert_eq!(out, [0, 1]);
//! ```
#![forbid(unsafe_code)]

mod event;
mod eviction;
pub mod ghost;
pub mod lists;

pub use event::{Event, EventKind, Removal};
pub use eviction::{Entry, Eviction, Request, Slot, Victims};

/// Grows `table` so that `slot` is an index of it, new places holding the default.
///
/// Tables by slot are large and live long, so this grows by an eighth rather than doubling.
pub fn cover<T: Clone + Default>(table: &mut Vec<T>, slot: Slot) {
    let needed = slot as usize + 1;
    if needed > table.len() {
        if needed > table.capacity() {
            let more = (needed - table.len()).max(table.len() / 8).max(64);
            table.reserve_exact(more);
        }
        table.resize(needed, T::default());
    }
}
