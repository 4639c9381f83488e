//! One shard of a tenant: its entries under one lock, its evictor under another.
//!
//! Lock order: evictor, then state; several states in ascending order of their shards.

mod ahead;
pub(crate) mod block;
mod clear;
mod fallback;
mod hottest;
mod index;
mod lease;
mod listen;
mod named;
mod read;
mod recorder;
mod slab;
mod stale;
mod state;
mod succession;
mod suspects;
mod tap;
mod vault;
mod watch;
mod wheel;
mod write;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder_sdk::{Event, NEWCOMER, Request, Slot, VICTIMS_MAX};
use parking_lot::Mutex;

use crate::evictor::{Evictor, Unfit, WrongAnswer};
pub(crate) use ahead::{AheadCounts, is_ending};
pub(crate) use clear::Scope;
pub use lease::{Ended, LEASES_MAX, Lease, WAITERS_MAX};
pub(crate) use recorder::Recorder;
pub(crate) use state::{Around, At, Garbage, ShardConfig, State, hash};
pub(crate) use succession::{Setback, Successor};
pub(crate) use write::Refusal;

/// A shard, on cache lines of its own.
#[repr(align(128))]
pub(crate) struct Shard {
    pub(crate) state: Mutex<State>,
    pub(crate) evictor: Mutex<EvictorSide>,
    /// Copied here so that nobody needs the lock to ask.
    is_prompt: AtomicBool,
    is_unfit: AtomicBool,
    evictor_bytes: AtomicU64,
}

/// An evictor and what travels between it and the state.
pub(crate) struct EvictorSide {
    evictor: Box<dyn Evictor>,
    /// Why it is not asked any more.
    unfit: Option<Unfit>,
    /// What was handed over; the first `told` of them the evictor knows.
    events: Vec<Event>,
    told: usize,
    /// Slots whose removal the evictor knows of once it was told everything: free to be handed out
    /// again then.
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
    /// The evictor would rather not have the newcomer; nothing was evicted.
    pub(crate) is_refused: bool,
    /// The evictor failed or broke the rules.
    pub(crate) is_offence: bool,
    /// An evictor that is not prompt was asked.
    pub(crate) took_time: bool,
}

impl EvictorSide {
    /// Events that an evictor gets in one call.
    pub(crate) const EVENTS_MAX: usize = 4096;

    fn new(evictor: Box<dyn Evictor>) -> Self {
        Self {
            evictor,
            unfit: None,
            events: Vec::new(),
            told: 0,
            released: Vec::new(),
            victims: Vec::new(),
            counted_bytes: 0,
        }
    }

    pub(crate) fn unfit(&self) -> Option<&Unfit> {
        self.unfit.as_ref()
    }

    /// Tells the evictor the next of what has been handed over, and nothing but the time where there
    /// is nothing more.
    fn tell(&mut self) -> Result<(), Unfit> {
        let end = self.events.len().min(self.told + Self::EVENTS_MAX);
        let told = self.evictor.deliver(&self.events[self.told..end]);
        self.told = end;
        told
    }

    /// Whether the evictor knows all that has been handed over.
    fn knows_all(&self) -> bool {
        self.told == self.events.len()
    }

    /// Forgets what has been handed over.
    fn forget(&mut self) {
        self.events.clear();
        self.events.shrink_to(2 * State::NOTES_DUE);
        self.told = 0;
    }
}

impl Shard {
    pub(crate) fn new(config: ShardConfig, evictor: Box<dyn Evictor>, around: Around) -> Self {
        let wants_misses = evictor.wants_misses();
        Self {
            is_prompt: AtomicBool::new(evictor.is_prompt()),
            is_unfit: AtomicBool::new(false),
            evictor_bytes: AtomicU64::new(0),
            state: Mutex::new(State::new(config, wants_misses, around)),
            evictor: Mutex::new(EvictorSide::new(evictor)),
        }
    }

    /// See [`Evictor::is_prompt`].
    pub(crate) fn is_prompt(&self) -> bool {
        self.is_prompt.load(Ordering::Relaxed)
    }

    /// Whether the evictor failed and nothing is asked of it.
    pub(crate) fn is_unfit(&self) -> bool {
        self.is_unfit.load(Ordering::Relaxed)
    }

    /// Bytes that the evictor held when it was last looked at.
    pub(crate) fn evictor_bytes(&self) -> u64 {
        self.evictor_bytes.load(Ordering::Relaxed)
    }

