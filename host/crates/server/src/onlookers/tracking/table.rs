//! Who has read which key: bounded in keys and bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::budget::Budget;

/// Keys that are remembered, as many as Redis remembers; the oldest are told as if they had changed.
pub(crate) const KEYS_MAX: usize = 1_000_000;
/// Bytes that a key takes beside itself, which may be there twice; and those of each who has read it.
const KEY_BYTES: usize = 192;
const READER_BYTES: usize = 16;

/// Connections by number.
pub(super) type Readers = Vec<u64>;

/// See the module. It is paid for from the clients' buffers.
pub(super) struct Table {
    budget: Arc<Budget>,
    bytes_max: usize,
    charged_bytes: usize,
    readers: HashMap<Arc<[u8]>, Readers>,
    items: usize,
    /// The keys in the order in which they came; some have gone since.
    order: VecDeque<Arc<[u8]>>,
}

impl Table {
    pub(super) fn new(budget: Arc<Budget>, bytes_max: usize) -> Self {
        Self {
            budget,
            bytes_max,
            charged_bytes: 0,
            readers: HashMap::new(),
            items: 0,
            order: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.readers.len()
    }

    /// Readers of all keys together.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    /// Remembers who reads a key; `false` where there is no room.
    pub(super) fn add(&mut self, key: &[u8], reader: u64) -> bool {
        let known = self.readers.get(key);
        if known.is_some_and(|readers| readers.contains(&reader)) {
            return true;
        }
        let bytes = match known {
            Some(_) => READER_BYTES,
            None if self.readers.len() >= KEYS_MAX => return false,
            None => bytes(key, 1),
        };
        if self.charged_bytes + bytes > self.bytes_max || !self.budget.take(bytes) {
            return false;
        }
        self.charged_bytes += bytes;
        self.items += 1;
        if let Some(readers) = self.readers.get_mut(key) {
            readers.push(reader);
            return true;
        }
        let key: Arc<[u8]> = key.into();
        self.readers.insert(key.clone(), vec![reader]);
        self.order.push_back(key);
        if self.order.len() > 2 * self.readers.len() + 16 {
            let readers = &self.readers;
            self.order.retain(|key| is_there(readers, key));
        }
        true
    }

    /// Forgets a key: who has read it.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Readers> {
        let readers = self.readers.remove(key)?;
        self.items -= readers.len();
        let bytes = bytes(key, readers.len());
        self.charged_bytes -= bytes;
        self.budget.give_back(bytes);
        Some(readers)
    }

    /// Forgets the key that came first: which, and who has read it.
    pub(super) fn forget_oldest(&mut self) -> Option<(Arc<[u8]>, Readers)> {
        while let Some(key) = self.order.pop_front() {
            if is_there(&self.readers, &key) {
                let readers = self.remove(&key)?;
                return Some((key, readers));
            }
        }
        None
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        self.readers = HashMap::new();
        self.order = VecDeque::new();
        self.items = 0;
        self.budget
            .give_back(std::mem::take(&mut self.charged_bytes));
    }
}

fn bytes(key: &[u8], readers: usize) -> usize {
    2 * key.len() + KEY_BYTES + readers * READER_BYTES
}

/// Whether this very one is remembered; the same key may have gone and come again.
fn is_there(readers: &HashMap<Arc<[u8]>, Readers>, key: &Arc<[u8]>) -> bool {
    let found = readers.get_key_value(key);
    found.is_some_and(|(known, _)| Arc::ptr_eq(known, key))
}

impl Drop for Table {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(bytes_max: usize) -> (Arc<Budget>, Table) {
        let budget = Arc::new(Budget::new(bytes_max));
        (budget.clone(), Table::new(budget, bytes_max / 2))
    }

    #[test]
    fn readers_are_counted_paid_for_and_forgotten() {
        let (budget, mut table) = table(1 << 20);
        for reader in [1, 2, 2, 3] {
            assert!(table.add(b"a", reader));
        }
        assert!(table.add(b"b", 1));
        assert_eq!((table.len(), table.items()), (2, 4));
        assert!(budget.used_bytes() > 0);
        let readers = table.remove(b"a").expect("it is there");
        assert_eq!(readers[..], [1, 2, 3]);
        assert_eq!(table.remove(b"a"), None);
        table.add(b"a", 1);
        table.clear();
        assert_eq!((table.len(), table.items(), budget.used_bytes()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_goes_first_and_what_came_again_is_young() {
        let (_, mut table) = table(1 << 20);
        for key in [b"a", b"b", b"c"] {
            table.add(key, 1);
        }
        table.remove(b"a");
        table.add(b"a", 2);
        let mut order = Vec::new();
        while let Some((key, readers)) = table.forget_oldest() {
            order.push((key[0], readers[0]));
        }
        assert_eq!(order, [(b'b', 1), (b'c', 1), (b'a', 2)]);
    }

    #[test]
    fn it_does_not_grow_beyond_what_it_may() {
        let (budget, mut table) = table(20_000);
        for n in 0..100_000_u32 {
            let key = n.to_le_bytes();
            while !table.add(&key, 1) {
                assert!(table.forget_oldest().is_some());
            }
            if n % 3 == 0 {
                table.remove(&key);
            }
            assert!(table.order.len() <= 2 * table.len() + 17);
        }
        assert!((5_000..=10_000).contains(&budget.used_bytes()));
        drop(table);
        assert_eq!(budget.used_bytes(), 0);
        let (_, mut table) = self::table(100);
        assert!(!table.add(b"a", 1));
        assert!(table.forget_oldest().is_none());
    }
}
