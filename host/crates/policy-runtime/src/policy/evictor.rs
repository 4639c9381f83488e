//! A policy that chooses the victims of one shard.

use std::sync::Arc;
use std::time::Instant;

use larder_abi::{
    EVENT_BYTES, EVENTS_MAX, Event, FORETOLD_BYTES, FORETOLD_MAX, Foretold, Kind, Kinds, NEWCOMER,
    REQUEST_BYTES, Request, Slot, VICTIMS_MAX, export, unpack_victims,
};
use larder_engine::{Evictor, Unfit, WrongAnswer};

use super::Policy;
use super::instance::{Export, Instance, Purpose};
use super::offence::Offence;

const SLOT_BYTES: usize = size_of::<Slot>();

pub(super) struct WasmEvictor {
    instance: Instance,
    wants_misses: bool,
    wants_reuse: bool,
    events: Export<u32, ()>,
    victims: Export<u32, u64>,
    /// Whether the time of the last delivery is still the account; what is asked next is the same
    /// request's.
    has_delivered: bool,
}

impl WasmEvictor {
    pub(super) fn new(
        policy: &Arc<Policy>,
        seed: u64,
        share_bytes: u64,
        purpose: Purpose,
    ) -> Result<Self, Unfit> {
        let kinds = Kinds::NONE.with(Kind::Eviction);
        let mut instance = Instance::new(policy, kinds, seed, share_bytes, purpose)?;
        Ok(Self {
            events: instance.export(export::EVENTS)?,
            victims: instance.export(export::VICTIMS)?,
            instance,
            wants_misses: policy.manifest.wants_misses,
            wants_reuse: policy.manifest.wants_reuse,
            has_delivered: false,
        })
    }

    fn deliver_batch(&mut self, events: &[Event]) -> Result<(), Unfit> {
        let room = self.instance.room(events.len() * EVENT_BYTES)?;
        let (records, _) = room.as_chunks_mut::<EVENT_BYTES>();
        let mut slot_max = 0;
        for (record, event) in records.iter_mut().zip(events) {
            *record = event.to_bytes();
            slot_max = slot_max.max(event.slot);
        }
        self.instance.allow_slots(slot_max as usize + 1);
        self.instance.call(&self.events, events.len() as u32)?;
        self.instance.tally().events.add(events.len() as u64);
        Ok(())
    }

    fn wrong(&mut self, why: String) -> Unfit {
        self.instance.offend(export::VICTIMS, &Offence::Wrong(why))
    }
}

impl Evictor for WasmEvictor {
    fn deliver(&mut self, events: &[Event]) -> Result<(), Unfit> {
        self.instance.open_account(Some(Instant::now()));
        self.has_delivered = true;
        events
            .chunks(EVENTS_MAX)
            .try_for_each(|events| self.deliver_batch(events))
    }

    fn victims(
        &mut self,
        request: &Request,
        foretold: &[Foretold],
        out: &mut Vec<Slot>,
    ) -> Result<(), Unfit> {
        if !std::mem::take(&mut self.has_delivered) {
            self.instance.open_account(Some(Instant::now()));
        }
        let foretold = match self.wants_reuse {
            true => &foretold[..foretold.len().min(FORETOLD_MAX)],
            false => &[],
        };
        let bytes = REQUEST_BYTES + foretold.len() * FORETOLD_BYTES;
        let record = self.instance.room(bytes)?;
        record[..REQUEST_BYTES].copy_from_slice(&request.to_bytes());
        let (behind, _) = record[REQUEST_BYTES..].as_chunks_mut::<FORETOLD_BYTES>();
        for (place, foretold) in behind.iter_mut().zip(foretold) {
            *place = foretold.to_bytes();
        }
        let answer = self.instance.call(&self.victims, bytes as u32)?;
        let (address, count) = unpack_victims(answer);
        let count = count as usize;
        if count > VICTIMS_MAX {
            return Err(self.wrong(format!(
                "named {count} victims, and {VICTIMS_MAX} are allowed"
            )));
        }
        if count == 0 {
            return Ok(());
        }
        let Some(named) = self.instance.read(address, count * SLOT_BYTES) else {
            let memory_bytes = self.instance.memory_bytes();
            return Err(self.wrong(format!(
                "named {count} victims at {address}, and its memory has {memory_bytes} bytes"
            )));
        };
        let (slots, _) = named.as_chunks::<SLOT_BYTES>();
        let first = out.len();
        out.extend(slots.iter().map(|slot| Slot::from_le_bytes(*slot)));
        let refuses = out[first..].contains(&NEWCOMER);
        if refuses && count > 1 {
            return Err(self.wrong("named the newcomer and others beside it".to_owned()));
        }
        if refuses && request.newcomer.is_none() {
            return Err(self.wrong("named the newcomer where there is none".to_owned()));
        }
        Ok(())
    }

    fn reproach(&mut self, wrong: WrongAnswer) {
        self.wrong(format!("broke a rule: {wrong}"));
    }

    fn memory_bytes(&self) -> usize {
        self.instance.memory_bytes()
    }

    fn wants_misses(&self) -> bool {
        self.wants_misses
    }

    fn wants_reuse(&self) -> bool {
        self.wants_reuse
    }

    fn is_prompt(&self) -> bool {
        false
    }
}
