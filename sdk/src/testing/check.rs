//! Long sequences of whatever may happen to an eviction policy.

use super::Shard;
use crate::random::Random;
use crate::{Eviction, Policy};

/// Operations a sequence.
const OPERATIONS: u32 = 6000;
const SEEDS: u64 = 3;

/// A capacity in bytes, and the keys and largest sizes that meet it.
struct Shape {
    capacity_bytes: u64,
    keys: u32,
    size_max: u32,
}

const SHAPES: [Shape; 6] = [
    Shape::of(0, 3, 5),
    Shape::of(10, 4, 12),
    Shape::of(100, 30, 20),
    Shape::of(1000, 500, 1500),
    Shape::of(100_000, 4000, 100),
    Shape::of(u64::MAX, 200, u32::MAX),
];

impl Shape {
    const fn of(capacity_bytes: u64, keys: u32, size_max: u32) -> Self {
        Self {
            capacity_bytes,
            keys,
            size_max,
        }
    }
}

/// Drives policies with default parameters through long sequences of reads, writes, deletions,
/// expiries and changes of capacity, with everything that the contract allows a host to do:
/// capacities of nothing and of nearly everything, entries larger than them, entries that grow and
/// change their priority, hits that are dropped, victims that are not evicted and evictions that
/// nobody named.
///
/// # Panics
/// Where the policy cannot be made, gives an answer that a server would not accept
/// ([`Shard`]), or other victims for the same sequence and seed.
pub fn check_eviction<P: Eviction>() {
    check_eviction_with(|seed| {
        P::new(<P as Policy>::Parameters::default(), seed)
            .unwrap_or_else(|why| panic!("default parameters are refused: {why}"))
    });
}

/// [`check_eviction`] with policies that `make` makes from a seed.
///
/// # Panics
/// As that.
pub fn check_eviction_with<P: Eviction>(make: impl Fn(u64) -> P) {
    for shape in &SHAPES {
        for seed in 0..SEEDS {
            for careless in [false, true] {
                let run = || {
                    let shard = Shard::new(make(seed), shape.capacity_bytes);
                    match careless {
                        true => drive(shard.careless(seed), shape, seed),
                        false => drive(shard, shape, seed),
                    }
                };
                assert_eq!(
                    run(),
                    run(),
                    "the same sequence and seed give other victims"
                );
            }
        }
    }
}

/// Returns the keys evicted.
fn drive<P: Eviction>(mut shard: Shard<P>, shape: &Shape, seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed.wrapping_add(1 << 32));
    for _ in 0..OPERATIONS {
        let key = u64::from(random.below(shape.keys).min(random.below(shape.keys)));
        let size = random.below(shape.size_max).saturating_add(1);
        match random.below(100) {
            0..50 => {
                if !shard.get(key) {
                    shard.set(key, size);
                }
            }
            50..85 => {
                shard.set_valued(key, size, random.next_u32() as u8);
            }
            85..92 => {
                shard.delete(key);
            }
            92..98 => {
                shard.expire(key);
            }
            _ => {
                let part = u64::from(random.below(5));
                shard.set_capacity(shape.capacity_bytes / 4 * part);
            }
        }
        if random.chance(1, 20) {
            shard.set_capacity(shape.capacity_bytes);
        }
    }
    shard.set_capacity(0);
    assert_eq!(shard.used_bytes(), 0, "everything can be asked for");
    shard.evicted().to_vec()
}

#[cfg(test)]
mod tests;
