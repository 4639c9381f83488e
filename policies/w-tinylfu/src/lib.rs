//! W-TinyLFU: "TinyLFU: A Highly Efficient Cache Admission Policy", Einziger, Friedman and Manes,
//! ACM Transactions on Storage 13(4), 2017; with a window that adapts, "Adaptive Software Cache
//! Management", Einziger, Eytan, Friedman and Manes, Middleware 2018.
//!
//! New entries enter a **window**, least recently used first. Who leaves it meets the entry that the
//! **main** part would evict: the one that came more often lately stays, by a sketch of frequencies.
//! The main part is a segmented LRU: what is read on **probation** becomes **protected**. How large
//! the window is follows the hit ratio: it goes on the way that made it better.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::sketch::Sketch;
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use crate::climber::Climber;

mod climber;

larder_sdk::export! {
    name: "w-tinylfu",
    about: "W-TinyLFU (ToS 2017, Middleware 2018): an adaptive window, then admission by frequency",
    eviction: WTinyLfu,
}

/// Entries that a request looks at before what it looks at has to leave.
const TURNS_MAX: u32 = 16 * 1024;
/// Entries of the main part that one is compared with at most.
const COMPARED_MAX: u32 = 16;

/// What can be set; the defaults are the papers'.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Part of the bytes that the window has at first, in percent; one entry at least.
    #[parameter(default = 1, min = 1, max = 80)]
    pub window_percent: u32,
    /// Part of the main part's bytes that may be protected, in percent.
    #[parameter(default = 80, min = 1, max = 99)]
    pub protected_percent: u64,
    /// Whether the window adapts.
    #[parameter(default = true)]
    pub adaptive: bool,
}

/// The policy of one shard.
#[derive(Debug)]
pub struct WTinyLfu {
    parameters: Parameters,
    nodes: Nodes<Node>,
    window: Queue,
    probation: Queue,
    protected: Queue,
    /// Named as victims; each goes when its removal arrives.
    leaving: Queue,
    sketch: Sketch,
    /// Entries that the sketch has room for.
    counters: u32,
    climber: Climber,
    /// What the shard held when it was asked last.
    capacity_bytes: u64,
    entries: u32,
}

#[derive(Debug, Default)]
struct Queue {
    list: List,
    bytes: u64,
}

/// Hash, size and place of one slot. Entries above 1 GiB count as 1 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    hash: u32,
    size_and_place: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Window,
    Probation,
    Protected,
    Leaving,
}

const PLACES: [Place; 4] = [
    Place::Window,
    Place::Probation,
    Place::Protected,
    Place::Leaving,
];

impl Node {
    fn new(entry: Entry, place: Place) -> Self {
        Self {
            hash: entry.hash,
            size_and_place: entry.size.min(u32::MAX >> 2) << 2 | place as u32,
        }
    }

    fn size(self) -> u32 {
        self.size_and_place >> 2
    }

    fn place(self) -> Place {
        PLACES[(self.size_and_place & 3) as usize]
    }

    fn with_place(self, place: Place) -> Self {
        Self {
            size_and_place: self.size_and_place & !3 | place as u32,
            ..self
        }
    }
}

impl WTinyLfu {
    fn queue(&mut self, place: Place) -> (&mut Nodes<Node>, &mut Queue) {
        let queue = match place {
            Place::Window => &mut self.window,
            Place::Probation => &mut self.probation,
            Place::Protected => &mut self.protected,
            Place::Leaving => &mut self.leaving,
        };
        (&mut self.nodes, queue)
    }

    fn enter(&mut self, slot: Slot, node: Node) {
        let (nodes, queue) = self.queue(node.place());
        nodes.push_front(&mut queue.list, slot, node);
        queue.bytes += u64::from(node.size());
    }

    fn leave(&mut self, slot: Slot) -> Node {
        let node = self.nodes[slot];
        let (nodes, queue) = self.queue(node.place());
        nodes.remove(&mut queue.list, slot);
        queue.bytes -= u64::from(node.size());
        node
    }

    fn move_to(&mut self, slot: Slot, place: Place) {
        let node = self.leave(slot);
        self.enter(slot, node.with_place(place));
    }

    fn name(&mut self, slot: Slot, victims: &mut Victims<'_>) {
        self.move_to(slot, Place::Leaving);
        victims.name(slot, self.nodes[slot].size());
    }

    /// Names again what was named before and is still here.
    fn name_leaving(&self, victims: &mut Victims<'_>) {
        let mut next = self.leaving.list.back();
        while let Some(slot) = next.filter(|_| !victims.enough()) {
            victims.name(slot, self.nodes[slot].size());
            next = self.nodes.towards_front(slot);
        }
    }

    fn main_bytes_max(&self) -> u64 {
        let window = self.climber.window_bytes(self.capacity_bytes);
        self.capacity_bytes.saturating_sub(window)
    }

