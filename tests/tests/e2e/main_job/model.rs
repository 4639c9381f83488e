//! S3-FIFO as its paper describes it (Yang et al., SOSP 2023), and LRU, in lists that are exact: to
//! be compared with, not to be fast.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// A cache for entries of one size.
pub(super) trait Model {
    /// Asks for an object, and stores it if it is not there. Whether it was.
    fn request(&mut self, id: u64) -> bool;
}

/// Which of so many shards an object belongs to: they are spread evenly.
fn shard_of(id: u64, shards: usize) -> usize {
    (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % shards
}

pub(super) struct Lru {
    shards: Vec<Recency>,
}

struct Recency {
    capacity: usize,
    now: u64,
    used: HashMap<u64, u64>,
    by_use: BTreeMap<u64, u64>,
}

impl Lru {
    /// A cache for `capacity` entries.
    pub(super) fn new(shards: usize, capacity: usize) -> Self {
        let shard = |_| Recency {
            capacity: capacity / shards,
            now: 0,
            used: HashMap::new(),
            by_use: BTreeMap::new(),
        };
        Self {
            shards: (0..shards).map(shard).collect(),
        }
    }
}

impl Model for Lru {
    fn request(&mut self, id: u64) -> bool {
        let shard = shard_of(id, self.shards.len());
        let Recency {
            capacity,
            now,
            used,
            by_use,
        } = &mut self.shards[shard];
        *now += 1;
        by_use.insert(*now, id);
        if let Some(before) = used.insert(id, *now) {
            by_use.remove(&before);
            return true;
        }
        if used.len() > *capacity
            && let Some((_, oldest)) = by_use.pop_first()
        {
            used.remove(&oldest);
        }
        false
    }
}

pub(super) struct S3Fifo {
    shards: Vec<Shard>,
}

struct Shard {
    capacity: usize,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    /// How often each resident was read since it came, or since its last round: 3 at most.
    reads: HashMap<u64, u8>,
    /// Who left the small queue, the latest first, each with the number of its leaving.
    ghost: VecDeque<(u64, usize)>,
    /// The last leaving of those who are remembered.
    left: HashMap<u64, usize>,
    leavings: usize,
}

impl S3Fifo {
    /// A cache for `capacity` entries.
    pub(super) fn new(shards: usize, capacity: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::new(capacity / shards)).collect(),
        }
    }
}

impl Model for S3Fifo {
    fn request(&mut self, id: u64) -> bool {
        let shard = shard_of(id, self.shards.len());
        self.shards[shard].request(id)
    }
}

impl Shard {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            small: VecDeque::new(),
            main: VecDeque::new(),
            reads: HashMap::new(),
            ghost: VecDeque::new(),
            left: HashMap::new(),
            leavings: 0,
        }
    }

    fn request(&mut self, id: u64) -> bool {
        if let Some(reads) = self.reads.get_mut(&id) {
            *reads = (*reads + 1).min(3);
            return true;
        }
        while self.reads.len() >= self.capacity {
            self.evict();
        }
        match self.left.remove(&id) {
            Some(_) => self.main.push_front(id),
            None => self.small.push_front(id),
        }
        self.reads.insert(id, 0);
        false
    }

    /// The small queue holds a tenth.
    fn evict(&mut self) {
        if self.small.len() >= self.capacity / 10 || self.main.is_empty() {
            self.turn_small();
        } else {
            self.turn_main();
        }
    }

    /// The oldest of the small queue moves on if it was read twice, and leaves if not.
    fn turn_small(&mut self) {
        let Some(id) = self.small.pop_back() else {
            return;
        };
        if self.reads.get(&id).is_some_and(|reads| *reads >= 2) {
            self.reads.insert(id, 0);
            self.main.push_front(id);
        } else {
            self.reads.remove(&id);
            self.remember(id);
        }
    }

    /// The oldest of the main queue has a round more for each read.
    fn turn_main(&mut self) {
        let Some(id) = self.main.pop_back() else {
            return;
        };
        match self.reads.get_mut(&id) {
            Some(reads @ 1..) => {
                *reads -= 1;
                self.main.push_front(id);
            }
            _ => drop(self.reads.remove(&id)),
        }
    }

    /// The ghost queue remembers nine tenths as many as are resident.
    fn remember(&mut self, id: u64) {
        self.leavings += 1;
        self.ghost.push_front((id, self.leavings));
        self.left.insert(id, self.leavings);
        while self.ghost.len() > self.capacity * 9 / 10 {
            let Some((id, leaving)) = self.ghost.pop_back() else {
                return;
            };
            if self.left.get(&id) == Some(&leaving) {
                self.left.remove(&id);
            }
        }
    }
}

/// The traces come with what an independent simulator has found on them.
#[test]
fn the_model_is_the_policy_of_the_paper() {
    let Some(folder) = super::trace::folder() else {
        e2e::harness::announce("SKIPPED model against reference.tsv: LARDER_TRACES is not set");
        return;
    };
    let reference = std::fs::read_to_string(folder.join("reference.tsv")).unwrap();
    let row = reference
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .find(|row| row[0] == "scarab_recs" && row[2] == "S3FIFO" && row[3] == "0.1")
        .expect("the reference has the policy");
    let (capacity, miss_ratio): (usize, f64) = (row[4].parse().unwrap(), row[6].parse().unwrap());
    let trace = super::trace::Trace::recorded(&folder);
    let mut model = S3Fifo::new(1, capacity);
    let misses = trace.ids.iter().filter(|id| !model.request(**id)).count();
    let found = misses as f64 / trace.ids.len() as f64;
    assert!(
        (found - miss_ratio).abs() < 0.002,
        "{found}, the reference has {miss_ratio}"
    );
}
