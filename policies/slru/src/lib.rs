//! Segmented LRU: "Caching Strategies to Improve Disk System Performance", Karedla, Love and Wherry, IEEE
//! Computer 27(3), 1994; with four segments, S4LRU, in "An Analysis of Facebook Photo Caching", Huang
//! et al., SOSP 2013.
//!
//! Each segment is a list by recency, and takes an equal part of the bytes. New entries enter the
//! lowest. A read takes an entry to the front of the next higher one, whose least recent entries make
//! room for it at the front of the next lower one. Who is least recent in the lowest segment goes.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "slru",
    about: "Segmented LRU: each read takes an entry one segment higher, and the lowest is evicted from",
    eviction: Slru,
}

const SEGMENTS_MAX: u32 = 8;
/// Entries that one call takes a segment lower. Where one that is large displaces more, later calls go
/// on, as nobody can wait for that many.
const DEMOTIONS_MAX: u32 = 64;

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Segments; 2 are the probationary and the protected one of the first paper, 4 are S4LRU.
    #[parameter(default = 4, min = 1, max = 8)]
    pub segments: u32,
}

/// The policy of one shard.
#[derive(Debug)]
pub struct Slru {
    nodes: Nodes<Node>,
    /// The lowest first.
    segments: Vec<Segment>,
    /// Bytes of all entries.
    bytes: u64,
    /// As the last request said.
    capacity_bytes: Option<u64>,
    /// Whether all segments were, once.
    were_full: bool,
}

#[derive(Debug, Default)]
struct Segment {
    /// Most recent at the front.
    recency: List,
    bytes: u64,
}

/// Size and segment of one slot in four bytes. Entries above 512 MiB count as 512 MiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    const SIZE_MAX: u32 = u32::MAX / SEGMENTS_MAX;

    fn new(size: u32, segment: usize) -> Self {
        Self(size.min(Self::SIZE_MAX) * SEGMENTS_MAX + segment as u32)
    }

    fn size(self) -> u32 {
        self.0 / SEGMENTS_MAX
    }

    fn segment(self) -> usize {
        (self.0 % SEGMENTS_MAX) as usize
    }
}

impl Slru {
    fn enter(&mut self, slot: Slot, node: Node) {
        let segment = &mut self.segments[node.segment()];
        self.nodes.push_front(&mut segment.recency, slot, node);
        segment.bytes += u64::from(node.size());
        self.bytes += u64::from(node.size());
    }

    fn leave(&mut self, slot: Slot) -> Node {
        let node = self.nodes[slot];
        let segment = &mut self.segments[node.segment()];
        self.nodes.remove(&mut segment.recency, slot);
        segment.bytes -= u64::from(node.size());
        self.bytes -= u64::from(node.size());
        node
    }

    /// Takes an entry that was read a segment higher, with the size it now has.
    fn promote(&mut self, slot: Slot, size: u32) {
        let above = self.nodes[slot].segment() + 1;
        let segment = above.min(self.segments.len() - 1);
        self.leave(slot);
        self.enter(slot, Node::new(size, segment));
        self.demote();
    }

    /// What a segment may take; until a request says how much there is, a part of what is here.
    fn part_bytes(&self) -> u64 {
        self.capacity_bytes.unwrap_or(self.bytes) / self.segments.len() as u64
    }

    /// Takes what is too much in a segment to the next lower one; one entry may always stay.
    fn demote(&mut self) {
        let part_bytes = self.part_bytes();
        let mut demotions = 0;
        for segment in (1..self.segments.len()).rev() {
            while let Some(slot) = self.excess(segment, part_bytes) {
                if demotions == DEMOTIONS_MAX {
                    return;
                }
                demotions += 1;
                let node = self.leave(slot);
                self.enter(slot, Node::new(node.size(), segment - 1));
            }
        }
    }

    /// The segment of a new entry: the lowest. Only until all were full once it is the lowest that
    /// has room, as who fills an empty memory has displaced nobody.
    fn segment_of_new(&mut self, size: u32) -> usize {
        if self.capacity_bytes.is_none() || self.were_full {
            return 0;
        }
        let (part_bytes, size) = (self.part_bytes(), u64::from(size));
        let has_room = |segment: &Segment| segment.bytes + size <= part_bytes;
        self.were_full = size <= part_bytes && !self.segments[1..].iter().any(has_room);
        self.segments.iter().position(has_room).unwrap_or(0)
    }

    fn excess(&self, segment: usize, part_bytes: u64) -> Option<Slot> {
        let Segment { recency, bytes } = &self.segments[segment];
        let slot = recency.back().filter(|_| *bytes > part_bytes)?;
        self.nodes.towards_front(slot).map(|_| slot)
    }
}

impl Policy for Slru {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let segments = 0..parameters.segments;
        Ok(Self {
            nodes: Nodes::default(),
            segments: segments.map(|_| Segment::default()).collect(),
            bytes: 0,
            capacity_bytes: None,
            were_full: false,
        })
    }
}

impl Eviction for Slru {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let segment = self.segment_of_new(entry.size);
        self.enter(slot, Node::new(entry.size, segment));
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.promote(slot, self.nodes[slot].size());
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.promote(slot, entry.size);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.leave(slot);
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = Some(request.capacity_bytes);
        self.demote();
        for segment in &self.segments {
            let mut next = segment.recency.back();
            while let Some(slot) = next.filter(|_| !victims.enough()) {
                victims.name(slot, self.nodes[slot].size());
                next = self.nodes.towards_front(slot);
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
