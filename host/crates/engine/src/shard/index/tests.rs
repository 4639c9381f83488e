use super::*;
use std::collections::HashMap;

fn hash(n: u32) -> u64 {
    let mixed = (u64::from(n) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ mixed.rotate_left(31)
}

#[test]
fn lanes_match_exactly() {
    let mut tags = [0x80; LANES];
    tags[0] = 1;
    tags[7] = 1;
    tags[8] = 0;
    tags[11] = 1;
    let lanes = |mut bits: u128| {
        let mut lanes = Vec::new();
        while bits != 0 {
            lanes.push(bits.trailing_zeros() / 8);
            bits &= bits - 1;
        }
        lanes
    };
    assert_eq!(lanes(matching(&tags, 1)), [0, 7, 11]);
    assert_eq!(lanes(matching(&tags, 2)), []);
    assert_eq!(
        lanes(matching(&[255; LANES], 255)),
        (0..12).collect::<Vec<_>>()
    );
}

#[test]
fn finds_what_was_put_through_growth_and_shrinking() {
    let mut index = Index::new(1 << 20);
    let mut model = HashMap::new();
    let mut seed = 1u32;
    for step in 0..200_000u32 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let slot = seed >> 8 & 0xFFFF;
        let grows = (step / 40_000) % 2 == 0;
        if model.contains_key(&slot) && !(grows && seed >> 28 != 0) {
            index.remove(hash(slot), slot, hash);
            model.remove(&slot);
        } else if !model.contains_key(&slot) && (grows || seed >> 28 == 0) {
            index.insert(hash(slot), slot, hash);
            model.insert(slot, ());
        }
    }
    for slot in 0..=0xFFFF {
        let found = index.find(hash(slot), |found| found == slot);
        assert_eq!(found.is_some(), model.contains_key(&slot), "slot {slot}");
    }
    let chunks: usize = index.tables.iter().map(|table| table.chunks.len()).sum();
    assert_eq!(chunks, index.chunks);
    for slot in std::mem::take(&mut model).into_keys() {
        index.remove(hash(slot), slot, hash);
    }
    assert!(
        index
            .tables
            .iter()
            .all(|table| table.chunks.iter().all(|chunk| chunk.passed == 0))
    );
    assert!(index.chunks <= index.tables.len());
}

#[test]
fn an_entry_costs_about_seven_bytes_and_probes_end_early() {
    let mut index = Index::new(64 << 20);
    let (mut bytes, mut samples) = (0.0, 0.0);
    for slot in 0..400_000 {
        index.insert(hash(slot), slot, hash);
        if slot >= 200_000 && slot % 1000 == 0 {
            bytes += index.memory_bytes() as f64 / f64::from(slot);
            samples += 1.0;
        }
    }
    let mean = bytes / samples;
    assert!(mean < 7.4, "{mean} bytes an entry");
    let mut looks = 0;
    for slot in 400_000..500_000 {
        index.find(hash(slot), |_| {
            looks += 1;
            false
        });
    }
    assert!(looks < 10_000, "{looks} wrong candidates in 100,000 misses");
}

#[test]
fn sizes_follow_the_allocators_classes() {
    let sizes: Vec<_> = std::iter::successors(Some(1), |&n| Some(larger(n)))
        .take(16)
        .collect();
    assert_eq!(
        sizes,
        [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32]
    );
}
