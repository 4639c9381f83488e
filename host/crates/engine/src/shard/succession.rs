//! One evictor takes over from another, while the shard goes on.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use larder_sdk::Event;

use super::{EvictorSide, Shard, State};
use crate::Millis;
use crate::evictor::{Evictor, Unfit};

/// Slots looked at under one lock: some tens of microseconds.
const SLOTS_A_LOOK: u32 = 512;
/// Events left over that are told under the evictor's lock.
const REST_MAX: usize = 1024;
/// Rounds of catching up before the rest is taken as it is.
const ROUNDS_MAX: usize = 16;

/// Why an evictor could not take over.
pub(crate) enum Setback {
    Unfit(Unfit),
    /// More was written meanwhile than it could be told; another attempt may go better.
    Overtaken,
}

impl From<Unfit> for Setback {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<Setback> for Unfit {
    fn from(setback: Setback) -> Self {
        match setback {
            Setback::Unfit(unfit) => unfit,
            Setback::Overtaken => {
                Self("more was written meanwhile than it could be told".to_owned())
            }
        }
    }
}

/// An evictor that knows the residents of a shard and follows what happens there, but does not rule
/// yet. Dropped, it leaves everything as it was.
pub(crate) struct Successor<'s> {
    shard: &'s Shard,
    evictor: Option<Box<dyn Evictor>>,
    events: Vec<Event>,
}

impl<'s> Successor<'s> {
    /// Tells `evictor` who is resident in `shard`, the one idle for longest first.
    ///
    /// # Errors
    /// When it fails, or cannot keep up with what happens meanwhile.
    pub(crate) fn new(
        shard: &'s Shard,
        evictor: Box<dyn Evictor>,
        now: Millis,
    ) -> Result<Self, Setback> {
        shard.state.lock().open_tap();
        // From here on dropping it closes the tap.
        let mut successor = Self {
            shard,
            evictor: Some(evictor),
            events: Vec::new(),
        };
        let mut residents = Vec::new();
        while shard
            .state
            .lock()
            .look_at_residents(SLOTS_A_LOOK, now, &mut residents)
        {}
        residents.sort_by_key(|resident| Reverse(resident.idle));
        let events: Vec<_> = residents.iter().map(|resident| resident.insert).collect();
        successor.tell(&events)?;
        Ok(successor)
    }

    fn tell(&mut self, events: &[Event]) -> Result<(), Unfit> {
        let Some(evictor) = &mut self.evictor else {
            return Ok(());
        };
        events
            .chunks(EvictorSide::EVENTS_MAX)
            .try_for_each(|events| evictor.deliver(events))
    }

    /// Tells it what happened meanwhile.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn catch_up(&mut self) -> Result<(), Setback> {
        for _ in 0..ROUNDS_MAX {
            let mut events = std::mem::take(&mut self.events);
            events.clear();
            let drained = self.shard.state.lock().drain_tap(&mut events);
            let told = match drained {
                Ok(()) => self.tell(&events).map_err(Setback::Unfit),
                Err(_) => Err(Setback::Overtaken),
            };
            let is_done = events.len() < REST_MAX;
            self.events = events;
            told?;
            if is_done {
                break;
            }
        }
        Ok(())
    }

    /// Rules from now on. Returns the change of the tenant's used bytes. Should it fail at the last
    /// events, it is given up as any ruler would be.
    pub(crate) fn take_over(mut self) -> i64 {
        let caught_up = self.catch_up();
        let shard = self.shard;
        let Some(evictor) = self.evictor.take() else {
            return 0;
        };
        let mut guard = shard.evictor.lock();
        let side = &mut *guard;
        let mut state = shard.state.lock();
        let mut rest = std::mem::take(&mut self.events);
        rest.clear();
        let drained = state.drain_tap(&mut rest);
        state.close_tap();
        // What the one before has not been told is in the tap, or was seen by the look.
        side.forget();
        state.hand_over(&mut side.events, &mut side.released);
        state.wants_misses = evictor.wants_misses();
        drop(state);
        side.events = rest;
        side.victims.clear();
        side.unfit = None;
        shard
            .is_prompt
            .store(evictor.is_prompt(), Ordering::Relaxed);
        shard.is_unfit.store(false, Ordering::Relaxed);
        let before = std::mem::replace(&mut side.evictor, evictor);
        let told = caught_up
            .and(drained.map_err(|_| Setback::Overtaken))
            .and_then(|()| Ok(side.tell()?));
        if let Err(setback) = told {
            shard.give_up(side, setback.into());
        }
        let change = shard.count_memory(side);
        drop(guard);
        drop(before);
        change
    }
}

impl Drop for Successor<'_> {
    fn drop(&mut self) {
        let mut state = self.shard.state.lock();
        state.close_tap();
    }
}

impl State {
    /// Whether a successor is being told what happens.
    #[cfg(test)]
    pub(crate) fn is_tapped(&self) -> bool {
        self.tap.is_some()
    }
}
