//! What comes into memory from below.

use std::sync::Arc;

use super::{Locked, Tenant, Watch};
use crate::below::{Below, Reach, Sight};
use crate::entry::{Key, Millis};
use crate::error::Error;
use crate::shard::State;
use crate::shard::block::block_bytes;
use crate::tier::Stored;

/// The right to put into memory what is found below under a key, unless the key changes before. Ends when
/// dropped, which locks its shard.
pub struct Ticket {
    watch: Watch,
    clears: u64,
}

impl Ticket {
    /// The key it is for.
    pub fn key(&self) -> Key<'_> {
        self.watch.key()
    }
}

impl Tenant {
    /// What lies below its memory, if anything does.
    #[inline]
    pub fn below(&self) -> Option<&Arc<dyn Below>> {
        self.below.as_ref()
    }

    /// Whether a key is not in memory and may be below, as far down as `reach` says.
    pub fn lacks(&self, key: Key<'_>, reach: Reach, now: Millis) -> bool {
        let Some(below) = &self.below else {
            return false;
        };
        self.peek(key, now, |_| ()).is_none() && below.sight(key, reach, now) != Sight::Absent
    }

    /// The right to put into memory what is looked for below from now on.
    pub fn ticket(self: &Arc<Self>, key: Key<'_>, now: Millis) -> Ticket {
        Ticket {
            clears: self.clears(),
            watch: self.watch(key, now),
        }
    }

    /// Bytes of memory that an entry takes which comes from below: room for it is best made by [`Tenant::lock`], as the
    /// evictors say then and not as the fallback does.
    pub fn bytes_of(&self, key: Key<'_>, stored: &Stored) -> usize {
        block_bytes(
            self.classes,
            stored.label().bytes(),
            key.bytes.len(),
            stored.value.len(),
        )
    }

    fn clears(&self) -> u64 {
        self.below.as_ref().map_or(0, |below| below.clears())
    }
}

impl Locked<'_> {
    /// As [`Tenant::lacks`], of a key among those locked.
    pub fn lacks(&mut self, key: Key<'_>, reach: Reach, now: Millis) -> bool {
        let Some(below) = self.tenant().below() else {
            return false;
        };
        self.peek(key, now, |_| ()).is_none() && below.sight(key, reach, now) != Sight::Absent
    }

    /// Puts what was found below into memory, unless its key, which must be among those locked, has changed
    /// since the ticket was taken. Whether it has not. Nobody is told of it but the evictor.
    ///
    /// # Errors
    /// [`Error::EntryTooLarge`], [`Error::OutOfMemory`]: nothing has changed.
    pub fn admit(
        &mut self,
        ticket: &Ticket,
        found: Option<&Stored>,
        now: Millis,
    ) -> Result<bool, Error> {
        let is_valid =
            ticket.clears == self.tenant().clears() && self.is_unchanged(&ticket.watch, now);
        if let Some(stored) = found.filter(|stored| is_valid && !stored.is_expired(now)) {
            self.admit_at_hand(ticket.key(), stored, now)?;
            self.tell_admitted(ticket, now);
        }
        Ok(is_valid)
    }

    fn tell_admitted(&mut self, ticket: &Ticket, now: Millis) {
        let at = self.tenant().at(ticket.key(), now);
        if let Some(state) = self.state(at.hash) {
            state.tell_admitted(&at, ticket.clears);
        }
    }

    /// As [`Self::admit`], of what was looked for while the key was locked.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_at_hand(
        &mut self,
        key: Key<'_>,
        stored: &Stored,
        now: Millis,
    ) -> Result<(), Error> {
        let at = self.tenant().at(key, now);
        self.with_room(&at, |state: &mut State, room_bytes| {
            match state.live_slot(&at) {
                Some(_) => Ok(()),
                None => state.admit(&at, stored, room_bytes),
            }
        })
    }
}

#[cfg(test)]
mod tests;
