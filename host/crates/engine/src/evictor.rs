//! The port to what decides over eviction.
//!
//! One [`Evictor`] serves one shard of one tenant. It is told what happens there in batches, in
//! order, and asked for victims; it runs under its own lock, never under the shard's.

use std::fmt;
use std::sync::Arc;

use larder_sdk::{Event, Eviction, Foretold, Request, Slot, Victims};

/// Why an evictor cannot go on. Nothing is asked of it any more; the fallback stands in until
/// another one is installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(
    /// What happened, for people.
    pub String,
);

/// How an answer broke the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongAnswer {
    /// The slot's entry was gone, and the evictor had been told.
    Dead(Slot),
    /// The shard never had such a slot.
    Foreign(Slot),
    /// The slot was named twice.
    Duplicate(Slot),
    /// The victims freed less than was wanted, though there were more entries.
    TooFew {
        /// Bytes that they freed.
        freed_bytes: u64,
        /// Bytes that were wanted.
        wanted_bytes: u64,
    },
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead(slot) => write!(f, "victim {slot} is gone, as it was told"),
            Self::Foreign(slot) => write!(f, "victim {slot} is no slot of this shard"),
            Self::Duplicate(slot) => write!(f, "victim {slot} is named twice"),
            Self::TooFew {
                freed_bytes,
                wanted_bytes,
            } => write!(
                f,
                "the victims free {freed_bytes} bytes of {wanted_bytes}, and there were more entries"
            ),
        }
    }
}

/// Chooses the victims of one shard.
pub trait Evictor: Send {
    /// Takes events in the order in which they happened.
    ///
    /// # Errors
    /// When it failed; it is not asked again.
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit>;

    /// Appends to `out` the slots that are to go so that `request.bytes` are freed, or
    /// [`larder_sdk::NEWCOMER`] alone where the newcomer is not worth the room. What it names is
    /// checked before anything is evicted; too few, and the fallback chooses the rest. `foretold`: how soon some entries will
    /// be asked for again, where it [wants](Self::wants_reuse) to know and there is somebody who can tell.
    ///
    /// # Errors
    /// When it failed; it is not asked again.
    fn victims(
        &mut self,
        request: &Request,
        foretold: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit>;

    /// Is told that its last answer broke the rules; it is not asked again.
    fn reproach(&mut self, wrong: WrongAnswer);

    /// How often an entry was read of late, as far as it counts that. `slot` may be any.
    fn reads(&self, slot: Slot) -> u32 {
        let _ = slot;
        0
    }

    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize;

    /// Whether misses are to be delivered.
    fn wants_misses(&self) -> bool;

    /// Whether it is to be told how soon entries will be asked for again.
    fn wants_reuse(&self) -> bool {
        false
    }

    /// Whether it is so quick that whoever fills the event buffer may deliver it on the spot, and
    /// whoever needs room may wait for it: some microseconds a batch. Otherwise reads leave delivery
    /// to maintenance, and whoever needs room while it is busy takes the fallback.
    fn is_prompt(&self) -> bool;
}

/// Makes evictors of one kind.
pub trait EvictorFactory: Send + Sync {
    /// The name it goes by in configuration and figures.
    fn name(&self) -> &str;

    /// An evictor for one shard, whose share of the memory is `share_bytes`, the evictor's own
    /// included. The same seed and events give the same victims.
    ///
    /// # Errors
    /// When it cannot be made, with the reason.
    fn build(&self, seed: u64, share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit>;
}

/// Runs a policy of this process behind the port.
struct Native<E>(E);

impl<E: Eviction + Send> Evictor for Native<E> {
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit> {
        for event in events {
            self.0.event(event);
        }
        Ok(())
    }

    fn victims(
        &mut self,
        request: &Request,
        foretold: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        let mut victims = Victims::new(request.bytes, out).with_foretold(foretold);
        self.0.victims(request, &mut victims);
        Ok(())
    }

    fn reproach(&mut self, wrong: WrongAnswer) {
        debug_assert!(false, "a policy of this process: {wrong}");
    }

    fn reads(&self, slot: Slot) -> u32 {
        self.0.reads(slot)
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    fn wants_misses(&self) -> bool {
        E::WANTS_MISSES
    }

    fn wants_reuse(&self) -> bool {
        E::WANTS_REUSE
    }

    fn is_prompt(&self) -> bool {
        true
    }
}

struct NativeFactory<F> {
    name: &'static str,
    make: F,
}

impl<E, F> EvictorFactory for NativeFactory<F>
where
    E: Eviction + Send + 'static,
    F: Fn(u64) -> Result<E, Unfit> + Send + Sync,
{
    fn name(&self) -> &str {
        self.name
    }

    fn build(&self, seed: u64, _share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        (self.make)(seed).map(ported)
    }
}

/// A policy of this process behind the port.
pub fn ported<E: Eviction + Send + 'static>(policy: E) -> Box<dyn Evictor> {
    Box::new(Native(policy))
}

/// A factory for a policy that is compiled into this process.
pub fn native<E: Eviction + Send + 'static>(
    name: &'static str,
    make: impl Fn() -> E + Send + Sync + 'static,
) -> Arc<dyn EvictorFactory> {
    native_seeded(name, move |_| Ok(make()))
}

/// As [`native`], of a policy that takes the seed of its shard, or may not be made at all.
pub fn native_seeded<E: Eviction + Send + 'static>(
    name: &'static str,
    make: impl Fn(u64) -> Result<E, Unfit> + Send + Sync + 'static,
) -> Arc<dyn EvictorFactory> {
    Arc::new(NativeFactory { name, make })
}
