//! What comes into memory before anybody asks for it.

use std::sync::Arc;

use super::{Locked, Tenant, Ticket};
use crate::below::Reach;
use crate::entry::{Key, Millis};
use crate::error::{Error, FetchError};
use crate::shard::{State, is_ending};
use crate::stats::AheadFigures;
use crate::tier::Stored;

/// How long an entry waits to be asked for, and what all that wait may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Then it goes.
    pub until: Millis,
    /// Bytes of all entries of the tenant that wait, this one included.
    pub bytes_max: u64,
}

/// What became of a key that was to come into memory before anybody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prewarmed {
    /// It came.
    Came,
    /// It was there already.
    Here,
    /// It was there, was loaded, and its time is about to be over: it is loaded anew.
    Renewed,
    /// Nothing below has it.
    Absent,
    /// It changed while it was looked for.
    Changed,
    /// There is no room for it.
    NoRoom,
}

impl Tenant {
    /// Brings an entry into memory that nobody has asked for, if it is below, as far down as `reach` says.
    ///
    /// With `waits` it is worth less than any other until somebody asks for it: the eviction policy does not know of
    /// it, it takes no more than its share of the memory, and goes when its time is over or room is short. Without, it
    /// is an entry like others. Room for it is made as the evictors say, so nothing goes for it but what would have gone
    /// next. Nothing is noted of a read.
    ///
    /// # Errors
    /// Where what lies below cannot be read, or the key is none.
    pub async fn prewarm(
        self: &Arc<Self>,
        key: Key<'_>,
        reach: Reach,
        waits: Option<Waits>,
        clock: impl Fn() -> Millis,
    ) -> Result<Prewarmed, FetchError> {
        let mut now = clock();
        let Some(below) = self.below().filter(|_| self.lacks(key, reach, now)) else {
            return Ok(self.look_ahead(key, now));
        };
        let mut _place = None;
        if let Some(place) = below.place_ahead(key, reach) {
            _place = Some(place.await);
            now = clock();
            if !self.lacks(key, reach, now) {
                return Ok(self.look_ahead(key, now));
            }
        }
        let ticket = self.ticket(key, now);
        let found = below.load_ahead(key, reach, now).await?;
        let now = clock();
        match found.filter(|stored| !stored.is_expired(now)) {
            Some(stored) => Ok(self.commit_ahead(&ticket, &stored, waits, now)?),
            None => Ok(Prewarmed::Absent),
        }
    }

    /// Of a key that need not be fetched, or cannot be.
    fn look_ahead(&self, key: Key<'_>, now: Millis) -> Prewarmed {
        match (
            self.peek(key, now, |entry| is_ending(entry.block, now)),
            self.below(),
        ) {
            (None, _) => Prewarmed::Absent,
            (Some(true), Some(below)) => {
                below.renew(key);
                Prewarmed::Renewed
            }
            (Some(_), _) => Prewarmed::Here,
        }
    }

    /// What became of what was fetched ahead, so far.
    pub fn ahead(&self) -> AheadFigures {
        self.ahead.figures()
    }

    fn commit_ahead(
        &self,
        ticket: &Ticket,
        stored: &Stored,
        waits: Option<Waits>,
        now: Millis,
    ) -> Result<Prewarmed, Error> {
        let bytes = self.bytes_of(ticket.key(), stored);
        // What never goes by itself cannot wait.
        let has_room = waits.is_none_or(|waits| {
            !self.volatile_only && self.ahead().bytes + bytes as u64 <= waits.bytes_max
        });
        if !has_room || bytes > self.entry_bytes_max() {
            return Ok(Prewarmed::NoRoom);
        }
        let mut held = match self.lock([ticket.key()], bytes, now) {
            Err(Error::OutOfMemory) => return Ok(Prewarmed::NoRoom),
            held => held?,
        };
        if !held.is_valid(ticket, now) {
            return Ok(Prewarmed::Changed);
        }
        let came = held.admit_ahead(ticket.key(), stored, waits, now);
        if came == Prewarmed::Came {
            held.tell_admitted(ticket, now);
        }
        Ok(came)
    }
}

impl Locked<'_> {
    fn admit_ahead(
        &mut self,
        key: Key<'_>,
        stored: &Stored,
        waits: Option<Waits>,
        now: Millis,
    ) -> Prewarmed {
        self.drop_suspect(key, now);
        let at = self.tenant().at(key, now);
        let until = waits.map(|waits| waits.until);
        let came = self.with_room(&at, |state: &mut State, room_bytes| {
            if state.live_slot(&at).is_some() {
                return Ok(Prewarmed::Here);
            }
            state.admit(&at, stored, until, room_bytes)?;
            Ok(Prewarmed::Came)
        });
        came.unwrap_or(Prewarmed::NoRoom)
    }
}

#[cfg(test)]
mod tests;
