//! In WebAssembly: chunks that never move.

use std::ops::{Index, IndexMut};

use crate::Slot;

/// Values a chunk.
const CHUNK: usize = 512;

/// A value for each slot from 0, in chunks that never move.
#[derive(Debug)]
pub struct Table<T> {
    chunks: Vec<Box<[T; CHUNK]>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Copy + Default> Table<T> {
    /// Grows until `slot` is covered, new places holding the default. Slots are dense, so this is
    /// little at a time.
    #[inline]
    pub fn cover(&mut self, slot: Slot) {
        while self.chunks.len() <= slot as usize / CHUNK {
            self.chunks.push(Box::new([T::default(); CHUNK]));
        }
    }

    /// The value of a slot; `None` where it was never covered.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        let chunk = self.chunks.get(slot as usize / CHUNK)?;
        chunk.get(slot as usize % CHUNK)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.len() * size_of::<[T; CHUNK]>() + self.chunks.capacity() * size_of::<usize>()
    }
}

impl<T> Index<Slot> for Table<T> {
    type Output = T;

    /// # Panics
    /// Where `slot` was never covered.
    #[inline]
    fn index(&self, slot: Slot) -> &T {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl<T> IndexMut<Slot> for Table<T> {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}
