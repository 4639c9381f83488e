//! Eviction that honours priorities: the least valued goes first, of those the least recent.

use larder_sdk::lists::{List, Nodes};
use larder_sdk::table::Table;
use larder_sdk::{Entry, Eviction, Policy, Removal, Request, Slot, Victims};

use crate::Parameters;

/// One for each priority.
const CLASSES: usize = 256;

/// Lets the least valued go first.
///
/// Entries of one priority are a class, in order of last use. Victims are the least recent of the
/// lowest class, so that no flood of low-valued entries pushes out a higher one. But the lowest
/// classes may together hold a **floor**, a small part of the capacity: within it they yield only
/// what is less recent than the least recent of the class above. So new low-valued entries live for
/// a while even where high-valued ones would take everything. A newcomer counts as one of its class;
/// where the floor does not hold it and nothing is worth as little, it is refused.
#[derive(Debug)]
pub struct ByValue {
    floor_percent: u64,
    classes: Vec<Class>,
    nodes: Nodes<Node>,
    priorities: Table<u8>,
    /// Counts uses.
    now: u32,
}

#[derive(Debug, Default)]
struct Class {
    /// Most recent at the front.
    recency: List,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    size: u32,
    /// When it was last used. After four billion uses it seems new again, which costs a wrong
    /// choice within the floor at most.
    used: u32,
}

/// A class while victims are named: what would be left of it.
struct Left {
    priority: u8,
    least_recent: Slot,
    bytes: u64,
}

impl Policy for ByValue {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self {
            floor_percent: parameters.floor_percent,
            classes: (0..CLASSES).map(|_| Class::default()).collect(),
            nodes: Nodes::default(),
            priorities: Table::default(),
            now: 0,
        })
    }
}

impl ByValue {
    fn enter(&mut self, slot: Slot, size: u32, priority: u8) {
        self.now = self.now.wrapping_add(1);
        let node = Node {
            size,
            used: self.now,
        };
        self.priorities[slot] = priority;
        let class = &mut self.classes[usize::from(priority)];
        class.bytes += u64::from(size);
        self.nodes.push_front(&mut class.recency, slot, node);
    }

    fn leave(&mut self, slot: Slot) {
        let class = &mut self.classes[usize::from(self.priorities[slot])];
        let node = self.nodes.remove(&mut class.recency, slot);
        class.bytes -= u64::from(node.size);
    }

    fn age(&self, slot: Slot) -> u32 {
        self.now.wrapping_sub(self.nodes[slot].used)
    }

    /// Which of `left` gives the next victim; `None` where the newcomer is worth the least.
    fn choose(
        &self,
        left: &[Left],
        mut newcomer: Option<Entry>,
        floor_bytes: u64,
    ) -> Option<usize> {
        let mut bytes = 0;
        let mut oldest: Option<(u32, usize)> = None;
        for (at, class) in left.iter().enumerate() {
            if let Some(entry) = newcomer.take_if(|entry| entry.priority < class.priority) {
                bytes += u64::from(entry.size);
                if bytes > floor_bytes {
                    break;
                }
            }
            let age = self.age(class.least_recent);
            if oldest.is_none_or(|(oldest, _)| age > oldest) {
                oldest = Some((age, at));
            }
            bytes += class.bytes;
            if let Some(entry) = newcomer.take_if(|entry| entry.priority == class.priority) {
                bytes += u64::from(entry.size);
            }
            if bytes > floor_bytes {
                break;
            }
        }
        oldest.map(|(_, at)| at)
    }
}

