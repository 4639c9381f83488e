//! ARC: "ARC: A Self-Tuning, Low Overhead Replacement Cache", Megiddo and Modha, FAST 2003.
//!
//! Entries that came **once** (T1) and those that came **again** (T2) are in a list each, most recent
//! first, and so are the hashes of those that were evicted from either (B1, B2). Who returns from B1
//! should have stayed: the once list is given more room. Who returns from B2 takes it back.
//!
//! The paper counts pages; here all lists and the target count bytes. For entries of one size it is
//! the same.

use larder_sdk::ghosts::Ghosts;
use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "arc",
    about: "ARC (FAST 2003): recency and frequency, balanced by what was evicted too early",
    eviction: Arc,
}

/// Index of the lists of what came once.
const ONCE: usize = 0;
/// Index of the lists of what came again.
const AGAIN: usize = 1;
/// Hashes of many small entries take few of the bytes that may be remembered, and as much memory as
/// any: there are at most twice as many as entries, and so many more.
const GHOSTS_MIN: u32 = 64;
/// Hashes that are forgotten a call at most, where one large entry takes the place of many small.
const FORGOTTEN_MAX: u32 = 1024;

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Arc {
    nodes: Nodes<Node>,
    ghosts: Ghosts<Node>,
    sides: [Side; 2],
    /// Bytes that the once list should have: the paper's p.
    target_bytes: u64,
    /// What the shard held when it was asked last: the paper's c.
    capacity_bytes: u64,
    /// Room was made for one that returns; its insert follows.
    returning: Option<Returning>,
    entries: u32,
}

/// A list and what was evicted from it.
#[derive(Debug, Default)]
struct Side {
    here: List,
    here_bytes: u64,
    left: List,
    left_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Returning {
    hash: u32,
    side: usize,
}

/// Size and side in four bytes. Entries above 2 GiB count as 2 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    fn new(size: u32, side: usize) -> Self {
        Self(size.min(u32::MAX >> 1) << 1 | side as u32)
    }

    fn size(self) -> u32 {
        self.0 >> 1
    }

    fn bytes(self) -> u64 {
        self.size().into()
    }

    fn side(self) -> usize {
        (self.0 & 1) as usize
    }
}

impl Side {
    fn bytes(&self) -> u64 {
        self.here_bytes.saturating_add(self.left_bytes)
    }
}

impl Arc {
    fn enter(&mut self, slot: Slot, node: Node) {
        let side = &mut self.sides[node.side()];
        self.nodes.push_front(&mut side.here, slot, node);
        side.here_bytes += node.bytes();
    }

    fn leave(&mut self, slot: Slot) -> Node {
        let side = &mut self.sides[self.nodes[slot].side()];
        let node = self.nodes.remove(&mut side.here, slot);
        side.here_bytes -= node.bytes();
        node
    }

    fn forget(&mut self, place: Slot) -> Node {
        let side = &mut self.sides[self.ghosts.value(place).side()];
        let node = self.ghosts.remove(&mut side.left, place);
        side.left_bytes -= node.bytes();
        node
    }

    /// Where `hash` was evicted lately: learns from that, once, and says from which side.
    fn recognize(&mut self, hash: u32) -> Option<usize> {
        if let Some(known) = self.returning.filter(|known| known.hash == hash) {
            return Some(known.side);
        }
        self.returning = self.ghosts.find(hash).map(|place| {
            self.learn(self.ghosts.value(place));
            let side = self.forget(place).side();
            Returning { hash, side }
        });
        self.returning.map(|known| known.side)
    }

    /// Moves the target by the size of who returns, and by more where the other side's hashes are more.
    fn learn(&mut self, ghost: Node) {
        let [once, again] = [ONCE, AGAIN].map(|side| self.sides[side].left_bytes);
        let (own, other) = match ghost.side() {
            ONCE => (once, again),
            _ => (again, once),
        };
        let step = u128::from(ghost.bytes()) * u128::from(other.max(own)) / u128::from(own.max(1));
        let step = u64::try_from(step).unwrap_or(u64::MAX);
        self.target_bytes = match ghost.side() {
            ONCE => self.target_bytes.saturating_add(step),
            _ => self.target_bytes.saturating_sub(step),
        }
        .min(self.capacity_bytes);
    }

    /// Forgets what left longest ago, so that what came once takes a capacity at most, here and
    /// remembered, and everything two.
    fn trim(&mut self) {
        let capacity = self.capacity_bytes;
        let ghosts_max = self.entries.saturating_mul(2).saturating_add(GHOSTS_MIN);
        for _ in 0..FORGOTTEN_MAX {
            let [once, again] = &self.sides;
            let oldest = match (once.left.back(), again.left.back()) {
                (Some(place), _) if once.bytes() > capacity => place,
                (once_left, again_left)
                    if self.ghosts.len() > ghosts_max
                        || once.bytes().saturating_add(again.bytes())
                            > capacity.saturating_mul(2) =>
                {
                    let Some(place) = again_left.or(once_left) else {
                        return;
                    };
                    place
                }
                _ => return,
            };
            self.forget(oldest);
        }
    }
}

impl Policy for Arc {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Ok(Self::default())
    }
}

impl Eviction for Arc {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let side = self.recognize(entry.hash).map_or(ONCE, |_| AGAIN);
        self.returning = None;
        self.entries += 1;
        self.enter(slot, Node::new(entry.size, side));
        self.trim();
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        let node = self.leave(slot);
        self.enter(slot, Node::new(node.size(), AGAIN));
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.leave(slot);
        self.enter(slot, Node::new(entry.size, AGAIN));
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.leave(slot);
        self.entries -= 1;
        if why == Removal::Evicted && self.ghosts.find(hash).is_none() {
            let side = &mut self.sides[node.side()];
            self.ghosts.push(&mut side.left, hash, node);
            side.left_bytes += node.bytes();
        }
        self.trim();
    }

    /// Nothing moves before it is removed, so what was named is named again when asked again.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = request.capacity_bytes;
        self.target_bytes = self.target_bytes.min(request.capacity_bytes);
        let returns_from = request
            .newcomer
            .and_then(|newcomer| self.recognize(newcomer.hash));
        let mut once_bytes = self.sides[ONCE].here_bytes;
        let [mut once, mut again] = [ONCE, AGAIN].map(|side| self.sides[side].here.back());
        while !victims.enough() {
            let is_once_large = once_bytes > self.target_bytes
                || once_bytes == self.target_bytes && returns_from == Some(AGAIN);
            let next = match (once, again) {
                (Some(_), again) if is_once_large || again.is_none() => &mut once,
                (_, Some(_)) => &mut again,
                _ => return,
            };
            let Some(slot) = *next else { return };
            *next = self.nodes.towards_front(slot);
            let node = self.nodes[slot];
            if node.side() == ONCE {
                once_bytes -= node.bytes();
            }
            victims.name(slot, node.size());
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ghosts.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
