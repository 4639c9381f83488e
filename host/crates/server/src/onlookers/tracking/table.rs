//! Who has read which key: in parts by hash, each under a lock of its own, bounded in keys and bytes
//! together. Nothing that is done under such a lock takes longer for more keys than that.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{mem, thread};

use crate::budget::Budget;

/// Keys that are remembered, as many as Redis remembers; the oldest are told as if they had changed.
pub(crate) const KEYS_MAX: usize = 1_000_000;
/// Bytes that a key takes beside itself, which may be there twice; and those of each who has read it.
const KEY_BYTES: usize = 192;
const READER_BYTES: usize = 16;
/// So many that the tables of one, which at times have to grow, stay small.
const PARTS: usize = 64;
/// Readers of a key at which it is first looked whether some have gone.
const CROWD_MIN: usize = 8;
/// Keys that are freed at once; more take a thread of their own.
const FREED_AT_ONCE_MAX: usize = 10_000;

/// Connections by number.
pub(super) type Readers = Vec<u64>;

/// See the module. It is paid for from the clients' buffers.
pub(super) struct Table {
    parts: Box<[Mutex<Part>]>,
    hasher: RandomState,
    room: Arc<Room>,
}

/// What became of [`Table::add`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Done,
    /// There is no room.
    Full,
    /// So many have read it that it is time for [`Table::keep`].
    Crowded,
}

/// What all parts take together.
struct Room {
    budget: Arc<Budget>,
    bytes_max: usize,
    bytes: AtomicUsize,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// The number of the next key that comes.
    next: AtomicU64,
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let fits = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_max;
        let is_taken = fits && self.budget.take(bytes);
        if !is_taken {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_taken
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.give_back(bytes);
    }
}

/// The keys of a part, and what was paid for them.
pub(super) struct Part {
    room: Arc<Room>,
    known: HashMap<Arc<[u8]>, Known>,
    /// The keys in the order in which they came.
    order: BTreeMap<u64, Arc<[u8]>>,
    bytes: usize,
    items: usize,
}

struct Known {
    /// Its place in the order.
    number: u64,
    readers: Readers,
    /// As many readers make a crowd.
    crowd: usize,
}

