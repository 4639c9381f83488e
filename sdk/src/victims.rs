//! The answer to a request for room, while it is made.

use larder_abi::{Foretold, NEWCOMER, VICTIMS_MAX};

use crate::Slot;

/// Collects the victims that a policy names.
#[derive(Debug)]
pub struct Victims<'a> {
    wanted_bytes: u64,
    named_bytes: u64,
    /// Where this answer begins in `out`.
    start: usize,
    refused: bool,
    foretold: &'a [Foretold],
    out: &'a mut Vec<Slot>,
}

impl<'a> Victims<'a> {
    /// An empty collection that has enough once `wanted_bytes` are named; appends to `out`.
    pub fn new(wanted_bytes: u64, out: &'a mut Vec<Slot>) -> Self {
        Self {
            wanted_bytes,
            named_bytes: 0,
            start: out.len(),
            refused: false,
            foretold: &[],
            out,
        }
    }

    /// With what is foretold of some entries.
    #[must_use]
    pub fn with_foretold(self, foretold: &'a [Foretold]) -> Self {
        Self { foretold, ..self }
    }

    /// How soon some entries will be asked for again, for a policy that
    /// [wants](crate::Eviction::WANTS_REUSE) to know: residents drawn at random, some for each that has to go,
    /// [`FORETOLD_MAX`](crate::FORETOLD_MAX) at most, in no order; one may be there twice. None where the host's model has
    /// learnt nothing yet, or the host has none.
    pub fn foretold(&self) -> &'a [Foretold] {
        self.foretold
    }

    /// Names a victim and the bytes it frees. Each slot at most once a request. Nothing is added to
    /// what is [`enough`](Self::enough) already.
    pub fn name(&mut self, slot: Slot, size: u32) {
        if !self.enough() {
            self.named_bytes += u64::from(size);
            self.out.push(slot);
        }
    }

    /// Says instead that the newcomer is not worth the room: nothing goes for it, and it is not
    /// kept. Only where [`newcomer`](crate::Request::newcomer) is there.
    pub fn refuse_newcomer(&mut self) {
        self.out.truncate(self.start);
        self.out.push(NEWCOMER);
        self.refused = true;
    }

    /// Whether the answer is complete: what was named frees what was asked for, or is as much as one
    /// answer holds ([`VICTIMS_MAX`]; the host asks again), or the newcomer was refused.
    pub fn enough(&self) -> bool {
        self.named_bytes >= self.wanted_bytes
            || self.out.len() - self.start >= VICTIMS_MAX
            || self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_when_it_frees_enough_or_is_full() {
        let mut out = vec![99];
        let mut victims = Victims::new(25, &mut out);
        for slot in 0..5 {
            victims.name(slot, 10);
        }
        assert!(victims.enough());
        assert_eq!(out, [99, 0, 1, 2]);
        let mut victims = Victims::new(u64::MAX, &mut out);
        (0..10_000).for_each(|slot| victims.name(slot, 10));
        assert_eq!(out.len(), 4 + VICTIMS_MAX);
    }

    #[test]
    fn a_refusal_stands_alone() {
        let mut out = vec![99];
        let mut victims = Victims::new(25, &mut out);
        victims.name(1, 10);
        victims.refuse_newcomer();
        assert!(victims.enough());
        victims.name(2, 10);
        assert_eq!(out, [99, NEWCOMER]);
    }
}
