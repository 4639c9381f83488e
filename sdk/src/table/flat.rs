//! Natively: one piece.

use std::ops::{Index, IndexMut};

use crate::{Slot, cover};

/// A value for each slot from 0.
///
/// Natively it is one piece, which is quickest. In WebAssembly, where memory that was once used is
/// never given back, it is in chunks that never move: a vector that grows leaves a hole where it
/// was, and of several that grow together none fits into the holes of the others.
#[derive(Debug)]
pub struct Table<T> {
    values: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<T: Copy + Default> Table<T> {
    /// Grows until `slot` is covered, new places holding the default. Slots are dense, so this is
    /// little at a time.
    #[inline]
    pub fn cover(&mut self, slot: Slot) {
        cover(&mut self.values, slot);
    }

    /// The value of a slot; `None` where it was never covered.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.values.get(slot as usize)
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }
}

impl<T> Index<Slot> for Table<T> {
    type Output = T;

    /// # Panics
    /// Where `slot` was never covered.
    #[inline]
    fn index(&self, slot: Slot) -> &T {
        &self.values[slot as usize]
    }
}

impl<T> IndexMut<Slot> for Table<T> {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.values[slot as usize]
    }
}
