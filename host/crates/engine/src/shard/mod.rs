//! One shard of a tenant: its entries under one lock, its evictor under another.
//!
//! Lock order: evictor, then state; several states in ascending order of their shards.

pub(crate) mod block;
mod fallback;
mod index;
mod slab;
mod state;
mod watch;
mod wheel;
mod write;

use larder_sdk::{Event, Request, Slot};
use parking_lot::Mutex;

use crate::evictor::Evictor;
pub(crate) use state::{At, Garbage, ShardConfig, State, hash};
pub(crate) use write::Refusal;

/// A shard, on cache lines of its own.
#[repr(align(128))]
pub(crate) struct Shard {
    pub(crate) state: Mutex<State>,
    pub(crate) evictor: Mutex<EvictorSide>,
    /// Copied here so that nobody needs the lock to ask.
    pub(crate) prompt: bool,
}

/// An evictor and what travels between it and the state.
pub(crate) struct EvictorSide {
    pub(crate) evictor: Box<dyn Evictor>,
    events: Vec<Event>,
    /// Slots whose removal the evictor has been told of: free to be handed out again.
    released: Vec<Slot>,
    victims: Vec<Slot>,
    /// Its memory as last added to the tenant's used bytes.
    counted_bytes: usize,
}

/// What an eviction did.
#[derive(Default)]
pub(crate) struct Evicted {
    /// Bytes of the entries that went.
    pub(crate) freed_bytes: u64,
    /// Change of the tenant's used bytes; less than what was freed where structures grew.
    pub(crate) used_change: i64,
}

impl Shard {
    pub(crate) fn new(config: ShardConfig, evictor: Box<dyn Evictor>) -> Self {
        let wants_misses = evictor.wants_misses();
        Self {
            prompt: evictor.is_prompt(),
            state: Mutex::new(State::new(config, wants_misses)),
            evictor: Mutex::new(EvictorSide {
                evictor,
                events: Vec::new(),
                released: Vec::new(),
                victims: Vec::new(),
                counted_bytes: 0,
            }),
        }
    }

    /// Tells the evictor what happened. Returns the change of used bytes.
    pub(crate) fn drain(&self, side: &mut EvictorSide) -> i64 {
        self.state
            .lock()
            .hand_over(&mut side.events, &mut side.released);
        side.evictor.deliver(&side.events);
        side.events.clear();
        side.events.shrink_to(2 * State::NOTES_DUE);
        let before = std::mem::replace(&mut side.counted_bytes, side.evictor.memory_bytes());
        side.counted_bytes as i64 - before as i64
    }

    /// Evicts at least `request.bytes` if the shard holds them: as its evictor says where that is
    /// free to be asked, else as the fallback does.
    pub(crate) fn evict(&self, request: &Request) -> Evicted {
        let side = if self.prompt {
            Some(self.evictor.lock())
        } else {
            self.evictor.try_lock()
        };
        let Some(mut side) = side else {
            let mut state = self.state.lock();
            let freed_bytes = state.evict_fallback(request.bytes, None);
            let used_change = state.settle();
            let garbage = state.take_garbage();
            drop(state);
            garbage.free();
            return Evicted {
                freed_bytes,
                used_change,
            };
        };
        let side = &mut *side;
        let told = self.drain(side);
        side.victims.clear();
        side.evictor.victims(request, &mut side.victims);
        let mut state = self.state.lock();
        let mut freed_bytes = state.evict_slots(&side.victims, request.bytes);
        freed_bytes += state.evict_fallback(request.bytes.saturating_sub(freed_bytes), None);
        let used_change = told + state.settle();
        let garbage = state.take_garbage();
        drop(state);
        garbage.free();
        Evicted {
            freed_bytes,
            used_change,
        }
    }
}
