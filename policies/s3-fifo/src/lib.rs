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

/// Size, queue and reads of one slot in four bytes. Entries above 512 MiB count as 512 MiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

impl Node {
    const SIZE_MAX: u32 = (1 << 29) - 1;
    const READS: u32 = 3;
    const IN_MAIN: u32 = 4;

    fn new(size: u32, is_in_main: bool) -> Self {
        Self(size.min(Self::SIZE_MAX) << 3 | u32::from(is_in_main) << 2)
    }

    fn size(self) -> u32 {
        self.0 >> 3
    }

    fn is_in_main(self) -> bool {
        self.0 & Self::IN_MAIN != 0
    }

    fn reads(self) -> u32 {
        self.0 & Self::READS
    }
}

impl S3Fifo {
    // Inlined in all places: in WebAssembly each call looks at the stack and at the time left.
    #[inline(always)]
    fn queue(&mut self, node: Node) -> (&mut Nodes<Node>, &mut Queue) {
        let queue = match node.is_in_main() {
            true => &mut self.main,
            false => &mut self.small,
        };
        (&mut self.nodes, queue)
    }

    #[inline(always)]
    fn enter(&mut self, slot: Slot, node: Node) {
        let (nodes, queue) = self.queue(node);
        nodes.push_front(&mut queue.list, slot, node);
        queue.bytes += u64::from(node.size());
    }

    #[inline(always)]
    fn leave(&mut self, slot: Slot) -> Node {
        let node = self.nodes[slot];
        let (nodes, queue) = self.queue(node);
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
        let enters_main = self.ghost.take(entry.hash) || self.fills_main();
        self.entries += 1;
        self.enter(slot, Node::new(entry.size, enters_main));
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        let node = &mut self.nodes[slot];
        node.0 += u32::from(node.reads() < READS_MAX);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let node = self.nodes[slot];
        let (_, queue) = self.queue(node);
        let resized = Node(Node::new(entry.size, node.is_in_main()).0 | node.reads());
        queue.bytes = queue.bytes - u64::from(node.size()) + u64::from(resized.size());
        self.nodes[slot] = resized;
        self.hit(slot, entry.hash);
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.leave(slot);
        if why == Removal::Evicted && !node.is_in_main() {
            let remembered = self.entries * self.parameters.ghost_percent / 100;
            self.ghost.set_capacity(remembered as usize);
            self.ghost.insert(hash);
        }
        self.entries -= 1;
    }

    /// Who is named keeps its place, so that it is named again if it does not go, and spared if it is
    /// read until then.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = request.capacity_bytes;
        let small_bytes_max = self.small_bytes_max();
        let mut small_bytes = self.small.bytes;
        let (mut small, mut main) = (self.small.list.back(), self.main.list.back());
        let mut turns = 0;
        while !victims.enough() {
            turns += 1;
            match (small, main) {
                (Some(slot), _) if small_bytes >= small_bytes_max || main.is_none() => {
                    let node = self.nodes[slot];
                    small = self.nodes.towards_front(slot);
                    small_bytes -= u64::from(node.size());
                    if node.reads() >= self.parameters.promoting_reads {
                        self.leave(slot);
                        self.enter(slot, Node::new(node.size(), true));
                        main = main.or(Some(slot));
                    } else {
                        victims.name(slot, node.size());
                    }
                }
                (_, Some(slot)) => {
                    let node = self.nodes[slot];
                    main = self.nodes.towards_front(slot);
                    if node.reads() > 0 && turns <= TURNS_MAX {
                        self.nodes[slot].0 -= 1;
                        self.nodes.move_to_front(&mut self.main.list, slot);
                        main = main.or(Some(slot));
                    } else {
                        victims.name(slot, node.size());
                    }
                }
                _ => return,
            }
        }
    }

    fn reads(&self, slot: Slot) -> u32 {
        self.nodes.get(slot).map_or(0, |node| node.reads())
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ghost.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
