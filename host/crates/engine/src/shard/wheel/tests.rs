use super::*;
use std::collections::BTreeMap;

struct Clocked {
    wheel: Wheel,
    expiries: BTreeMap<u32, Millis>,
}

impl Clocked {
    fn new(now: Millis) -> Self {
        Self {
            wheel: Wheel::new(now),
            expiries: BTreeMap::new(),
        }
    }

    fn set(&mut self, slot: u32, when: Millis) {
        self.wheel.remove(slot);
        self.expiries.insert(slot, when);
        self.wheel.insert(slot, when);
    }

    fn advance(&mut self, now: Millis, looks_max: usize) -> (Vec<u32>, Advance) {
        let mut due = Vec::new();
        let how = self
            .wheel
            .advance(now, looks_max, |slot| self.expiries[&slot], &mut due);
        due.iter()
            .for_each(|slot| assert!(self.expiries.remove(slot).unwrap() <= now));
        due.sort_unstable();
        (due, how)
    }
}

#[test]
fn hands_out_exactly_what_is_due_over_all_levels() {
    let start = 1_700_000_000_000;
    let mut clocked = Clocked::new(start);
    let delays: Vec<u64> = (0..40).map(|bit| 1u64 << bit).collect();
    for (slot, delay) in delays.iter().enumerate() {
        clocked.set(slot as u32, start + delay);
    }
    for (slot, delay) in delays.iter().enumerate() {
        assert_eq!(clocked.advance(start + delay - 1, 1000).0, [] as [u32; 0]);
        assert_eq!(clocked.advance(start + delay, 1000).0, [slot as u32]);
    }
    assert!(clocked.wheel.occupied.iter().all(|&bits| bits == 0));
}

#[test]
fn agrees_with_a_sorted_map_whatever_is_done() {
    let mut seed = 42u64;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut now = 5_000;
    let mut clocked = Clocked::new(now);
    for _ in 0..20_000 {
        match random(4) {
            0 | 1 => {
                let when = now + (1 << random(22)) + random(100);
                clocked.set(random(3000) as u32, when);
            }
            2 => {
                let slot = random(3000) as u32;
                clocked.wheel.remove(slot);
                clocked.expiries.remove(&slot);
            }
            _ => {
                let bits = random(16);
                now += random(1 << bits);
                let looks_max = 1 + random(50) as usize;
                while clocked.advance(now, looks_max).1 == Advance::More {}
                let late = clocked.expiries.iter().find(|&(_, &when)| when <= now);
                assert_eq!(late, None, "at {now}");
            }
        }
    }
}

#[test]
fn work_is_bounded_and_overdue_slots_come_next() {
    let mut clocked = Clocked::new(1000);
    (0..100).for_each(|slot| clocked.set(slot, 1001));
    clocked.set(100, 3);
    let (due, how) = clocked.advance(1001, 30);
    assert_eq!((due.len(), how), (30, Advance::More));
    let (due, how) = clocked.advance(1001, 1000);
    assert_eq!((due.len(), how), (71, Advance::Done));
}

#[test]
fn a_clock_that_goes_back_stalls_nothing() {
    let mut clocked = Clocked::new(1_000_000);
    clocked.set(0, 900_000);
    assert_eq!(clocked.advance(900_001, 1000), (vec![], Advance::Done));
    assert_eq!(clocked.advance(1_000_000, 1000).0, [0]);
}
