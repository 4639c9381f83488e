//! The port to what knows how soon entries will be asked for again, for evictors that want to be told.

use std::fmt;
use std::sync::Arc;

use larder_sdk::{Event, FORETOLD_MAX, Foretold, Request, Slot};

use crate::evictor::{Evictor, Unfit, WrongAnswer};

/// Follows the entries of one shard.
pub trait Reuse: Send {
    /// Takes events in the order in which they happened.
    fn note(&mut self, events: &[Event]);

    /// Appends to `out` how soon some entries will be asked for again, [`FORETOLD_MAX`] of them at most: as many as it takes to
    /// choose who is to go for `request`. None where it knows nothing yet.
    fn foretell(&mut self, request: &Request, out: &mut Vec<Foretold>);

    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize;
}

/// Makes one for each shard of a tenant.
pub trait ReuseFactory: Send + Sync {
    /// Of a shard that is empty so far. The same seed, events and requests foretell the same.
    fn build(&self, seed: u64) -> Box<dyn Reuse>;
}

impl fmt::Debug for dyn ReuseFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuseFactory")
    }
}

/// An evictor for one shard that is told what it wants to know, where there is somebody who can tell.
pub fn foreseeing(
    evictor: Box<dyn Evictor>,
    reuse: Option<&Arc<dyn ReuseFactory>>,
    seed: u64,
) -> Box<dyn Evictor> {
    match reuse.filter(|_| evictor.wants_reuse()) {
        Some(reuse) => Box::new(Foreseeing {
            reuse: reuse.build(seed),
            foretold: Vec::with_capacity(FORETOLD_MAX),
            evictor,
        }),
        None => evictor,
    }
}

/// An evictor that is told.
struct Foreseeing {
    evictor: Box<dyn Evictor>,
    reuse: Box<dyn Reuse>,
    foretold: Vec<Foretold>,
}

impl Evictor for Foreseeing {
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit> {
        self.reuse.note(events);
        self.evictor.deliver(events)
    }

    fn victims(
        &mut self,
        request: &Request,
        _: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        self.foretold.clear();
        self.reuse.foretell(request, &mut self.foretold);
        self.evictor.victims(request, &self.foretold, out)
    }

    fn reproach(&mut self, wrong: WrongAnswer) {
        self.evictor.reproach(wrong);
    }

    fn reads(&self, slot: Slot) -> u32 {
        self.evictor.reads(slot)
    }

    fn memory_bytes(&self) -> usize {
        self.evictor.memory_bytes() + self.reuse.memory_bytes()
    }

    fn wants_misses(&self) -> bool {
        self.evictor.wants_misses()
    }

    fn is_prompt(&self) -> bool {
        self.evictor.is_prompt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evictor::native;
    use larder_sdk::{Entry, EventKind, Eviction, Policy, Removal, Victims};

    /// Names what is foretold.
    #[derive(Default)]
    struct Follows;

    impl Policy for Follows {
        type Parameters = ();

        fn new((): (), _: u64) -> Result<Self, String> {
            Ok(Self)
        }
    }

    impl Eviction for Follows {
        const WANTS_REUSE: bool = true;

        fn insert(&mut self, _: Slot, _: Entry) {}

        fn remove(&mut self, _: Slot, _: u32, _: Removal) {}

        fn victims(&mut self, _: &Request, victims: &mut Victims<'_>) {
            let foretold = victims.foretold();
            foretold.iter().for_each(|one| victims.name(one.slot, 1));
        }

        fn memory_bytes(&self) -> usize {
            10
        }
    }

    /// Foretells the slots that it was told of.
    struct Recalls(Vec<Slot>);

    impl Reuse for Recalls {
        fn note(&mut self, events: &[Event]) {
            self.0.extend(events.iter().map(|event| event.slot));
        }

        fn foretell(&mut self, _: &Request, out: &mut Vec<Foretold>) {
            let foretold = self.0.iter().map(|slot| Foretold {
                slot: *slot,
                reuse: 1,
            });
            out.extend(foretold);
        }

        fn memory_bytes(&self) -> usize {
            5
        }
    }

    struct Factory;

    impl ReuseFactory for Factory {
        fn build(&self, seed: u64) -> Box<dyn Reuse> {
            Box::new(Recalls(vec![seed as Slot]))
        }
    }

    #[test]
    fn who_wants_to_know_is_told_each_time_anew_and_nobody_else() {
        let factory: Arc<dyn ReuseFactory> = Arc::new(Factory);
        let follows = || native("follows", Follows::default).build(7, 100).unwrap();
        let mut told = foreseeing(follows(), Some(&factory), 7);
        let request = Request {
            bytes: 100,
            capacity_bytes: 100,
            newcomer: None,
        };
        told.deliver(&[Event::new(EventKind::Insert, 3, 0)])
            .unwrap();
        for _ in 0..2 {
            let mut named = Vec::new();
            told.victims(&request, &[], &mut named).unwrap();
            assert_eq!(named, [7, 3]);
        }
        assert_eq!(told.memory_bytes(), 15);
        let mut alone = foreseeing(follows(), None, 7);
        let mut named = Vec::new();
        alone.victims(&request, &[], &mut named).unwrap();
        assert_eq!((named, alone.memory_bytes()), (Vec::new(), 10));
        let lru = native("lru", larder_policy_lru::Lru::default);
        let lru = foreseeing(lru.build(7, 100).unwrap(), Some(&factory), 7);
        assert!(lru.memory_bytes() < 5, "nobody follows for it");
    }
}