impl Eviction for ByValue {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.priorities.cover(slot);
        self.enter(slot, entry.size, entry.priority);
    }

    fn hit(&mut self, slot: Slot, _hash: u32) {
        self.now = self.now.wrapping_add(1);
        self.nodes[slot].used = self.now;
        let class = &mut self.classes[usize::from(self.priorities[slot])];
        self.nodes.move_to_front(&mut class.recency, slot);
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        self.leave(slot);
        self.enter(slot, entry.size, entry.priority);
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.leave(slot);
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        let floor_bytes = request.capacity_bytes / 100 * self.floor_percent;
        let classes = (0..=u8::MAX).zip(&self.classes);
        let occupied = classes.filter_map(|(priority, class)| {
            Some(Left {
                priority,
                least_recent: class.recency.back()?,
                bytes: class.bytes,
            })
        });
        let mut left: Vec<_> = occupied.collect();
        while !victims.enough() && !left.is_empty() {
            let Some(at) = self.choose(&left, request.newcomer, floor_bytes) else {
                return victims.refuse_newcomer();
            };
            let slot = left[at].least_recent;
            let size = self.nodes[slot].size;
            victims.name(slot, size);
            match self.nodes.towards_front(slot) {
                Some(next) => {
                    left[at].least_recent = next;
                    left[at].bytes -= u64::from(size);
                }
                None => {
                    left.remove(at);
                }
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
            + self.priorities.memory_bytes()
            + self.classes.capacity() * size_of::<Class>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::{self, Shard, Stored};
    use std::ops::Range;

    const LOW: u8 = 10;
    const HIGH: u8 = 200;
    /// Keys of high-valued entries begin here.
    const HIGHS: u64 = 1 << 32;

    fn shard(floor_percent: u64, entries: u64) -> Shard<ByValue> {
        let parameters = Parameters {
            floor_percent,
            ..Parameters::default()
        };
        Shard::new(ByValue::new(parameters, 1).unwrap(), entries * 10)
    }

    fn fill(shard: &mut Shard<ByValue>, keys: Range<u64>, priority: u8) {
        for key in keys {
            assert_eq!(shard.set_valued(key, 10, priority), Stored::Kept);
        }
    }

    fn highs(shard: &Shard<ByValue>) -> usize {
        shard.keys().filter(|&key| key >= HIGHS).count()
    }

    #[test]
    fn of_entries_equally_recent_the_low_valued_goes_first() {
        let mut shard = shard(5, 60);
        for key in 0..20 {
            shard.set_valued(HIGHS + key, 10, HIGH);
            shard.set_valued(key, 10, LOW);
            shard.set_valued(100 + key, 10, LOW + 1);
        }
        shard.set_valued(HIGHS + 20, 30, HIGH);
        assert_eq!(shard.evicted(), [0, 1, 2]);
        // A read does not lift it above what is worth more.
        shard.get(3);
        shard.set_valued(HIGHS + 21, 20, HIGH);
        assert_eq!(shard.evicted()[3..], [4, 5]);
    }

    #[test]
    fn a_flood_of_low_valued_entries_pushes_out_no_high_valued_one() {
        for floor_percent in [0, 5] {
            let mut shard = shard(floor_percent, 100);
            fill(&mut shard, HIGHS..HIGHS + 90, HIGH);
            for key in 0..10_000 {
                shard.set_valued(key, 10, LOW);
                shard.get(key);
            }
            assert_eq!(highs(&shard), 90);
            // The newest of the flood is here all the same.
            assert!(shard.holds(9_999));
        }
    }

    #[test]
    fn high_valued_entries_leave_the_low_valued_a_floor() {
        let mut shard = shard(5, 100);
        fill(&mut shard, HIGHS..HIGHS + 1000, HIGH);
        assert_eq!(highs(&shard), 100);
        // Five low-valued ones that are in use find room, and keep it under a flood of high ones.
        fill(&mut shard, 0..5, LOW);
        for key in 1000..2000 {
            shard.set_valued(HIGHS + key, 10, HIGH);
            assert!((0..5).all(|key| shard.get(key)));
        }
        // Once nobody reads them, they go.
        fill(&mut shard, HIGHS + 2000..HIGHS + 2200, HIGH);
        assert_eq!(highs(&shard), 100);
    }

    #[test]
    fn priorities_in_between_share_the_floor() {
        let mut shard = shard(10, 100);
        fill(&mut shard, HIGHS..HIGHS + 90, HIGH);
        for key in 0..1000 {
            shard.set_valued(2 * key, 10, LOW);
            shard.set_valued(2 * key + 1, 10, LOW + 1);
            assert!(shard.holds(2 * key) && shard.holds(2 * key + 1));
        }
        assert_eq!(highs(&shard), 90);
    }

    #[test]
    fn a_floor_of_nothing_is_strict_and_one_of_everything_is_recency_alone() {
        let mut strict = shard(0, 10);
        fill(&mut strict, HIGHS..HIGHS + 10, HIGH);
        assert_eq!(strict.set_valued(0, 10, LOW), Stored::Refused);
        assert_eq!((highs(&strict), strict.evicted().len()), (10, 0));
        let mut recency = shard(100, 10);
        fill(&mut recency, HIGHS..HIGHS + 10, HIGH);
        fill(&mut recency, 0..10, LOW);
        assert_eq!(highs(&recency), 0);
    }

    #[test]
    fn a_changed_priority_counts_from_then_on() {
        let mut shard = shard(0, 2);
        shard.set_valued(0, 10, HIGH);
        shard.set_valued(1, 10, LOW);
        shard.set_valued(0, 10, LOW - 1);
        shard.set_valued(2, 10, LOW);
        assert_eq!(shard.evicted(), [0]);
    }

    #[test]
    fn it_keeps_to_the_contract() {
        testing::check_eviction::<ByValue>();
        for floor_percent in [0, 100] {
            testing::check_eviction_with(|seed| {
                let parameters = Parameters {
                    floor_percent,
                    ..Parameters::default()
                };
                ByValue::new(parameters, seed).unwrap()
            });
        }
    }
}
