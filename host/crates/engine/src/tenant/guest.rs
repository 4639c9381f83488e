//! What was found below and has no place in memory is a guest of whoever holds its shard: seen and removed as if it were
//! there, changed by nobody, and gone when the shard is given back.

use std::collections::BTreeMap;

use super::Locked;
use crate::edit::{Access, Edit, Expiry};
use crate::entry::Entry;
use crate::error::Error;
use crate::shard::block::Block;
use crate::shard::{At, State};
use crate::tier::Stored;

/// Guests by their hash.
pub(super) type Guests = BTreeMap<u64, Block>;

impl Locked<'_> {
    /// Takes in what has no place.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], where the system has none or the key was not locked.
    pub(super) fn receive(&mut self, at: &At<'_>, stored: &Stored) -> Result<(), Error> {
        let classes = self.tenant().classes;
        let state = self.state(at.hash).ok_or(Error::OutOfMemory)?;
        let guest = state.guest(at, stored).ok_or(Error::OutOfMemory)?;
        if let Some(before) = self.guests.insert(at.hash, guest) {
            before.free(classes);
        }
        Ok(())
    }

    /// The guest of a key. One that has expired or is void is none.
    #[inline]
    pub(super) fn guest(&self, at: &At<'_>) -> Option<Entry<'_>> {
        let block = self.guests.get(&at.hash)?;
        let (_, state) = self.states.first()?;
        (block.is_key(at.key) && state.is_live(block, at.now)).then(|| state.entry(block, None))
    }

    /// Does to a guest what an edit says, as far as that leaves nothing of it.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where it would need a place as it is, and as [`Locked::update`].
    pub(super) fn update_guest(
        &mut self,
        at: &At<'_>,
        access: Access,
        edit: &Edit<'_>,
    ) -> Result<(), Error> {
        match edit {
            Edit::Keep => {}
            Edit::Remove => {
                self.remove(at.key, at.now);
            }
            Edit::Put {
                expiry: Expiry::Never | Expiry::At(_),
                label: Some(_),
                ..
            } => {
                self.with_room(at, |state: &mut State, room_bytes| {
                    state.update(at, access, room_bytes, &mut |_| (edit.clone(), ()))
                })?;
                self.dismiss(at);
            }
            _ => return Err(Error::OutOfMemory),
        }
        Ok(())
    }

    /// Has a guest go. Whether it was there.
    pub(super) fn dismiss(&mut self, at: &At<'_>) -> bool {
        let was_there = self.guest(at).is_some();
        if let Some(guest) = self.guests.remove(&at.hash) {
            guest.free(self.tenant().classes);
        }
        was_there
    }
}
