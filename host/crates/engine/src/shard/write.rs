//! Read-modify-write of one entry.

use larder_sdk::{Event, EventKind, Removal, Slot};

use super::block::{Block, Content, Laid, block_bytes, label_len};
use super::state::{At, State};
use crate::below::Origin;
use crate::changes::Change;
use crate::edit::{Access, Edit, Expiry};
use crate::entry::{Entry, LABEL_NOTE_BYTES_MAX, Label, Millis, stamp};
use crate::error::Error;
use crate::foresight::AskedFor;
use crate::recording::Kind;
use crate::tags::stamped;
use crate::tier::Stored;

/// Bytes that any value may have.
const VALUE_BYTES_MAX: usize = u32::MAX as usize;

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

/// How an entry stood before it was written.
struct Before {
    value_len: usize,
    /// The evictor knows of it.
    was_known: bool,
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
        let stamp = match access {
            Access::Lease(token) => self.check_lease(at, token)?,
            Access::Read | Access::Write | Access::Offer(_) => self.tags.now(),
        };
        let slot = self.live_slot(at);
        let (slot, opened) = self.open_slot(slot);
        let block = slot.and_then(|slot| self.slab.get(slot));
        let (edit, result) = edit(block.map(|block| self.entry(block, opened.as_deref())));
        let (edit, is_shut) = self.shut(at, slot, opened, edit)?;
        if let Some(lens) = self.lens_after(slot, &edit, is_shut, at.now) {
            self.check_room(at, slot, lens, room_bytes)?;
        }
        match (access, slot) {
            (Access::Read, Some(slot)) => self.count_hit(slot, at),
            (Access::Read, None) => self.count_miss(at),
            (Access::Write | Access::Offer(_) | Access::Lease(_), _) => {}
        }
        match edit {
            Edit::Keep => {
                if let Some(slot) = slot.filter(|_| access == Access::Read) {
                    self.touch(slot, at.now);
                }
            }
            Edit::Remove => self.remove_live(at, slot),
            Edit::Expire(expiry) => {
                self.watches.changed(at.hash);
                match (slot, expiry) {
                    (Some(slot), Some(expiry)) if expiry > at.now => {
                        self.change_expiry(at, slot, expiry);
                    }
                    (slot, Some(_)) => self.remove_live(at, slot),
                    (Some(slot), None) => self.change_expiry(at, slot, 0),
                    (None, None) => {}
                }
            }
            Edit::Put {
                value,
                expiry,
                label,
            } => {
                let note = label.and_then(|label| stamped(label.note, stamp));
                let label = label.map(|label| Label {
                    note: note.as_deref().unwrap_or(label.note),
                    ..label
                });
                let value = Laid {
                    bytes: &value,
                    is_shut,
                };
                match expiry {
                    Expiry::At(expiry) if expiry <= at.now => self.remove_live(at, slot),
                    Expiry::At(expiry) => self.put(at, slot, value, label, Some(expiry))?,
                    Expiry::Never => self.put(at, slot, value, label, Some(0))?,
                    Expiry::Keep => self.put(at, slot, value, label, None)?,
                }
            }
            Edit::Append(more) => self.append(at, slot, more)?,
            Edit::Patch { at: from, bytes } => self.patch(at, slot, from, &bytes)?,
        }
        Ok(result)
    }

    /// Removes a key. Whether it was there.
    pub(crate) fn remove(&mut self, at: &At<'_>) -> bool {
        let slot = self.live_slot(at);
        self.remove_live(at, slot);
        slot.is_some()
    }

    fn remove_live(&mut self, at: &At<'_>, slot: Option<Slot>) {
        self.end_lease(at.hash);
        if let Some(slot) = slot {
            self.record(Kind::Remove, at, Some(slot));
            self.remove_slot(slot, Removal::Deleted);
            return;
        }
        self.drop_stale(at);
        if let Some(below) = &self.below {
            self.watches.changed(at.hash);
            below.delete(at.key);
        }
    }

    /// The lengths of label and value that an edit leads to, if it writes one.
    fn lens_after(
        &self,
        slot: Option<Slot>,
        edit: &Edit<'_>,
        is_shut: bool,
        now: Millis,
    ) -> Option<(usize, usize)> {
        match edit {
            Edit::Put {
                expiry: Expiry::At(expiry),
                ..
            } if *expiry <= now => None,
            Edit::Put { value, label, .. } => {
                let label = label.unwrap_or_else(|| self.label(slot));
                Some((label_len(label, is_shut), value.len()))
            }
            Edit::Append(more) => Some((self.label_len(slot), self.value_len(slot) + more.len())),
            Edit::Patch { at, bytes } => {
                // What would exceed the longest value is refused, however far it reaches.
                let end = at.saturating_add(bytes.len()).min(VALUE_BYTES_MAX + 1);
                Some((self.label_len(slot), self.value_len(slot).max(end)))
            }
            Edit::Keep | Edit::Expire(_) | Edit::Remove => None,
        }
    }

    fn label_len(&self, slot: Option<Slot>) -> usize {
        slot.and_then(|slot| self.slab.get(slot))
            .map_or(0, Block::label_len)
    }

    fn value_len(&self, slot: Option<Slot>) -> usize {
        slot.and_then(|slot| self.slab.get(slot))
            .map_or(0, Block::value_len)
    }

    fn check_room(
        &mut self,
        at: &At<'_>,
        slot: Option<Slot>,
        (label_len, value_len): (usize, usize),
        room_bytes: usize,
    ) -> Result<(), Refusal> {
        if label_len > LABEL_NOTE_BYTES_MAX {
            let (bytes, bytes_max) = (label_len, LABEL_NOTE_BYTES_MAX);
            return Err(Refusal::Never(Error::NoteTooLong { bytes, bytes_max }));
        }
        let bytes_max = self.config.entry_bytes_max;
        let key_len = at.key.bytes.len();
        let bytes = block_bytes(self.config.classes, label_len, key_len, value_len);
        if bytes > bytes_max || u32::try_from(value_len).is_err() {
            self.stats.refused += 1;
            return Err(Refusal::Never(Error::EntryTooLarge { bytes, bytes_max }));
        }
        let held = slot.map_or(0, |slot| self.bytes(slot));
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
        value: Laid<'_>,
        label: Option<Label<'_>>,
        expiry: Option<Millis>,
    ) -> Result<(), Refusal> {
        let Some(slot) = slot else {
            return self.insert(at, value, label.unwrap_or_default(), expiry.unwrap_or(0));
        };
        let before = self.before(slot);
        let classes = self.config.classes;
        let in_place = self
            .slab
            .get_mut(slot)
            .is_some_and(|block| block.overwrite(classes, label, value));
        if !in_place {
            let label = label.unwrap_or_else(|| self.label(Some(slot)));
            let block = self.block(at, label, value, b"", self.expiry(slot))?;
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
            return self.insert(at, Laid::plain(more), Label::NONE, 0);
        };
        let before = self.before(slot);
        self.extend(at, slot, more)?;
        self.written(at, slot, before);
        Ok(())
    }

    /// Lets a value grow; nobody is told yet.
    fn extend(&mut self, at: &At<'_>, slot: Slot, more: &[u8]) -> Result<(), Refusal> {
        let classes = self.config.classes;
        let in_place = self
            .slab
            .get_mut(slot)
            .is_some_and(|block| block.extend(classes, more));
        if !in_place {
            let old = self.slab.get(slot);
            let value = Laid::plain(old.map_or(&b""[..], Block::value));
            let label = old.map_or(Label::NONE, Block::label);
            let block = self.block(at, label, value, more, self.expiry(slot))?;
            self.swap(slot, block);
        }
        Ok(())
    }

    /// Writes over a part of the value; what goes beyond its end is appended.
    fn patch(
        &mut self,
        at: &At<'_>,
        slot: Option<Slot>,
        from: usize,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let len = self.value_len(slot);
        let (over, beyond) = bytes.split_at(bytes.len().min(len.saturating_sub(from)));
        let mut tail = vec![0; from.saturating_sub(len)];
        tail.extend_from_slice(beyond);
        let Some(slot) = slot else {
            return self.insert(at, Laid::plain(&tail), Label::NONE, 0);
        };
        let before = self.before(slot);
        if !tail.is_empty() {
            self.extend(at, slot, &tail)?;
        }
        if let Some(block) = self.slab.get_mut(slot) {
            block.patch(from, over);
        }
        self.written(at, slot, before);
        Ok(())
    }

    /// Bytes that the entry in `slot` takes.
    pub(super) fn bytes(&self, slot: Slot) -> usize {
        let block = self.slab.get(slot);
        block.map_or(0, |block| block.bytes(self.config.classes))
    }

    fn expiry(&self, slot: Slot) -> Millis {
        self.slab.get(slot).map_or(0, Block::expiry)
    }

    /// Puts another block into an occupied slot.
    fn swap(&mut self, slot: Slot, block: Block) {
        self.block_bytes += block.bytes(self.config.classes) as u64;
        if let Some(old) = self.slab.replace(slot, block) {
            self.stats.stale -= u64::from(old.is_lapsed());
            self.discard(old);
        }
    }

    fn insert(
        &mut self,
        at: &At<'_>,
        value: Laid<'_>,
        label: Label<'_>,
        expiry: Millis,
    ) -> Result<(), Refusal> {
        let block = self.block(at, label, value, b"", expiry)?;
        let size = block.bytes(self.config.classes);
        self.drop_stale(at);
        let slot = self
            .insert_block(at.hash, block)
            .ok_or(Refusal::Never(Error::OutOfMemory))?;
        self.note_written(at, slot, size, false);
        Ok(())
    }

    /// A block of this value, with `more` behind it.
    fn block(
        &self,
        at: &At<'_>,
        label: Label<'_>,
        value: Laid<'_>,
        more: &[u8],
        expiry: Millis,
    ) -> Result<Block, Refusal> {
        let stamp = stamp(at.now, self.config.start_ms);
        let content = Content {
            key: at.key,
            label,
            value,
            more,
            expiry,
            stamp,
        };
        Block::new(self.config.classes, &content).ok_or(Refusal::Never(Error::OutOfMemory))
    }

    fn before(&self, slot: Slot) -> Before {
        Before {
            value_len: self.value_len(Some(slot)),
            was_known: self.may_evict(slot),
        }
    }

    /// Counts and notes that the value in `slot` was written.
    fn written(&mut self, at: &At<'_>, slot: Slot, before: Before) {
        let after = self.value_len(Some(slot)) as u64;
        let size = self.bytes(slot);
        self.stats.data_bytes = self.stats.data_bytes - before.value_len as u64 + after;
        self.stats.updates += 1;
        self.waste(slot);
        self.touch(slot, at.now);
        self.note_written(at, slot, size, before.was_known);
    }

    /// Notes that a value of that size is in `slot`, of which the evictor knew before or not.
    fn note_written(&mut self, at: &At<'_>, slot: Slot, size: usize, was_known: bool) {
        match (was_known, self.may_evict(slot)) {
            (true, true) => self.note_put(EventKind::Update, at, slot, size),
            (false, true) => self.note_put(EventKind::Insert, at, slot, size),
            (true, false) => self.note_removed(slot, at.hash, Removal::Deleted),
            (false, false) => {}
        }
        self.watches.changed(at.hash);
        self.end_lease(at.hash);
        self.changes.tell(self.places, at.key, Change::Written);
        self.record(Kind::Write, at, Some(slot));
        self.tell(AskedFor::Kept, at, size);
        self.tell_below(at, slot);
    }

    /// Tells what lies below how the entry in `slot` is now; where it is not to stay here, it goes.
    fn tell_below(&mut self, at: &At<'_>, slot: Slot) {
        let Some(below) = &self.below else {
            return;
        };
        if self.show(slot, |entry| below.put(at.key, entry)) == Some(false) {
            self.empty_slot(slot, Removal::Evicted);
        }
    }

    /// Puts in what was found below, if `room_bytes` suffice for it. The key must not be here, but for a stale
    /// value. Where nobody has asked for it, it waits until then.
    pub(crate) fn admit(
        &mut self,
        at: &At<'_>,
        stored: &Stored,
        until: Option<Millis>,
        room_bytes: usize,
    ) -> Result<(), Refusal> {
        let label = stored.label();
        let shut = self.shut_value(at, label.note, &stored.value)?;
        let value = Laid {
            bytes: shut.as_deref().unwrap_or(&stored.value),
            is_shut: shut.is_some(),
        };
        let lens = (label_len(label, value.is_shut), value.bytes.len());
        self.check_room(at, None, lens, room_bytes)?;
        let expiry = stored.expires_at.unwrap_or(0);
        let block = self.block(at, label, value, b"", expiry)?;
        let size = block.bytes(self.config.classes);
        self.drop_stale(at);
        let slot = self
            .insert_block(at.hash, block)
            .ok_or(Refusal::Never(Error::OutOfMemory))?;
        self.end_lease(at.hash);
        self.tell(AskedFor::Kept, at, size);
        if let Some(until) = until {
            self.wait(slot, size as u64, at.now, until);
        } else if self.may_evict(slot) {
            self.note_put(EventKind::Insert, at, slot, size);
        }
        Ok(())
    }

    /// What was found below, as an entry without a slot, not shut.
    pub(crate) fn guest(&self, at: &At<'_>, stored: &Stored) -> Option<Block> {
        let value = Laid {
            bytes: &stored.value,
            is_shut: false,
        };
        let expiry = stored.expires_at.unwrap_or(0);
        self.block(at, stored.label(), value, b"", expiry).ok()
    }

    /// Tells what lies below that a key came into memory from there, and who remembers that there was none if it is
    /// new. While its database is emptied it would stay there when it goes from here.
    pub(crate) fn tell_admitted(&mut self, at: &At<'_>) {
        let below = self.below.as_ref().filter(|_| !self.is_clearing(at.key));
        let Some((below, slot)) = below.zip(self.slot_of(at)) else {
            return;
        };
        match self.show(slot, |entry| below.admitted(at.key, entry)) {
            Some(Origin::Loader { is_known_absent }) => {
                self.changes.tell(self.places, at.key, Change::Written);
                if !is_known_absent {
                    self.suspect(slot, at.now);
                    self.trust_anyway(at);
                }
            }
            Some(Origin::Levels) | None => {}
        }
    }

    pub(super) fn note_put(&mut self, kind: EventKind, at: &At<'_>, slot: Slot, size: usize) {
        let block = self.slab.get(slot);
        self.note(Event {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            priority: block.map_or(0, |block| block.label().priority),
            ..Event::new(kind, slot, at.hash as u32)
        });
    }

    fn change_expiry(&mut self, at: &At<'_>, slot: Slot, expiry: Millis) {
        let was_known = self.may_evict(slot);
        self.set_expiry(slot, expiry);
        match (was_known, self.may_evict(slot)) {
            (false, true) => self.note_put(EventKind::Insert, at, slot, self.bytes(slot)),
            (true, false) => self.note_removed(slot, at.hash, Removal::Deleted),
            _ => {}
        }
        self.changes.tell(self.places, at.key, Change::Expiry);
        self.record(Kind::Expire, at, Some(slot));
        self.tell_below(at, slot);
    }

    fn set_expiry(&mut self, slot: Slot, expiry: Millis) {
        let Some(block) = self.slab.get_mut(slot) else {
            return;
        };
        let (db, before) = (usize::from(block.db()), block.expiry());
        block.set_expiry(expiry);
        if block.is_lapsed() {
            // By the clock of whoever changes it it had not expired.
            block.set_lapsed(false);
            self.stats.stale -= 1;
        }
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
