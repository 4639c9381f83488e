//! How a policy is told and asked.

use larder_engine::{Evictor, Unfit};
use larder_sdk::{Event, EventKind, Eviction, Request as RoomRequest, Slot, Victims};

/// Events that wait for one that is told in batches: as many as a policy in WebAssembly takes at once.
const BATCH: usize = 256;

/// A policy of one shard, whatever it runs in.
pub trait Driver: Send {
    /// Tells that an entry was read.
    ///
    /// # Errors
    /// When the policy failed; it is not asked again.
    fn hit(&mut self, slot: Slot, hash: u32) -> Result<(), Unfit>;

    /// Tells anything else.
    ///
    /// # Errors
    /// As [`Self::hit`].
    fn tell(&mut self, event: Event) -> Result<(), Unfit>;

    /// Appends to `out` who is to go.
    ///
    /// # Errors
    /// As [`Self::hit`].
    fn victims(&mut self, request: &RoomRequest, out: &mut Vec<Slot>) -> Result<(), Unfit>;

    /// Whether misses are to be told.
    fn wants_misses(&self) -> bool;

    /// Bytes that it holds.
    fn bytes(&self) -> u64;
}

/// A policy that is compiled in: called without a detour.
#[derive(Debug)]
pub struct Native<P>(pub P);

impl<P: Eviction + Send> Driver for Native<P> {
    #[inline]
    fn hit(&mut self, slot: Slot, hash: u32) -> Result<(), Unfit> {
        self.0.hit(slot, hash);
        Ok(())
    }

    #[inline]
    fn tell(&mut self, event: Event) -> Result<(), Unfit> {
        self.0.event(&event);
        Ok(())
    }

    #[inline]
    fn victims(&mut self, request: &RoomRequest, out: &mut Vec<Slot>) -> Result<(), Unfit> {
        self.0
            .victims(request, &mut Victims::new(request.bytes, out));
        Ok(())
    }

    fn wants_misses(&self) -> bool {
        P::WANTS_MISSES
    }

    fn bytes(&self) -> u64 {
        self.0.memory_bytes() as u64
    }
}

/// A policy behind the engine's port, as one in WebAssembly is: told in batches.
pub struct Ported {
    evictor: Box<dyn Evictor>,
    waiting: Vec<Event>,
}

impl Ported {
    /// Drives an evictor that knows nothing yet.
    pub fn new(evictor: Box<dyn Evictor>) -> Self {
        Self {
            evictor,
            waiting: Vec::with_capacity(BATCH),
        }
    }

    fn deliver(&mut self) -> Result<(), Unfit> {
        let told = self.evictor.deliver(&self.waiting);
        self.waiting.clear();
        told
    }
}

impl Driver for Ported {
    #[inline]
    fn hit(&mut self, slot: Slot, hash: u32) -> Result<(), Unfit> {
        self.tell(Event::new(EventKind::Hit, slot, hash))
    }

    #[inline]
    fn tell(&mut self, event: Event) -> Result<(), Unfit> {
        self.waiting.push(event);
        if self.waiting.len() < BATCH {
            return Ok(());
        }
        self.deliver()
    }

    fn victims(&mut self, request: &RoomRequest, out: &mut Vec<Slot>) -> Result<(), Unfit> {
        self.deliver()?;
        self.evictor.victims(request, &[], out)
    }

    fn wants_misses(&self) -> bool {
        self.evictor.wants_misses()
    }

    fn bytes(&self) -> u64 {
        self.evictor.memory_bytes() as u64
    }
}