impl Table {
    /// What is remembered is paid for from `budget`, so many bytes of it at most.
    pub(super) fn new(budget: Arc<Budget>, bytes_max: usize) -> Self {
        let room = Arc::new(Room {
            budget,
            bytes_max,
            bytes: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            next: AtomicU64::new(0),
        });
        let parts = (0..PARTS).map(|_| Mutex::new(Part::new(&room)));
        Self {
            parts: parts.collect(),
            hasher: RandomState::new(),
            room,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.room.keys.load(Ordering::Relaxed)
    }

    /// Readers of all keys together.
    pub(super) fn items(&self) -> usize {
        self.room.items.load(Ordering::Relaxed)
    }

    /// Remembers who reads a key.
    pub(super) fn add(&self, key: &[u8], reader: u64) -> Added {
        self.part(self.number(key)).add(key, reader)
    }

    /// Forgets those who have read a key and are not among `those`.
    pub(super) fn keep(&self, key: &[u8], those: impl Fn(u64) -> bool) {
        self.part(self.number(key)).keep(key, those);
    }

    /// Forgets who has read a key, but for `writer`, and says who they are.
    pub(super) fn remove(&self, key: &[u8], writer: Option<u64>) -> Readers {
        let mut part = self.part(self.number(key));
        let mut readers = part.remove(key).unwrap_or_default();
        // There is room, unless somebody else has just taken it.
        let keeps = writer.filter(|writer| readers.contains(writer));
        if let Some(writer) = keeps.filter(|writer| part.add(key, *writer) == Added::Done) {
            readers.retain(|reader| *reader != writer);
        }
        readers
    }

    /// Forgets the key that came first, as far as that stays so while all parts are looked at: which, and
    /// who has read it.
    pub(super) fn forget_oldest(&self) -> Option<(Arc<[u8]>, Readers)> {
        let first = |number| Some((*self.part(number).order.first_key_value()?.0, number));
        let (_, number) = (0..PARTS).filter_map(first).min()?;
        self.part(number).forget_oldest()
    }

    /// Forgets all keys. What is returned is to be handed to [`free`] once no lock is held.
    #[must_use]
    pub(super) fn clear(&self) -> Vec<Part> {
        let clear = |number| {
            let part = mem::replace(&mut *self.part(number), Part::new(&self.room));
            self.room
                .keys
                .fetch_sub(part.known.len(), Ordering::Relaxed);
            self.room.items.fetch_sub(part.items, Ordering::Relaxed);
            part
        };
        (0..PARTS).map(clear).collect()
    }

    fn number(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }

    fn part(&self, number: usize) -> MutexGuard<'_, Part> {
        // What it guards is whole after every statement.
        self.parts[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees what [`Table::clear`] returned.
pub(super) fn free(parts: Vec<Part>) {
    let keys: usize = parts.iter().map(|part| part.known.len()).sum();
    if keys > FREED_AT_ONCE_MAX {
        // Where there is no thread to be had it is freed here, with the closure.
        let thread = thread::Builder::new().name("larder-forget".into());
        let _ = thread.spawn(move || drop(parts));
    }
}

impl Part {
    fn new(room: &Arc<Room>) -> Self {
        Self {
            room: room.clone(),
            known: HashMap::new(),
            order: BTreeMap::new(),
            bytes: 0,
            items: 0,
        }
    }

    fn add(&mut self, key: &[u8], reader: u64) -> Added {
        let room = &self.room;
        if let Some(known) = self.known.get_mut(key) {
            if known.readers.contains(&reader) {
                return Added::Done;
            }
            if known.readers.len() >= known.crowd {
                return Added::Crowded;
            }
            if !room.take(READER_BYTES) {
                return Added::Full;
            }
            known.readers.push(reader);
            self.bytes += READER_BYTES;
        } else {
            let bytes = bytes(key, 1);
            if room.keys.load(Ordering::Relaxed) >= KEYS_MAX || !room.take(bytes) {
                return Added::Full;
            }
            room.keys.fetch_add(1, Ordering::Relaxed);
            self.bytes += bytes;
            let key: Arc<[u8]> = key.into();
            let number = room.next.fetch_add(1, Ordering::Relaxed);
            let known = Known {
                number,
                readers: vec![reader],
                crowd: CROWD_MIN,
            };
            self.order.insert(number, key.clone());
            self.known.insert(key, known);
        }
        self.items += 1;
        room.items.fetch_add(1, Ordering::Relaxed);
        Added::Done
    }

    fn keep(&mut self, key: &[u8], those: impl Fn(u64) -> bool) {
        let Some(known) = self.known.get_mut(key) else {
            return;
        };
        let before = known.readers.len();
        known.readers.retain(|reader| those(*reader));
        let gone = before - known.readers.len();
        known.readers.shrink_to_fit();
        known.crowd = CROWD_MIN.max(2 * known.readers.len());
        self.give_back(gone * READER_BYTES, gone);
    }

    fn remove(&mut self, key: &[u8]) -> Option<Readers> {
        let known = self.known.remove(key)?;
        self.order.remove(&known.number);
        self.room.keys.fetch_sub(1, Ordering::Relaxed);
        self.give_back(bytes(key, known.readers.len()), known.readers.len());
        Some(known.readers)
    }

    fn forget_oldest(&mut self) -> Option<(Arc<[u8]>, Readers)> {
        let (_, key) = self.order.pop_first()?;
        let readers = self.remove(&key)?;
        Some((key, readers))
    }

    fn give_back(&mut self, bytes: usize, items: usize) {
        self.bytes -= bytes;
        self.items -= items;
        self.room.give_back(bytes);
        self.room.items.fetch_sub(items, Ordering::Relaxed);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

fn bytes(key: &[u8], readers: usize) -> usize {
    2 * key.len() + KEY_BYTES + readers * READER_BYTES
}

#[cfg(test)]
mod tests;
