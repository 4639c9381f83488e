//! The port to what decides over eviction.
//!
//! One [`Evictor`] serves one shard of one tenant. It is told what happens there in batches, in
//! order, and asked for victims; it runs under its own lock, never under the shard's.

use std::sync::Arc;

use larder_sdk::{Event, Eviction, Request, Slot, Victims};

/// Chooses the victims of one shard.
pub trait Evictor: Send {
    /// Takes events in the order in which they happened.
    fn deliver(&mut self, events: &[Event]);

    /// Appends to `out` the slots that are to go so that `request.bytes` are freed. What it names
    /// is checked before anything is evicted; too few, and the fallback chooses the rest.
    fn victims(&mut self, request: &Request, out: &mut Vec<Slot>);

    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize;

    /// Whether misses are to be delivered.
    fn wants_misses(&self) -> bool;

    /// Whether it is so quick that whoever fills the event buffer may deliver it on the spot, and
    /// whoever needs room may wait for it: some microseconds a batch. Otherwise only maintenance
    /// and those who need room run it.
    fn is_prompt(&self) -> bool;
}

/// Makes evictors of one kind.
pub trait EvictorFactory: Send + Sync {
    /// The name it goes by in configuration and figures.
    fn name(&self) -> &str;

    /// An evictor for one shard. The same seed and events give the same victims.
    fn build(&self, seed: u64) -> Box<dyn Evictor>;
}

/// Runs a policy of this process behind the port.
struct Native<E>(E);

impl<E: Eviction + Send> Evictor for Native<E> {
    fn deliver(&mut self, events: &[Event]) {
        for event in events {
            self.0.event(event);
        }
    }

    fn victims(&mut self, request: &Request, out: &mut Vec<Slot>) {
        self.0
            .victims(request, &mut Victims::new(request.bytes, out));
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    fn wants_misses(&self) -> bool {
        E::WANTS_MISSES
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
    F: Fn() -> E + Send + Sync,
{
    fn name(&self) -> &str {
        self.name
    }

    fn build(&self, _seed: u64) -> Box<dyn Evictor> {
        Box::new(Native((self.make)()))
    }
}

/// A factory for a policy that is compiled into this process.
pub fn native<E: Eviction + Send + 'static>(
    name: &'static str,
    make: impl Fn() -> E + Send + Sync + 'static,
) -> Arc<dyn EvictorFactory> {
    Arc::new(NativeFactory { name, make })
}
