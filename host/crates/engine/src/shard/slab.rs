//! Slot numbers for entries: dense, handed out again when freed, in chunks that never move.

#![allow(unsafe_code)]

use std::ptr::{NonNull, without_provenance_mut};

use super::block::Block;
use crate::size_class::SizeClasses;

const CHUNK: usize = 1024;

/// A place: the address of a block; or, with the lowest bit set, the next free slot.
type Place = *mut u8;

const NO_SLOT: u32 = u32::MAX;

/// The entries of a shard by slot: eight bytes a slot.
pub(crate) struct Slab {
    chunks: Vec<Box<[Place; CHUNK]>>,
    /// Slots handed out so far, free ones included.
    slots: u32,
    free: u32,
    classes: SizeClasses,
}

// SAFETY: the slab owns the blocks its places stand for, and blocks may change threads.
unsafe impl Send for Slab {}

impl Slab {
    pub(crate) fn new(classes: SizeClasses) -> Self {
        Self {
            chunks: Vec::new(),
            slots: 0,
            free: NO_SLOT,
            classes,
        }
    }

    /// Slots there are, each below this number; some may be free.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.len() * size_of::<[Place; CHUNK]>()
    }

    fn place(&self, slot: u32) -> Option<&Place> {
        if slot >= self.slots {
            return None;
        }
        self.chunks
            .get(slot as usize / CHUNK)
            .map(|chunk| &chunk[slot as usize % CHUNK])
    }

    fn place_mut(&mut self, slot: u32) -> &mut Place {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    /// The entry in `slot`, if there is one.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Block> {
        let place = self.place(slot)?;
        // SAFETY: an occupied place holds what `into_raw` gave, and stays so while `self` is shared.
        is_block(*place).then(|| unsafe { Block::peek_raw(place) })
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Block> {
        if slot >= self.slots {
            return None;
        }
        let place = self.place_mut(slot);
        // SAFETY: as above; a block is a transparent non-null pointer, and `self` is borrowed
        // mutably for as long as the reference lives.
        is_block(*place).then(|| unsafe { &mut *std::ptr::from_mut(place).cast::<Block>() })
    }

    /// Puts an entry into a free slot, or gives it back where all 2^32 - 1 slots are taken.
    pub(crate) fn insert(&mut self, block: Block) -> Result<u32, Block> {
        let slot = self.free;
        if slot != NO_SLOT {
            let place = self.place_mut(slot);
            let next = (place.addr() >> 1) as u32;
            *place = block.into_raw();
            self.free = next;
            return Ok(slot);
        }
        if self.slots == NO_SLOT {
            return Err(block);
        }
        let slot = self.slots;
        if slot as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([free_place(NO_SLOT); CHUNK]));
        }
        self.slots += 1;
        *self.place_mut(slot) = block.into_raw();
        Ok(slot)
    }

    /// Takes the entry out of `slot`. The slot is empty, but not handed out before
    /// [`Self::release`].
    pub(crate) fn take(&mut self, slot: u32) -> Option<Block> {
        self.get(slot)?;
        let raw = std::mem::replace(self.place_mut(slot), free_place(NO_SLOT));
        // SAFETY: the place was occupied, so it held what `into_raw` gave, and no longer does.
        NonNull::new(raw).map(|raw| unsafe { Block::from_raw(raw) })
    }

    /// Puts another entry into an occupied slot and gives the old one back.
    pub(crate) fn replace(&mut self, slot: u32, block: Block) -> Option<Block> {
        self.get_mut(slot)
            .map(|place| std::mem::replace(place, block))
    }

    /// Lets a slot that [`Self::take`] emptied be handed out again.
    pub(crate) fn release(&mut self, slot: u32) {
        let next = self.free;
        *self.place_mut(slot) = free_place(next);
        self.free = slot;
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        for slot in 0..self.slots {
            if let Some(block) = self.take(slot) {
                block.free(self.classes);
            }
        }
    }
}

fn is_block(place: Place) -> bool {
    place.addr() & 1 == 0
}

fn free_place(next: u32) -> Place {
    without_provenance_mut((next as usize) << 1 | 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use crate::shard::block::{Content, Laid};

    fn block(n: u32) -> Block {
        let key = n.to_le_bytes();
        let content = Content {
            label: crate::Label::NONE,
            key: Key::new(0, &key),
            value: Laid::plain(b""),
            more: b"",
            expiry: 0,
            stamp: n,
        };
        Block::new(SizeClasses::Sixteen, &content).unwrap()
    }

    #[test]
    fn slots_are_dense_and_come_back_only_when_released() {
        let mut slab = Slab::new(SizeClasses::Sixteen);
        for n in 0..3000 {
            assert_eq!(slab.insert(block(n)).ok(), Some(n));
        }
        slab.take(5).unwrap().free(SizeClasses::Sixteen);
        assert!(slab.take(5).is_none() && slab.get(5).is_none() && slab.get(3000).is_none());
        assert_eq!(slab.insert(block(0)).ok(), Some(3000));
        slab.release(5);
        assert_eq!(slab.insert(block(1)).ok(), Some(5));
        assert_eq!(slab.get(2999).unwrap().stamp(), 2999);
        let old = slab.replace(5, block(77)).unwrap();
        assert_eq!((old.stamp(), slab.get(5).unwrap().stamp()), (1, 77));
        old.free(SizeClasses::Sixteen);
    }
}
