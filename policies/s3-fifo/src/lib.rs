//! S3-FIFO: "FIFO Queues are All You Need for Cache Eviction", Yang et al., SOSP 2023.
//!
//! New entries enter a **small** queue that holds a tenth of the bytes. What is read at least
//! twice there moves on to the **main** queue; the rest leaves, and its hash stays in a **ghost**
//! queue. Who comes back while remembered there enters the main queue at once. The main queue gives
//! an entry another round for each read, three at most.

use larder_sdk::ghost::GhostSet;
use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "s3-fifo",
    about: "S3-FIFO (SOSP 2023): what is not read soon goes first, what is read stays longer",
    eviction: S3Fifo,
}

/// Entries that a request looks at before what it looks at has to leave, read or not: where all were
/// read, giving each another round would take longer than anybody can wait.
const TURNS_MAX: u32 = 16 * 1024;
/// Reads that are counted at most.
const READS_MAX: u32 = 3;

/// What can be set; the defaults are the paper's.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Part of the bytes that the small queue may take, in percent.
    #[parameter(default = 10, min = 1, max = 90)]
    pub small_percent: u64,
    /// Entries that the ghost queue remembers, in percent of the entries that are resident.
    #[parameter(default = 90, min = 1, max = 400)]
    pub ghost_percent: u64,
    /// Reads in the small queue that move an entry on to the main queue.
    #[parameter(default = 2, min = 1, max = 3)]
    pub promoting_reads: u32,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct S3Fifo {
    parameters: Parameters,
    nodes: Nodes<Node>,
    small: Queue,
    main: Queue,
    /// Named as victims; each goes when its removal arrives.
    leaving: Queue,
    ghost: GhostSet,
    entries: u64,
    /// As the last request said; 0 before the first.
    capacity_bytes: u64,
    was_main_full: bool,
}

#[derive(Debug, Default)]
struct Queue {
    list: List,
    bytes: u64,
}

/// Size, queue and reads of one slot in four bytes. Entries above 256 MiB count as 256 MiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Small,
    Main,
    /// In `leaving`, out of the small queue: its hash is to be remembered.
    LeavingSmall,
    LeavingMain,
}

const PLACES: [Place; 4] = [
    Place::Small,
    Place::Main,
    Place::LeavingSmall,
    Place::LeavingMain,
];

impl Node {
    const SIZE_MAX: u32 = (1 << 28) - 1;

    fn new(size: u32, place: Place) -> Self {
        Self(size.min(Self::SIZE_MAX) << 4 | (place as u32) << 2)
    }

    fn size(self) -> u32 {
        self.0 >> 4
    }

    fn place(self) -> Place {
        PLACES[(self.0 >> 2 & 3) as usize]
    }

    fn is_leaving(self) -> bool {
        matches!(self.place(), Place::LeavingSmall | Place::LeavingMain)
    }

    fn reads(self) -> u32 {
        self.0 & 3
    }

    fn with_reads(self, reads: u32) -> Self {
        Self(self.0 & !3 | reads)
    }

    fn with_place(self, place: Place) -> Self {
        Self(self.0 & !(3 << 2) | (place as u32) << 2)
    }
}

impl S3Fifo {
    fn queue(&mut self, place: Place) -> (&mut Nodes<Node>, &mut Queue) {
        let queue = match place {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
            Place::LeavingSmall | Place::LeavingMain => &mut self.leaving,
        };
        (&mut self.nodes, queue)
    }

    // Inlined in all places: in WebAssembly each call looks at the stack and at the time left.
    #[inline(always)]
    fn enter(&mut self, slot: Slot, node: Node) {
        let (nodes, queue) = self.queue(node.place());
        nodes.push_front(&mut queue.list, slot, node);
        queue.bytes += u64::from(node.size());
    }

    #[inline(always)]
    fn leave(&mut self, slot: Slot) -> Node {
        let node = self.nodes[slot];
        let (nodes, queue) = self.queue(node.place());
        nodes.remove(&mut queue.list, slot);
        queue.bytes -= u64::from(node.size());
        node
    }

    /// Whether a new entry enters main, as the small queue is full, and main never was: who fills an
    /// empty memory has displaced nobody. Before the first request nobody knows what full is, and all
    /// that came is in the small queue.
    fn fills_main(&mut self) -> bool {
        if self.was_main_full || self.capacity_bytes == 0 {
            return false;
        }
        let small_bytes_max = self.small_bytes_max();
        self.was_main_full = self.main.bytes >= self.capacity_bytes - small_bytes_max;
        !self.was_main_full && self.small.bytes >= small_bytes_max
    }

    fn small_bytes_max(&self) -> u64 {
        let percent = self.parameters.small_percent;
        self.capacity_bytes.saturating_mul(percent) / 100
    }

    /// What becomes of the oldest of the small queue: it goes on to main, or leaves.
    fn turn_small(&self, node: Node) -> Node {
        if node.reads() >= self.parameters.promoting_reads {
            node.with_place(Place::Main).with_reads(0)
        } else {
            node.with_place(Place::LeavingSmall)
        }
    }

    /// What becomes of the oldest of the main queue: it gets another round, or leaves.
    fn turn_main(node: Node, may_stay: bool) -> Node {
        match node.reads() {
            reads @ 1.. if may_stay => node.with_reads(reads - 1),
            _ => node.with_place(Place::LeavingMain),
        }
    }

    /// Names again what was named before and is still here.
    fn name_leaving(&self, victims: &mut Victims<'_>) {
        let mut next = self.leaving.list.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.nodes[slot].size());
            next = self.nodes.towards_front(slot);
        }
    }
}

impl Policy for S3Fifo {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            ..Self::default()
        })
    }
}

impl Eviction for S3Fifo {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let place = if self.ghost.take(entry.hash) || self.fills_main() {
            Place::Main
        } else {
            Place::Small
        };
        self.entries += 1;
        self.enter(slot, Node::new(entry.size, place));
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        let node = &mut self.nodes[slot];
        if node.reads() < READS_MAX {
            *node = node.with_reads(node.reads() + 1);
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let node = self.nodes[slot];
        let (_, queue) = self.queue(node.place());
        let resized = Node::new(entry.size, node.place()).with_reads(node.reads());
        queue.bytes = queue.bytes - u64::from(node.size()) + u64::from(resized.size());
        self.nodes[slot] = resized;
        self.hit(slot, entry.hash);
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.leave(slot);
        if why == Removal::Evicted && matches!(node.place(), Place::Small | Place::LeavingSmall) {
            let remembered = self.entries * self.parameters.ghost_percent / 100;
            self.ghost.set_capacity(remembered as usize);
            self.ghost.insert(hash);
        }
        self.entries -= 1;
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.name_leaving(victims);
        self.capacity_bytes = request.capacity_bytes;
        let small_bytes_max = self.small_bytes_max();
        let mut turns = 0;
        while !victims.enough() {
            turns += 1;
            let (small, main) = (self.small.list.back(), self.main.list.back());
            let is_small_full = self.small.bytes >= small_bytes_max;
            let (slot, turned) = match (small, main) {
                (Some(slot), main) if is_small_full || main.is_none() => {
                    (slot, self.turn_small(self.nodes[slot]))
                }
                (_, Some(slot)) => (slot, Self::turn_main(self.nodes[slot], turns <= TURNS_MAX)),
                _ => return,
            };
            self.leave(slot);
            self.enter(slot, turned);
            if turned.is_leaving() {
                victims.name(slot, turned.size());
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ghost.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
