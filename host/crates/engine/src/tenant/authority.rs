//! Entries that memory has for the time of one command alone, as a level below has the authority over them.

use super::Locked;
use crate::authority::{Becomes, Seen};
use crate::entry::{Key, Millis};
use crate::error::Error;

impl Locked<'_> {
    /// Has a key, which must be among those locked, be in memory what it was seen to be.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn borrow(&mut self, key: Key<'_>, seen: &Seen, now: Millis) -> Result<(), Error> {
        self.vacate(key, now);
        let stored = seen.stored.as_ref();
        stored.map_or(Ok(()), |stored| self.admit_at_hand(key, stored, now))
    }

    /// What was made of a key that was borrowed; memory has nothing of it any more.
    pub fn give_back(&mut self, key: Key<'_>, seen: &Seen, now: Millis) -> Becomes {
        let made = self.peek(key, now, |entry| entry.to_stored());
        self.vacate(key, now);
        let before = seen
            .stored
            .as_ref()
            .filter(|stored| !stored.is_expired(now));
        match made {
            made if made.as_ref() == before => Becomes::Same,
            Some(made) => {
                let expiry = before.and_then(|before| before.expires_at);
                let keeps_expiry = expiry.is_some() && made.expires_at == expiry;
                Becomes::Entry(Box::new(made), keeps_expiry)
            }
            None => Becomes::Nothing,
        }
    }

    /// Nothing is in memory of a key, and nobody is told.
    fn vacate(&mut self, key: Key<'_>, now: Millis) {
        let at = self.tenant().at(key, now);
        self.dismiss(&at);
        if let Some(state) = self.state(at.hash) {
            state.vacate(&at);
        }
    }
}

#[cfg(test)]
mod tests;