    /// Counts an access and lets the window follow.
    fn count(&mut self, hash: u32, is_hit: bool) {
        self.sketch.add(hash);
        if self.parameters.adaptive {
            self.climber.count(is_hit, self.entries);
        }
    }

    /// What was read moves to the front; from probation to the protected, whose oldest may have to
    /// go back.
    fn access(&mut self, slot: Slot) {
        match self.nodes[slot].place() {
            Place::Window => self.nodes.move_to_front(&mut self.window.list, slot),
            Place::Protected => self.nodes.move_to_front(&mut self.protected.list, slot),
            Place::Leaving => {}
            Place::Probation => {
                self.move_to(slot, Place::Protected);
                self.limit_protected();
            }
        }
    }

    fn limit_protected(&mut self) {
        let percent = u128::from(self.parameters.protected_percent);
        let protected_bytes_max = (u128::from(self.main_bytes_max()) * percent / 100) as u64;
        for _ in 0..TURNS_MAX {
            let oldest = self.protected.list.back();
            let Some(oldest) = oldest.filter(|_| self.protected.bytes > protected_bytes_max) else {
                return;
            };
            self.move_to(oldest, Place::Probation);
        }
    }

    /// Whether who leaves the window may have the place of what the main part would evict for it: it
    /// has to have come more often than all of that together ("Lightweight Robust Size Aware Cache
    /// Management", Einziger et al., ACM Transactions on Storage 18(3), 2022).
    fn is_admitted(&self, candidate: Slot, victim: Slot) -> bool {
        let candidate = self.nodes[candidate];
        let frequency = u32::from(self.sketch.estimate(candidate.hash));
        let (mut others, mut bytes, mut next) = (0, 0, Some(victim));
        for _ in 0..COMPARED_MAX {
            let Some(slot) = next.filter(|_| bytes < candidate.size() && others < frequency) else {
                break;
            };
            let node = self.nodes[slot];
            others += u32::from(self.sketch.estimate(node.hash));
            bytes = bytes.saturating_add(node.size());
            next = self.nodes.towards_front(slot);
        }
        frequency > others
    }
}

impl Policy for WTinyLfu {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            nodes: Nodes::default(),
            window: Queue::default(),
            probation: Queue::default(),
            protected: Queue::default(),
            leaving: Queue::default(),
            sketch: Sketch::default(),
            counters: 0,
            climber: Climber::new(parameters.window_percent),
            parameters,
            capacity_bytes: 0,
            entries: 0,
        })
    }
}

impl Eviction for WTinyLfu {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.entries += 1;
        if self.entries > self.counters {
            // By powers of two, as the sketch begins anew when it grows.
            self.counters = self.entries.checked_next_power_of_two().unwrap_or(u32::MAX);
            self.sketch.set_capacity(self.counters as usize);
        }
        self.sketch.set_capacity(self.entries as usize);
        self.count(entry.hash, false);
        self.enter(slot, Node::new(entry, Place::Window));
    }

    fn hit(&mut self, slot: Slot, hash: u32) {
        self.count(hash, true);
        self.access(slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.sketch.add(entry.hash);
        let node = self.leave(slot);
        self.enter(slot, Node::new(entry, node.place()));
        self.access(slot);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.leave(slot);
        self.entries -= 1;
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = request.capacity_bytes;
        self.name_leaving(victims);
        let main_bytes_max = self.main_bytes_max();
        let window_bytes_max = request.capacity_bytes - main_bytes_max;
        let coming = request
            .newcomer
            .map_or(0, |newcomer| u64::from(newcomer.size));
        let mut turns = 0;
        while !victims.enough() {
            turns += 1;
            let is_window_full = self.window.bytes.saturating_add(coming) > window_bytes_max;
            let candidate = self.window.list.back();
            let victim = self.probation.list.back().or(self.protected.list.back());
            match (candidate, victim) {
                (Some(candidate), victim) if is_window_full && turns <= TURNS_MAX => {
                    let main_bytes = self.probation.bytes + self.protected.bytes;
                    let size = u64::from(self.nodes[candidate].size());
                    if main_bytes.saturating_add(size) <= main_bytes_max {
                        self.move_to(candidate, Place::Probation);
                        continue;
                    }
                    match victim.filter(|&victim| self.is_admitted(candidate, victim)) {
                        Some(victim) => {
                            self.move_to(candidate, Place::Probation);
                            self.name(victim, victims);
                        }
                        None => self.name(candidate, victims),
                    }
                }
                (Some(candidate), None) => self.name(candidate, victims),
                (_, Some(victim)) => self.name(victim, victims),
                (None, None) => return,
            }
        }
    }

    fn reads(&self, slot: Slot) -> u32 {
        let node = self.nodes.get(slot);
        node.map_or(0, |node| self.sketch.estimate(node.hash).into())
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.sketch.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
