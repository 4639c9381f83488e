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
        self.expiries.insert(slot, when);
        self.wheel.insert(slot, when);
    }

    /// Takes `steps_max` steps at most. Returns what was due, and whether the wheel came to rest.
    fn advance(&mut self, now: Millis, steps_max: usize) -> (Vec<u32>, bool) {
        let mut due = Vec::new();
        for _ in 0..steps_max {
            match self.wheel.step(now) {
                Step::Due(slots) => {
                    let first = slots.start;
                    let there = self
                        .expiries
                        .range(slots)
                        .map(|(&slot, &when)| (slot, when));
                    let (gone, left): (Vec<_>, Vec<_>) = there.partition(|&(_, when)| when <= now);
                    due.extend(gone.iter().map(|&(slot, _)| slot));
                    if let Some(earliest) = left.iter().map(|&(_, when)| when).min() {
                        self.wheel.insert(first, earliest);
                    }
                }
                Step::Moved => {}
                Step::Idle => return (self.forget(due), true),
            }
        }
        (self.forget(due), false)
    }

    fn forget(&mut self, due: Vec<u32>) -> Vec<u32> {
        due.iter().for_each(|slot| {
            self.expiries.remove(slot);
        });
        due
    }
}

#[test]
fn hands_out_exactly_what_is_due_over_all_levels() {
    let start = 1_700_000_000_000;
    for apart in [1, GROUP] {
        let mut clocked = Clocked::new(start);
        let delays: Vec<u64> = (0..40).map(|bit| 1u64 << bit).collect();
        for (number, delay) in delays.iter().enumerate() {
            clocked.set(number as u32 * apart, start + delay);
        }
        for (number, delay) in delays.iter().enumerate() {
            assert_eq!(clocked.advance(start + delay - 1, 1000), (vec![], true));
            let due = vec![number as u32 * apart];
            assert_eq!(clocked.advance(start + delay, 1000), (due, true));
        }
        assert!(clocked.wheel.occupied.iter().all(|&bits| bits == 0));
    }
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
                clocked.expiries.remove(&(random(3000) as u32));
            }
            _ => {
                let bits = random(16);
                now += random(1 << bits);
                let steps_max = 1 + random(50) as usize;
                while !clocked.advance(now, steps_max).1 {}
                let late = clocked.expiries.iter().find(|&(_, &when)| when <= now);
                assert_eq!(late, None, "at {now}");
            }
        }
    }
}

#[test]
fn work_is_bounded_and_overdue_slots_come_next() {
    let mut clocked = Clocked::new(1000);
    (0..100 * GROUP).for_each(|slot| clocked.set(slot, 1001));
    clocked.set(100 * GROUP, 3);
    let (due, rest) = clocked.advance(1001, 30);
    assert_eq!((due.len() as u32 / GROUP, rest), (29, false));
    assert!(due.contains(&(100 * GROUP)));
    assert!(clocked.advance(1001, 1000).1);
    assert!(clocked.expiries.is_empty());
}

#[test]
fn a_clock_that_goes_back_stalls_nothing() {
    let mut clocked = Clocked::new(1_000_000);
    clocked.set(0, 900_000);
    assert_eq!(clocked.advance(900_001, 1000), (vec![], true));
    assert_eq!(clocked.advance(1_000_000, 1000), (vec![0], true));
}

#[test]
fn an_entry_with_an_expiry_costs_about_a_byte() {
    let mut wheel = Wheel::new(0);
    let empty = wheel.memory_bytes();
    (0..100_000).for_each(|slot| wheel.insert(slot, 1000 + u64::from(slot)));
    assert!(wheel.memory_bytes() - empty < 120_000);
}

#[test]
fn groups_are_found_around_the_end_while_they_are_in() {
    let mut wheel = Wheel::new(1);
    assert_eq!(wheel.group_from(0), None);
    for slot in [5, 20 * GROUP, 5000 * GROUP + 3] {
        wheel.insert(slot, 100);
    }
    let group = |number: u32| Some(number * GROUP..(number + 1) * GROUP);
    for (from, number) in [
        (0, 0),
        (GROUP, 20),
        (21 * GROUP, 5000),
        (5001 * GROUP, 0),
        (u32::MAX, 0),
    ] {
        assert_eq!(wheel.group_from(from), group(number), "{from}");
    }
    wheel.forget_group(7);
    assert_eq!(wheel.group_from(u32::MAX), group(20));
    while wheel.step(100) != Step::Idle {}
    assert_eq!(wheel.group_from(0), None);
    wheel.insert(7, 200);
    assert_eq!(wheel.group_from(9000), group(0));
}