    /// The change of the evictor's memory since it was last counted.
    fn count_memory(&self, side: &mut EvictorSide) -> i64 {
        let bytes = side.evictor.memory_bytes();
        self.evictor_bytes.store(bytes as u64, Ordering::Relaxed);
        bytes as i64 - std::mem::replace(&mut side.counted_bytes, bytes) as i64
    }

    /// Gives the evictor up.
    pub(crate) fn give_up(&self, side: &mut EvictorSide, unfit: Unfit) {
        side.forget();
        side.unfit = Some(unfit);
        self.is_unfit.store(true, Ordering::Relaxed);
    }

    /// Tells the evictor what happened: all of it if it is prompt, else as much as one call takes.
    /// Returns the change of used bytes.
    pub(crate) fn drain(&self, side: &mut EvictorSide) -> i64 {
        loop {
            if side.knows_all() {
                side.forget();
                self.state
                    .lock()
                    .hand_over(&mut side.events, &mut side.released);
            }
            if side.unfit.is_some() {
                side.forget();
            } else if let Err(unfit) = side.tell() {
                self.give_up(side, unfit);
            }
            if side.knows_all() || !self.is_prompt() {
                return self.count_memory(side);
            }
        }
    }

    /// Evicts at least `request.bytes` if the shard holds them, less only where that takes more victims
    /// than one answer may name: as its evictor says where that may be asked and is free, else as the
    /// fallback does.
    pub(crate) fn evict(&self, request: &Request, may_ask: bool) -> Evicted {
        let side = match (may_ask, self.is_prompt()) {
            (false, _) => None,
            (true, true) => Some(self.evictor.lock()),
            (true, false) => self.evictor.try_lock(),
        };
        let Some(mut side) = side else {
            return self.evict_without(request, 0);
        };
        let side = &mut *side;
        let was_unfit = side.unfit.is_some();
        let told = self.drain(side);
        side.victims.clear();
        let named = match &side.unfit {
            Some(unfit) => Err(unfit.clone()),
            // It fell behind, and nobody waits for more than one call.
            None if !side.knows_all() => {
                return Evicted {
                    took_time: true,
                    ..self.evict_without(request, told)
                };
            }
            None => side.evictor.victims(request, &[], &mut side.victims),
        };
        let evicted = match named {
            Ok(()) if side.victims == [NEWCOMER] && request.newcomer.is_some() => {
                self.state.lock().stats.refused_newcomers += 1;
                Evicted {
                    used_change: told,
                    is_refused: true,
                    ..Evicted::default()
                }
            }
            Ok(()) => self.evict_victims(request, side, told),
            Err(unfit) => {
                self.give_up(side, unfit);
                Evicted {
                    is_offence: !was_unfit,
                    ..self.evict_without(request, told)
                }
            }
        };
        Evicted {
            took_time: !was_unfit && !self.is_prompt(),
            ..evicted
        }
    }

    /// Evicts what the evictor named, and what is short of that as the fallback does, but where the answer
    /// was as long as one may be: the evictor would have named more, and the caller may ask again.
    fn evict_victims(&self, request: &Request, side: &mut EvictorSide, told: i64) -> Evicted {
        let mut state = self.state.lock();
        let (freed, wrong) = state.evict_named(&side.victims, request.bytes);
        let rest = match side.victims.len() >= VICTIMS_MAX && freed > 0 {
            true => 0,
            false => state.evict_fallback(request.bytes.saturating_sub(freed), None),
        };
        let used_change = told + state.settle();
        let garbage = state.take_garbage();
        drop(state);
        garbage.free();
        if let Some(wrong) = wrong {
            self.reproach(side, wrong);
        }
        Evicted {
            freed_bytes: freed + rest,
            used_change,
            is_offence: wrong.is_some(),
            ..Evicted::default()
        }
    }

    fn reproach(&self, side: &mut EvictorSide, wrong: WrongAnswer) {
        side.evictor.reproach(wrong);
        self.give_up(side, Unfit(wrong.to_string()));
    }

    fn evict_without(&self, request: &Request, told: i64) -> Evicted {
        let mut state = self.state.lock();
        let freed_bytes = state.evict_fallback(request.bytes, None);
        let used_change = told + state.settle();
        let garbage = state.take_garbage();
        drop(state);
        garbage.free();
        Evicted {
            freed_bytes,
            used_change,
            ..Evicted::default()
        }
    }
}
