//! The checks find what they are there for.

use super::*;
use crate::{Entry, Removal, Request, Slot, Victims};

/// Keeps entries in order of arrival and then answers as it is told to.
struct Faulty {
    entries: Vec<(Slot, u32)>,
    answer: Answer,
}

type Answer = fn(&[(Slot, u32)], &Request, &mut Victims<'_>);

impl Policy for Faulty {
    type Parameters = ();

    fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
        Err("it wants an answer".into())
    }
}

impl Eviction for Faulty {
    fn insert(&mut self, slot: Slot, entry: Entry) {
        self.entries.push((slot, entry.size));
    }

    fn update(&mut self, slot: Slot, entry: Entry) {
        let held = self.entries.iter_mut().find(|(held, _)| *held == slot);
        held.expect("only residents are updated").1 = entry.size;
    }

    fn remove(&mut self, slot: Slot, _hash: u32, _why: Removal) {
        self.entries.retain(|(held, _)| *held != slot);
    }

    fn victims(&mut self, request: &Request, victims: &mut Victims<'_>) {
        (self.answer)(&self.entries, request, victims);
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

fn check(answer: Answer) {
    check_eviction_with(|_| Faulty {
        entries: Vec::new(),
        answer,
    });
}

#[test]
fn what_is_right_passes() {
    check(|entries, _, victims| {
        for &(slot, size) in entries {
            victims.name(slot, size);
        }
    });
}

#[test]
fn a_refusal_passes_where_somebody_comes() {
    check(|entries, request, victims| match request.newcomer {
        Some(newcomer) if newcomer.hash.is_multiple_of(3) => victims.refuse_newcomer(),
        _ => entries
            .iter()
            .for_each(|&(slot, size)| victims.name(slot, size)),
    });
}

#[test]
#[should_panic(expected = "nobody comes")]
fn a_refusal_of_nobody_is_found() {
    check(|_, _, victims| victims.refuse_newcomer());
}

#[test]
#[should_panic(expected = "holds nothing")]
fn a_dead_victim_is_found() {
    check(|_, request, victims| victims.name(7_000_000, request.bytes as u32));
}

#[test]
#[should_panic(expected = "is named twice")]
fn a_victim_named_twice_is_found() {
    check(|entries, _, victims| {
        for &(slot, size) in entries {
            victims.name(slot, size / 2);
            victims.name(slot, size / 2);
        }
    });
}

#[test]
#[should_panic(expected = "and there are")]
fn too_few_bytes_are_found() {
    check(|entries, _, victims| {
        entries
            .iter()
            .for_each(|&(slot, _)| victims.name(slot, u32::MAX));
    });
}

#[test]
#[should_panic(expected = "other victims")]
fn what_differs_from_run_to_run_is_found() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    check(|entries, _, victims| {
        let turn = CALLS.fetch_add(1, Ordering::Relaxed);
        for i in 0..entries.len() {
            let (slot, size) = entries[(i + turn) % entries.len()];
            victims.name(slot, size);
        }
    });
}

#[test]
#[should_panic(expected = "default parameters are refused: it wants an answer")]
fn refused_defaults_are_told() {
    check_eviction::<Faulty>();
}
