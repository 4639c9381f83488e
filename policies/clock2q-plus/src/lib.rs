//! Clock2Q+: "Clock2Q+: A Simple and Efficient Replacement Algorithm for Metadata Cache in VMware vSAN",
//! Zhai et al., VLDB 2026.
//!
//! New entries enter a **small** queue. Its newest part is the **correlation window**: a read there is
//! taken for one more of the first, and changes nothing. What is read in the rest of it moves on to the
//! **main** queue; what is not leaves, and its hash stays in a **ghost** queue. Who comes back while
//! remembered there enters the main queue at once. The main queue gives an entry another round if it
//! was read.

use larder_sdk::ghost::GhostSet;
use larder_sdk::lists::{List, Nodes};
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

larder_sdk::export! {
    name: "clock2q-plus",
    about: "Clock2Q+ (VLDB 2026): three queues, and reads soon after the first do not count",
    eviction: Clock2QPlus,
}

/// Entries that a request spares: where everything was read, sparing all of it would take longer than
/// anybody can wait.
const TURNS_MAX: u32 = 16 * 1024;
/// Entries that one insert moves out of the window; where one that is large displaces more, later ones
/// go on.
const AGED_MAX: u32 = 64;

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Part of the bytes that the small queue may take, in percent.
    #[parameter(default = 10, min = 1, max = 90)]
    pub small_percent: u64,
    /// Part of the small queue that is the correlation window, in percent.
    #[parameter(default = 50, min = 1, max = 100)]
    pub window_percent: u64,
    /// Entries that the ghost queue remembers, in percent of the entries that are resident.
    #[parameter(default = 90, min = 1, max = 400)]
    pub ghost_percent: u64,
}

/// The policy of one shard.
#[derive(Debug, Default)]
pub struct Clock2QPlus {
    parameters: Parameters,
    nodes: Nodes<Node>,
    /// The newest part of the small queue.
    window: Queue,
    /// The rest of the small queue.
    small: Queue,
    main: Queue,
    ghost: GhostSet,
    entries: u64,
    /// As the last request said.
    capacity_bytes: Option<u64>,
    was_main_full: bool,
}

#[derive(Debug, Default)]
struct Queue {
    list: List,
    bytes: u64,
}

/// Size and queue of one slot, and whether it was read, in four bytes. Entries above 512 MiB count as
/// 512 MiB.
#[derive(Debug, Clone, Copy, Default)]
struct Node(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Window,
    Small,
    Main,
}

impl Node {
    const SIZE_MAX: u32 = u32::MAX >> 3;
    const READ: u32 = 1;

    fn new(size: u32, place: Place) -> Self {
        Self(size.min(Self::SIZE_MAX) << 3 | (place as u32) << 1)
    }

    fn size(self) -> u32 {
        self.0 >> 3
    }

    fn place(self) -> Place {
        match self.0 >> 1 & 3 {
            0 => Place::Window,
            1 => Place::Small,
            _ => Place::Main,
        }
    }

    fn is_read(self) -> bool {
        self.0 & Self::READ != 0
    }
}

impl Clock2QPlus {
    fn queue(&mut self, place: Place) -> (&mut Nodes<Node>, &mut Queue) {
        let queue = match place {
            Place::Window => &mut self.window,
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
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

    /// Takes `slot` to the front of the queue of `place`, not read.
    fn send(&mut self, slot: Slot, place: Place) {
        let node = self.leave(slot);
        self.enter(slot, Node::new(node.size(), place));
    }

    /// What the small queue may take; until a request says how much there is, a part of what is here.
    fn small_bytes_max(&self) -> u64 {
        let here = self.window.bytes + self.small.bytes + self.main.bytes;
        let bytes = self.capacity_bytes.unwrap_or(here);
        bytes.saturating_mul(self.parameters.small_percent) / 100
    }

    /// Whether a new entry enters main, as the small queue is full, and main never was: who fills an
    /// empty memory has displaced nobody. Before the first request nobody knows what full is, and all
    /// that came is in the small queue.
    fn fills_main(&mut self) -> bool {
        let Some(capacity_bytes) = self.capacity_bytes.filter(|_| !self.was_main_full) else {
            return false;
        };
        let small_bytes_max = self.small_bytes_max();
        self.was_main_full = self.main.bytes >= capacity_bytes - small_bytes_max;
        !self.was_main_full && self.small.bytes + self.window.bytes >= small_bytes_max
    }

    /// Moves what is too old for the window out of it; the newest entry may always stay.
    fn age(&mut self) {
        let percent = self.parameters.window_percent;
        let window_bytes_max = self.small_bytes_max().saturating_mul(percent) / 100;
        for _ in 0..AGED_MAX {
            let oldest = self.window.list.back();
            let Some(slot) = oldest.filter(|_| self.window.bytes > window_bytes_max) else {
                return;
            };
            if self.nodes.towards_front(slot).is_none() {
                return;
            }
            self.send(slot, Place::Small);
        }
    }
}

impl Policy for Clock2QPlus {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            parameters,
            ..Self::default()
        })
    }
}

impl Eviction for Clock2QPlus {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        let place = if self.ghost.take(entry.hash) || self.fills_main() {
            Place::Main
        } else {
            Place::Window
        };
        self.entries += 1;
        self.enter(slot, Node::new(entry.size, place));
        self.age();
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        let node = &mut self.nodes[slot];
        if node.place() != Place::Window {
            node.0 |= Node::READ;
        }
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let node = self.nodes[slot];
        let resized = Node(Node::new(entry.size, node.place()).0 | node.0 & Node::READ);
        let (_, queue) = self.queue(node.place());
        queue.bytes = queue.bytes - u64::from(node.size()) + u64::from(resized.size());
        self.nodes[slot] = resized;
        self.hit(slot, entry.hash);
    }

    fn remove(&mut self, slot: Slot, hash: u32, why: Removal) {
        let node = self.leave(slot);
        if why == Removal::Evicted && node.place() != Place::Main {
            let remembered = self.entries * self.parameters.ghost_percent / 100;
            self.ghost.set_capacity(remembered as usize);
            self.ghost.insert(hash);
        }
        self.entries -= 1;
    }

    /// Who is named keeps its place, so that it is named again if it does not go, and spared if it is
    /// read until then.
    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        self.capacity_bytes = Some(request.capacity_bytes);
        self.age();
        let small_bytes_max = self.small_bytes_max();
        let mut small_bytes = self.small.bytes + self.window.bytes;
        let mut small = self.small.list.back().or(self.window.list.back());
        let mut main = self.main.list.back();
        let mut turns = 0;
        while !victims.enough() {
            let (slot, is_small) = match (small, main) {
                (Some(slot), main) if small_bytes >= small_bytes_max || main.is_none() => {
                    (slot, true)
                }
                (_, Some(slot)) => (slot, false),
                _ => return,
            };
            let node = self.nodes[slot];
            let mut next = self.nodes.towards_front(slot);
            if is_small {
                if next.is_none() && node.place() == Place::Small {
                    next = self.window.list.back();
                }
                small = next;
                small_bytes -= u64::from(node.size());
            } else {
                main = next;
            }
            if node.is_read() && turns < TURNS_MAX {
                turns += 1;
                self.send(slot, Place::Main);
                main = main.or(Some(slot));
            } else {
                victims.name(slot, node.size());
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes() + self.ghost.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
