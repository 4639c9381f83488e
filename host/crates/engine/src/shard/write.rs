//! Read-modify-write of one entry.

use larder_sdk::{Event, EventKind, Removal, Slot};

use super::block::{Block, Content, block_bytes};
use super::state::{At, State};
use crate::edit::{Access, Edit, Expiry};
use crate::entry::{Entry, Millis, stamp};
use crate::error::Error;

/// Why a write did not take place. Nothing was changed.
pub(crate) enum Refusal {
    /// More room has to be made first.
    Short {
        /// Bytes the new block takes.
        bytes: usize,
    },
    /// It never will.
    Never(Error),
}

impl State {
    /// Lets `edit` look at an entry and does what it says, if `room_bytes` suffice for it.
    pub(crate) fn update<'v, R>(
        &mut self,
        at: &At<'_>,
        access: Access,
        room_bytes: usize,
        edit: &mut impl FnMut(Option<Entry<'_>>) -> (Edit<'v>, R),
    ) -> Result<R, Refusal> {
        let slot = self.live_slot(at);
        let (edit, result) = edit(slot.and_then(|slot| self.entry(slot)));
        if let Some(value_len) = self.value_len_after(slot, &edit, at.now) {
            self.check_room(at, slot, value_len, room_bytes)?;
        }
        match (access, slot) {
            (Access::Read, Some(slot)) => self.count_hit(slot, at),
            (Access::Read, None) => self.count_miss(at),
            (Access::Write, _) => {}
        }
        match edit {
            Edit::Keep => {
                if let Some(slot) = slot.filter(|_| access == Access::Read) {
                    self.touch(slot, at.now);
                }
            }
            Edit::Remove => self.remove_live(slot),
            Edit::Expire(expiry) => {
                self.watches.changed(at.hash);
                match (slot, expiry) {
                    (Some(slot), Some(expiry)) if expiry > at.now => self.set_expiry(slot, expiry),
                    (slot, Some(_)) => self.remove_live(slot),
                    (Some(slot), None) => self.set_expiry(slot, 0),
                    (None, None) => {}
                }
            }
            Edit::Put { value, expiry } => match expiry {
                Expiry::At(expiry) if expiry <= at.now => self.remove_live(slot),
                Expiry::At(expiry) => self.put(at, slot, &value, Some(expiry))?,
                Expiry::Never => self.put(at, slot, &value, Some(0))?,
                Expiry::Keep => self.put(at, slot, &value, None)?,
            },
            Edit::Append(more) => self.append(at, slot, more)?,
        }
        Ok(result)
    }

    /// Removes a key. Whether it was there.
    pub(crate) fn remove(&mut self, at: &At<'_>) -> bool {
        let slot = self.live_slot(at);
        self.remove_live(slot);
        slot.is_some()
    }

    fn remove_live(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot {
            self.remove_slot(slot, Removal::Deleted);
        }
    }

    /// The length of the value that an edit leads to, if it writes one.
    fn value_len_after(&self, slot: Option<Slot>, edit: &Edit<'_>, now: Millis) -> Option<usize> {
        match edit {
            Edit::Put {
                expiry: Expiry::At(expiry),
                ..
            } if *expiry <= now => None,
            Edit::Put { value, .. } => Some(value.len()),
            Edit::Append(more) => Some(self.value_len(slot) + more.len()),
            Edit::Keep | Edit::Expire(_) | Edit::Remove => None,
        }
    }

    fn value_len(&self, slot: Option<Slot>) -> usize {
        slot.and_then(|slot| self.slab.get(slot))
            .map_or(0, Block::value_len)
    }

    fn check_room(
        &mut self,
        at: &At<'_>,
        slot: Option<Slot>,
        value_len: usize,
        room_bytes: usize,
    ) -> Result<(), Refusal> {
        let bytes_max = self.config.entry_bytes_max;
        let bytes = block_bytes(self.config.classes, at.key.bytes.len(), value_len);
        if bytes > bytes_max || u32::try_from(value_len).is_err() {
            self.stats.refused += 1;
            return Err(Refusal::Never(Error::EntryTooLarge { bytes, bytes_max }));
        }
        let held = slot
            .and_then(|slot| self.slab.get(slot))
            .map_or(0, |block| block.bytes(self.config.classes));
        if bytes > held + room_bytes {
            Err(Refusal::Short { bytes })
        } else {
            Ok(())
        }
    }

    /// Writes a whole value. `expiry` is the new one (0: never), or `None` to keep the old.
    fn put(
        &mut self,
        at: &At<'_>,
        slot: Option<Slot>,
        value: &[u8],
        expiry: Option<Millis>,
    ) -> Result<(), Refusal> {
        let Some(slot) = slot else {
            return self.insert(at, value, expiry.unwrap_or(0));
        };
        let before = self.value_len(Some(slot));
        let classes = self.config.classes;
        let in_place = self
            .slab
            .get_mut(slot)
            .is_some_and(|block| block.overwrite(classes, value));
        if !in_place {
            let block = self.block(at, [value, b""], self.expiry(slot))?;
            self.swap(slot, block);
        }
        if let Some(expiry) = expiry {
            self.set_expiry(slot, expiry);
        }
        self.written(at, slot, before);
        Ok(())
    }

    fn append(&mut self, at: &At<'_>, slot: Option<Slot>, more: &[u8]) -> Result<(), Refusal> {
        let Some(slot) = slot else {
            return self.insert(at, more, 0);
        };
        let before = self.value_len(Some(slot));
        let classes = self.config.classes;
        let in_place = self
            .slab
            .get_mut(slot)
            .is_some_and(|block| block.extend(classes, more));
        if !in_place {
            let old = self.slab.get(slot).map_or(&b""[..], Block::value);
            let block = self.block(at, [old, more], self.expiry(slot))?;
            self.swap(slot, block);
        }
        self.written(at, slot, before);
        Ok(())
    }

    fn expiry(&self, slot: Slot) -> Millis {
        self.slab.get(slot).map_or(0, Block::expiry)
    }

    /// Puts another block into an occupied slot.
    fn swap(&mut self, slot: Slot, block: Block) {
        self.block_bytes += block.bytes(self.config.classes) as u64;
        if let Some(old) = self.slab.replace(slot, block) {
            self.discard(old);
        }
    }

    fn insert(&mut self, at: &At<'_>, value: &[u8], expiry: Millis) -> Result<(), Refusal> {
        let block = self.block(at, [value, b""], expiry)?;
        let size = block.bytes(self.config.classes);
        let slot = self
            .insert_block(at.hash, block)
            .ok_or(Refusal::Never(Error::OutOfMemory))?;
        self.note_written(EventKind::Insert, at, slot, size);
        Ok(())
    }

    fn block(&self, at: &At<'_>, value: [&[u8]; 2], expiry: Millis) -> Result<Block, Refusal> {
        let stamp = stamp(at.now, self.config.start_ms);
        let content = Content {
            key: at.key,
            value,
            expiry,
            stamp,
        };
        Block::new(self.config.classes, &content).ok_or(Refusal::Never(Error::OutOfMemory))
    }

    /// Counts and notes that the value in `slot`, which had `before` bytes, was written.
    fn written(&mut self, at: &At<'_>, slot: Slot, before: usize) {
        let after = self.value_len(Some(slot)) as u64;
        let size = self
            .slab
            .get(slot)
            .map_or(0, |block| block.bytes(self.config.classes));
        self.stats.data_bytes = self.stats.data_bytes - before as u64 + after;
        self.stats.updates += 1;
        self.touch(slot, at.now);
        self.note_written(EventKind::Update, at, slot, size);
    }

    fn note_written(&mut self, kind: EventKind, at: &At<'_>, slot: Slot, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.note(Event {
            size,
            ..Event::new(kind, slot, at.hash as u32)
        });
        self.watches.changed(at.hash);
    }

    fn set_expiry(&mut self, slot: Slot, expiry: Millis) {
        let Some(block) = self.slab.get_mut(slot) else {
            return;
        };
        let (db, before) = (usize::from(block.db()), block.expiry());
        block.set_expiry(expiry);
        let after = block.expiry();
        if after == before {
            return;
        }
        if before != 0 {
            self.stats.entries_with_ttl[db] -= 1;
        }
        if after != 0 {
            self.wheel.insert(slot, after);
            self.stats.entries_with_ttl[db] += 1;
        }
    }
}
