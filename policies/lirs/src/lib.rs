//! LIRS: "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy to Improve Buffer
//! Cache Performance", Jiang and Zhang, SIGMETRICS 2002.
//!
//! Most bytes belong to the **core**: entries whose last two accesses were close together (LIR). All
//! others (HIR) pass through a short **queue**, and their hashes are remembered. Who is accessed
//! again before the core's least recent entry was has come back sooner than that one, and takes its
//! place in the core; the core's least recent entry goes on to the queue.
//!
//! The paper keeps all of them in one stack, whose bottom is the core's least recent entry. As what
//! lies above that bottom are the entries accessed later, the time of the last access says the same:
//! here only the core is a list by recency, nothing has to be pruned, and an entry needs links once.

use larder_sdk::ghosts::Ghosts;
use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "lirs",
    about: "LIRS (SIGMETRICS 2002): what comes back soon stays, however long ago it came first",
    eviction: Lirs,
}

/// Entries that a call moves from the core to the queue at most, where much has to be moved.
const TURNS_MAX: u32 = 16 * 1024;
/// Hashes remembered at least.
const GHOSTS_MIN: u32 = 64;
/// Hashes that are forgotten a call at most.
const FORGOTTEN_MAX: u32 = 1024;

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Part of the bytes that the queue has, in percent (the paper's Lhirs); one entry at least.
    #[parameter(default = 1, min = 1, max = 90)]
    pub hir_percent: u64,
    /// Hashes remembered of what was evicted, in percent of the entries that are here.
    #[parameter(default = 100, min = 1, max = 400)]
    pub ghost_percent: u64,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Lirs {
    parameters: Parameters,
    nodes: Nodes<Node>,
    core: Queue,
    queue: Queue,
    /// The time of the last access of what left the queue.
    ghosts: Ghosts<u64>,
    left: List,
    /// Counts accesses outside the core: between two of them the order within the core is all that
    /// matters.
    time: u64,
    /// What the shard held when it was asked last; before, all belongs to the core.
    capacity_bytes: Option<u64>,
    /// Room was made, and the insert that it was made for has not come.
    made_room: bool,
    entries: u32,
}

#[derive(Debug, Default)]
struct Queue {
    list: List,
    bytes: u64,
}

/// Packed, as eight bytes that are aligned would make it sixteen.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, packed(4))]
struct Node {
    time: u64,
    /// The lowest bit says whether it is in the core. Entries above 2 GiB count as 2 GiB.
    size_and_core: u32,
}

impl Node {
    fn new(time: u64, size: u32, is_core: bool) -> Self {
        Self {
            time,
            size_and_core: size.min(u32::MAX >> 1) << 1 | u32::from(is_core),
        }
    }

    fn size(self) -> u32 {
        self.size_and_core >> 1
    }

    fn is_core(self) -> bool {
        self.size_and_core & 1 != 0
    }
}

impl Lirs {
    fn queue(&mut self, node: Node) -> (&mut Nodes<Node>, &mut Queue) {
        let queue = match node.is_core() {
            true => &mut self.core,
            false => &mut self.queue,
        };
        (&mut self.nodes, queue)
    }

    fn enter(&mut self, slot: Slot, node: Node) {
        let (nodes, queue) = self.queue(node);
        nodes.push_front(&mut queue.list, slot, node);
        queue.bytes += u64::from(node.size());
    }

    fn leave(&mut self, slot: Slot) -> Node {
        let node = self.nodes[slot];
        let (nodes, queue) = self.queue(node);
        nodes.remove(&mut queue.list, slot);
        queue.bytes -= u64::from(node.size());
        node
    }

    /// Whether what was accessed at `time` was so after the core's least recent entry.
    fn is_recent(&self, time: u64) -> bool {
        let bottom = self.core.list.back();
        bottom.is_none_or(|bottom| time > self.nodes[bottom].time)
    }

    fn core_bytes_max(&self) -> u64 {
        let Some(capacity) = self.capacity_bytes else {
            return u64::MAX;
        };
        let mean = (self.core.bytes + self.queue.bytes) / u64::from(self.entries.max(1));
        let part = (u128::from(capacity) * u128::from(self.parameters.hir_percent) / 100) as u64;
        capacity.saturating_sub(part.max(mean))
    }

    /// The core's least recent entries go on to the queue, where the core has too much.
    fn settle(&mut self) {
        let core_bytes_max = self.core_bytes_max();
        for _ in 0..TURNS_MAX {
            let bottom = self.core.list.back();
            let Some(slot) = bottom.filter(|_| self.core.bytes > core_bytes_max) else {
                return;
            };
            let node = self.leave(slot);
            self.enter(slot, Node::new(node.time, node.size(), false));
        }
    }

    /// An entry, which is in no list, is accessed.
    fn access(&mut self, slot: Slot, size: u32, is_core: bool) {
        self.time += 1;
        self.enter(slot, Node::new(self.time, size, is_core));
        self.settle();
    }

    /// Forgets what is too much, and what the core's least recent entry was accessed after.
    fn trim(&mut self) {
        let most = u64::from(self.entries) * self.parameters.ghost_percent / 100;
        let most = most.max(GHOSTS_MIN.into());
        for _ in 0..FORGOTTEN_MAX {
            let Some(oldest) = self.left.back() else {
                return;
            };
            let is_late = !self.is_recent(self.ghosts.value(oldest));
            if !is_late && u64::from(self.ghosts.len()) <= most {
                return;
            }
            self.ghosts.remove(&mut self.left, oldest);
        }
    }
}

impl Policy for Lirs {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            ..Self::default()
        })
    }
}

impl Eviction for Lirs {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let known = self.ghosts.find(entry.hash);
        let last = known.map(|place| self.ghosts.remove(&mut self.left, place));
        let returns = last.is_some_and(|time| self.is_recent(time));
        let made_room = std::mem::take(&mut self.made_room);
        let core_bytes = self.core.bytes.saturating_add(entry.size.into());
        self.entries += 1;
        let has_room = !made_room && core_bytes <= self.core_bytes_max();
        self.access(slot, entry.size, returns || has_room);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        if self.nodes[slot].is_core() {
            self.nodes[slot].time = self.time;
            self.nodes.move_to_front(&mut self.core.list, slot);
        } else {
            let node = self.leave(slot);
            self.access(slot, node.size(), self.is_recent(node.time));
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let node = self.leave(slot);
        let is_core = node.is_core() || self.is_recent(node.time);
        self.access(slot, entry.size, is_core);
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.leave(slot);
        self.entries -= 1;
        let is_kept = why == Removal::Evicted && !node.is_core() && self.is_recent(node.time);
        if is_kept && self.ghosts.find(hash).is_none() {
            self.ghosts.push(&mut self.left, hash, node.time);
        }
        self.trim();
    }

    /// The queue's oldest go, and remain there until they are removed.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = Some(request.capacity_bytes);
        self.made_room = request.newcomer.is_some();
        self.settle();
        for queue in [&self.queue, &self.core] {
            let mut next = queue.list.back();
            while let Some(slot) = next.filter(|_| !victims.enough()) {
                victims.name(slot, self.nodes[slot].size());
                next = self.nodes.towards_front(slot);
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ghosts.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
