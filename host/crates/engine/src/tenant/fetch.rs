//! What comes into memory from below.

use std::sync::Arc;

use super::{Locked, Tenant, Watch};
use crate::below::{Below, Reach, Sight};
use crate::edit::{Access, Edit, Expiry};
use crate::entry::{Entry, Key, Millis, Times};
use crate::error::{Error, FetchError};
use crate::shard::State;
use crate::shard::block::block_bytes;
use crate::tier::{Stored, TierError};

/// How often what was found may be void, because its key changed meanwhile, before it is given up.
const ROUNDS_MAX: u32 = 16;

/// The pause after a load that failed, before the next of the key.
const RETRY_MS: Millis = 1_000;
/// So much longer a stale value is answered at once, while it is tried again.
const PROLONGED_MS: Millis = 10_000;

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

    /// Whether reads of these keys that found nothing in memory, `missed` in number, may have missed something: what is
    /// below, or was until it came into memory a moment ago.
    pub fn may_have(&self, keys: &[Key<'_>], missed: usize, reach: Reach, now: Millis) -> bool {
        let Some(below) = &self.below else {
            return false;
        };
        let mut absent = 0;
        for key in keys {
            if self.peek(*key, now, |_| ()).is_none() {
                if below.sight(*key, reach, now) != Sight::Absent {
                    return true;
                }
                absent += 1;
            }
        }
        absent < missed
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

    /// Reads an entry, and brings it into memory first where it is below, as far down as `reach` says. Nothing is noted
    /// of the read.
    ///
    /// # Errors
    /// Where what lies below cannot be read, what was found there has no place in memory, or the key changes
    /// faster than it comes.
    pub async fn fetch<R>(
        self: &Arc<Self>,
        key: Key<'_>,
        reach: Reach,
        clock: impl Fn() -> Millis,
        read: impl Fn(Entry<'_>) -> R,
    ) -> Result<Option<R>, FetchError> {
        for _ in 0..ROUNDS_MAX {
            let now = clock();
            let here = self.peek(key, now, &read);
            let below = self.below.as_ref().filter(|_| here.is_none());
            // In this order: it may come into memory meanwhile, and may go.
            let Some(below) = below.filter(|below| below.sight(key, reach, now) != Sight::Absent)
            else {
                return Ok(here);
            };
            let ticket = self.ticket(key, now);
            let found = below.load(key, reach, now).await;
            let stored = found.as_ref().ok().and_then(Option::as_deref);
            let room_bytes = stored.map_or(0, |stored| self.bytes_of(key, stored));
            let held = self.lock([key], room_bytes, now);
            let mut held = held.or_else(|_| self.lock([key], 0, now))?;
            let is_valid = held.admit(&ticket, found.as_ref().map(Option::as_deref), now)?;
            if is_valid && found.is_err() {
                held.prolong(key, clock())?;
            }
            let entry = held.peek(key, now, &read);
            // Before the ticket ends.
            drop(held);
            match found {
                _ if entry.is_some() => return Ok(entry),
                Err(error) if is_valid => return Err(error.into()),
                Ok(_) if is_valid => return Ok(None),
                _ => {}
            }
        }
        let text = "the key changes faster than it comes from below".to_owned();
        Err(TierError::Unavailable(text).into())
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
    /// since the ticket was taken. Whether it has not. Nobody is told of it but the evictor. What has no place there
    /// can be read and removed until the shards are given back. A suspect goes, unless nobody could be asked.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], where not even the system has any: nothing has changed.
    pub fn admit(
        &mut self,
        ticket: &Ticket,
        found: Result<Option<&Stored>, &TierError>,
        now: Millis,
    ) -> Result<bool, Error> {
        if !self.is_valid(ticket, now) {
            return Ok(false);
        }
        match found {
            Ok(Some(stored)) if !stored.is_expired(now) => {
                self.admit_at_hand(ticket.key(), stored, now)?;
                self.tell_admitted(ticket, now);
            }
            Err(TierError::Unavailable(_)) => _ = self.trust(ticket.key(), now),
            Ok(_) | Err(_) => self.drop_suspect(ticket.key(), now),
        }
        Ok(true)
    }

    /// Whether the key of a ticket, which must be among those locked, has not changed since the ticket was taken.
    pub fn is_valid(&mut self, ticket: &Ticket, now: Millis) -> bool {
        ticket.clears == self.tenant().clears() && self.is_unchanged(&ticket.watch, now)
    }

    /// A value of the key could not be loaded anew: the one that there is, expired or not, is answered for a while longer, if
    /// its label says that it is kept for as long, and is due for the next try in a second. Whether there is one.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn prolong(&mut self, key: Key<'_>, now: Millis) -> Result<bool, Error> {
        let prolonged = self.peek_stale(key, now, |entry, _| prolonged(entry, now));
        let Some(stored) = prolonged.flatten() else {
            return Ok(false);
        };
        let edit = || Edit::Put {
            value: (&*stored.value).into(),
            expiry: stored.expires_at.map_or(Expiry::Never, Expiry::At),
            label: Some(stored.label()),
        };
        self.update(key, now, Access::Write, |_| (edit(), ()))?;
        Ok(true)
    }

    pub(super) fn tell_admitted(&mut self, ticket: &Ticket, now: Millis) {
        let at = self.tenant().at(ticket.key(), now);
        if let Some(state) = self.state(at.hash) {
            state.tell_admitted(&at);
        }
    }

    /// As [`Self::admit`], of what was looked for while the key was locked.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], where not even the system has any.
    pub fn admit_at_hand(
        &mut self,
        key: Key<'_>,
        stored: &Stored,
        now: Millis,
    ) -> Result<(), Error> {
        self.drop_suspect(key, now);
        let at = self.tenant().at(key, now);
        let admitted = self.with_room(&at, |state: &mut State, room_bytes| {
            match state.live_slot(&at) {
                // What was fetched ahead came a moment too late, but it was right.
                Some(slot) => _ = state.use_ahead(slot, &at),
                None => state.admit(&at, stored, None, room_bytes)?,
            }
            Ok(())
        });
        admitted.or_else(|_| self.receive(&at, stored))
    }
}

/// An entry that lives on after a load that failed, as far as it is kept beyond its expiry.
fn prolonged(entry: Entry<'_>, now: Millis) -> Option<Stored> {
    let label = entry.label();
    let expiry = entry.expires_at()?;
    let end = expiry + Millis::from(label.times.stale_ms);
    let until = expiry.max(end.min(now + RETRY_MS + PROLONGED_MS));
    let due = until.min(now + RETRY_MS);
    let is_kept = label.times.cost_ms > 0 && label.times.stale_ms > 0 && until > now;
    is_kept.then(|| Stored {
        value: entry.value().into(),
        expires_at: Some(until),
        priority: label.priority,
        note: label.note.into(),
        times: Times {
            // Both are less than what was a label's before.
            stale_ms: (end - until) as u32,
            refresh_ms: u32::try_from(until - due).unwrap_or(u32::MAX),
            ..label.times
        },
    })
}

#[cfg(test)]
mod tests;
