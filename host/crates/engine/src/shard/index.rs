//! Finds the slot of a key: a hash table of slot numbers.
//!
//! Made of many small tables, so that growing one stalls a write for microseconds, never for the
//! whole shard. Each is an array of 64-byte chunks, one cache line each: twelve tags of a byte,
//! twelve slots, and a count of the entries that found the chunk full and went on to a later one
//! (as in Facebook's F14). Tables grow by a seventh to a quarter, along the allocator's own size
//! classes: between 0.68 and 0.85 full, about seven bytes an entry.

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Chunk {
    /// 0: empty; otherwise a byte of the hash, never 0.
    tags: [u8; LANES],
    /// Entries that passed by because this chunk was full.
    passed: u32,
    slots: [u32; LANES],
}

const LANES: usize = 12;
const EMPTY: Chunk = Chunk {
    tags: [0; LANES],
    passed: 0,
    slots: [0; LANES],
};

/// Load, in percent of the lanes, above which a table grows and below which it shrinks.
const LOAD_MAX_PERCENT: usize = 85;
const LOAD_MIN_PERCENT: usize = 45;

/// Tables a shard may have.
const TABLES_MAX: u64 = 4096;
/// Bytes of a shard's share that ask for one more table.
const SHARE_BYTES_A_TABLE: u64 = 64 * 1024;

struct Table {
    chunks: Box<[Chunk]>,
    len: u32,
}

/// The index of one shard.
pub(crate) struct Index {
    tables: Box<[Table]>,
    chunks: usize,
}

impl Index {
    /// An empty index for a shard that has `share_bytes` of memory.
    pub(crate) fn new(share_bytes: u64) -> Self {
        let tables = (share_bytes / SHARE_BYTES_A_TABLE)
            .clamp(1, TABLES_MAX)
            .next_power_of_two();
        let empty = || Table {
            chunks: Box::default(),
            len: 0,
        };
        Self {
            tables: (0..tables).map(|_| empty()).collect(),
            chunks: 0,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.tables.len() * size_of::<Table>() + self.chunks * size_of::<Chunk>()
    }

    fn table(&self, hash: u64) -> usize {
        (hash >> 44) as usize & (self.tables.len() - 1)
    }

    /// The slot under `hash` for which `is_it` says yes.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let chunks = &self.tables[self.table(hash)].chunks;
        let tag = tag(hash);
        let mut at = home(hash, chunks.len());
        for _ in 0..chunks.len() {
            let chunk = &chunks[at];
            let mut lanes = matching(&chunk.tags, tag);
            while lanes != 0 {
                let slot = chunk.slots[lanes.trailing_zeros() as usize / 8 % LANES];
                if is_it(slot) {
                    return Some(slot);
                }
                lanes &= lanes - 1;
            }
            if chunk.passed == 0 {
                return None;
            }
            at = next(at, chunks.len());
        }
        None
    }

    /// Adds `slot`, which must not be there yet. `hash_of` gives the hash of any slot that is.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let table = self.table(hash);
        let table = &mut self.tables[table];
        let lanes = table.chunks.len() * LANES;
        if (table.len as usize + 1) * 100 > lanes * LOAD_MAX_PERCENT {
            let grown = larger(table.chunks.len());
            self.chunks += grown - table.chunks.len();
            table.resize(grown, hash_of);
        }
        table.place(hash, slot);
        table.len += 1;
    }

    /// Takes `slot` out, which must be there under `hash`.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let table = self.table(hash);
        let table = &mut self.tables[table];
        if !table.erase(hash, slot) {
            debug_assert!(false, "slot {slot} is not in the index");
            return;
        }
        table.len -= 1;
        let (len, chunks) = (table.len as usize, table.chunks.len());
        if chunks > 1 && len * 100 < chunks * LANES * LOAD_MIN_PERCENT {
            let mut fewer = 0;
            while len * 100 > fewer * LANES * LOAD_MAX_PERCENT * 4 / 5 {
                fewer = larger(fewer);
            }
            let fewer = fewer.clamp(1, chunks);
            self.chunks -= chunks - fewer;
            table.resize(fewer, hash_of);
        }
    }
}

impl Table {
    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = home(hash, self.chunks.len());
        loop {
            let chunk = &mut self.chunks[at];
            if let Some(lane) = chunk.tags.iter().position(|&tag| tag == 0) {
                chunk.tags[lane] = tag(hash);
                chunk.slots[lane] = slot;
                return;
            }
            chunk.passed += 1;
            at = next(at, self.chunks.len());
        }
    }

    fn erase(&mut self, hash: u64, slot: u32) -> bool {
        let len = self.chunks.len();
        let mut at = home(hash, len);
        for passed in 0..len {
            let chunk = &mut self.chunks[at];
            let lane = (0..LANES).find(|&i| chunk.tags[i] != 0 && chunk.slots[i] == slot);
            if let Some(lane) = lane {
                chunk.tags[lane] = 0;
                let mut at = home(hash, len);
                for _ in 0..passed {
                    self.chunks[at].passed -= 1;
                    at = next(at, len);
                }
                return true;
            }
            at = next(at, len);
        }
        false
    }

    fn resize(&mut self, chunks: usize, hash_of: impl Fn(u32) -> u64) {
        let old = std::mem::replace(&mut self.chunks, vec![EMPTY; chunks].into_boxed_slice());
        for chunk in &old {
            for lane in (0..LANES).filter(|&lane| chunk.tags[lane] != 0) {
                self.place(hash_of(chunk.slots[lane]), chunk.slots[lane]);
            }
        }
    }
}

fn tag(hash: u64) -> u8 {
    ((hash >> 32) as u8).max(1)
}

/// The first chunk to look into: the low half of the hash, scaled.
fn home(hash: u64, chunks: usize) -> usize {
    ((u64::from(hash as u32) * chunks as u64) >> 32) as usize
}

fn next(at: usize, chunks: usize) -> usize {
    if at + 1 == chunks { 0 } else { at + 1 }
}

/// The next number of chunks: four steps to each doubling, as the allocator's classes are.
fn larger(chunks: usize) -> usize {
    match chunks {
        0 => 1,
        _ => chunks + ((1 << chunks.ilog2()) / 4).max(1),
    }
}

/// The lanes whose tag is `tag`: bit `8 × lane + 7` of the result is set for each.
#[inline]
fn matching(tags: &[u8; LANES], tag: u8) -> u128 {
    let mut padded = [0; 16];
    padded[..LANES].copy_from_slice(tags);
    let words = u128::from_le_bytes(padded);
    const LOW: u128 = u128::from_le_bytes([0x7f; 16]);
    let differences = words ^ u128::from_le_bytes([tag; 16]);
    // A byte is zero exactly if neither it nor its low seven bits plus 0x7f reach the top bit.
    !(((differences & LOW) + LOW) | differences | LOW)
}

#[cfg(test)]
mod tests;
