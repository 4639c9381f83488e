//! Values that are kept shut: opened for whoever reads them, shut again by whoever writes them.

use larder_sdk::{Removal, Slot};

use super::block::Block;
use super::state::{At, State};
use super::write::Refusal;
use crate::edit::{Edit, Expiry};
use crate::entry::{Entry, Key, Label};
use crate::error::Error;

impl State {
    /// Shows the entry in `slot`, opened; `None` where there is none or it cannot be opened.
    #[inline]
    pub(super) fn show<R>(&self, slot: Slot, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        let block = self.slab.get(slot)?;
        let opened = match block.is_shut() {
            false => None,
            true => Some(self.open(block)?),
        };
        Some(read(self.entry(block, opened.as_deref())))
    }

    /// As [`Self::show`], and an entry that cannot be opened goes.
    pub(super) fn show_or_lose<R>(
        &mut self,
        slot: Slot,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let shown = self.show(slot, read);
        if shown.is_none() {
            self.lose(slot);
        }
        shown
    }

    /// As [`State::get`], of an entry whose value is shut.
    #[cold]
    pub(super) fn get_shut<R>(
        &mut self,
        slot: Slot,
        at: &At<'_>,
        read: impl FnOnce(Entry<'_>) -> R,
    ) -> Option<R> {
        let shown = self.show_or_lose(slot, |entry| (read(entry), entry.label().times.cost_ms > 0));
        let Some((result, was_loaded)) = shown else {
            self.count_miss(at);
            return None;
        };
        self.touch(slot, at.now);
        self.count_hit(slot, at);
        if was_loaded {
            self.tell_read(slot, at);
        }
        Some(result)
    }

    /// The value of the entry in `slot`, where it is shut. One that cannot be opened goes, and the slot with it.
    #[inline]
    pub(super) fn open_slot(&mut self, slot: Option<Slot>) -> (Option<Slot>, Option<Vec<u8>>) {
        let block = slot.and_then(|slot| self.slab.get(slot));
        let Some(block) = block.filter(|block| block.is_shut()) else {
            return (slot, None);
        };
        match (self.open(block), slot) {
            (None, Some(lost)) => {
                self.lose(lost);
                (None, None)
            }
            (opened, slot) => (slot, opened),
        }
    }

    /// What `edit` comes to where the value is kept shut: one that was `opened` for it is written as a whole, and what is
    /// to be kept shut is put so. Whether it is.
    pub(super) fn shut<'v>(
        &mut self,
        at: &At<'_>,
        slot: Option<Slot>,
        opened: Option<Vec<u8>>,
        edit: Edit<'v>,
    ) -> Result<(Edit<'v>, bool), Refusal> {
        if self.vault.is_none() {
            return Ok((edit, false));
        }
        let edit = match opened {
            Some(value) => self.whole(value, edit)?,
            None => edit,
        };
        let Edit::Put {
            value,
            expiry,
            label,
        } = edit
        else {
            return Ok((edit, false));
        };
        let note = label.unwrap_or_else(|| self.label(slot)).note;
        let shut = match value.len() > self.config.entry_bytes_max {
            // It will be refused.
            true => None,
            false => self.shut_value(at, note, &value)?,
        };
        let is_shut = shut.is_some();
        let value = shut.map_or(value, Into::into);
        let edit = Edit::Put {
            value,
            expiry,
            label,
        };
        Ok((edit, is_shut))
    }

    /// What is kept in the place of a value with that note, where it is not the value itself.
    pub(super) fn shut_value(
        &self,
        at: &At<'_>,
        note: &[u8],
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        match &self.vault {
            Some(vault) => vault.shut(at.key, note, value).map_err(Refusal::Never),
            None => Ok(None),
        }
    }

    /// The edit that puts all of the value which `edit` makes of it, if it changes a part.
    fn whole<'v>(&mut self, mut value: Vec<u8>, edit: Edit<'v>) -> Result<Edit<'v>, Refusal> {
        let (from, bytes) = match &edit {
            Edit::Append(more) => (value.len(), *more),
            Edit::Patch { at, bytes } => (*at, &**bytes),
            Edit::Keep | Edit::Put { .. } | Edit::Expire(_) | Edit::Remove => return Ok(edit),
        };
        let end = from.saturating_add(bytes.len());
        let bytes_max = self.config.entry_bytes_max;
        if end > bytes_max {
            self.stats.refused += 1;
            let error = Error::EntryTooLarge {
                bytes: end,
                bytes_max,
            };
            return Err(Refusal::Never(error));
        }
        value.resize(value.len().max(end), 0);
        value[from..end].copy_from_slice(bytes);
        Ok(Edit::Put {
            value: value.into(),
            expiry: Expiry::Keep,
            label: None,
        })
    }

    /// What the entry in `slot` carries beside its value.
    pub(super) fn label(&self, slot: Option<Slot>) -> Label<'_> {
        let block = slot.and_then(|slot| self.slab.get(slot));
        block.map_or(Label::NONE, Block::label)
    }

    pub(crate) fn entry<'a>(&self, block: &'a Block, opened: Option<&'a [u8]>) -> Entry<'a> {
        let start_ms = self.config.start_ms;
        Entry {
            block,
            opened,
            start_ms,
        }
    }

    #[cold]
    fn open(&self, block: &Block) -> Option<Vec<u8>> {
        let key = Key::new(block.db(), block.key());
        self.vault.as_ref()?.open(key, block.value())
    }

    /// An entry that cannot be opened goes from memory. What lies below stays as it is: it may be read there.
    #[cold]
    fn lose(&mut self, slot: Slot) {
        if let Some(block) = self.slab.get(slot) {
            let key = Key::new(block.db(), block.key());
            self.changes.tell(self.places, key, Removal::Evicted.into());
        }
        self.empty_slot(slot, Removal::Evicted);
        self.stats.evictions += 1;
    }
}
