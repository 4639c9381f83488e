//! What the codec did, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Damage;

/// What became of the records of one kind that were packed one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Records.
    pub records: u64,
    /// Bytes of values and notes.
    pub bytes_in: u64,
    /// Bytes that were left of them, headers and seals aside.
    pub bytes_out: u64,
}

/// Why records of one kind were not compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftAlone {
    /// Compression is off.
    pub off: u64,
    /// They are too small.
    pub small: u64,
    /// Compressing did not pay for the ones before them.
    pub resting: u64,
    /// It was tried, and saved next to nothing.
    pub in_vain: u64,
}

/// What was done with the values of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindFigures {
    /// Whose values they are.
    pub tenant: String,
    /// Their type, as clients say, or what they look like: `json`, `text`, `packed`, `binary`.
    pub data_type: String,
    /// Those that were left as they were.
    pub plain: Flow,
    /// Why that was.
    pub left_alone: LeftAlone,
    /// Those compressed with zstd.
    pub zstd: Flow,
    /// Those compressed with zstd and a dictionary.
    pub dictionary: Flow,
    /// Those compressed with LZ4.
    pub lz4: Flow,
    /// The newest dictionary's version; none: 0.
    pub dictionary_version: u32,
}

/// What the codec did since it was made, and what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// By kind of values.
    pub kinds: Vec<KindFigures>,
    /// Values that were compressed to stay in memory so.
    pub packed: Flow,
    /// Records that were sealed.
    pub sealed: u64,
    /// Sealed records that were opened.
    pub opened: u64,
    /// Records that were no entries, in the order of [`Damage::KINDS`].
    pub damaged: [u64; Damage::KINDS.len()],
    /// Dictionaries that records may name.
    pub dictionaries: usize,
    /// Bytes of memory that dictionaries and samples take.
    pub memory_bytes: usize,
}

#[derive(Default)]
pub(super) struct FlowCounter([AtomicU64; 3]);

impl FlowCounter {
    pub(super) fn add(&self, bytes_in: usize, bytes_out: usize) {
        for (counter, more) in self.0.iter().zip([1, bytes_in, bytes_out]) {
            counter.fetch_add(more as u64, Ordering::Relaxed);
        }
    }

    fn snapshot(&self) -> Flow {
        let [records, bytes_in, bytes_out] = self.0.each_ref().map(read);
        Flow {
            records,
            bytes_in,
            bytes_out,
        }
    }
}

/// Why one record was not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Off,
    Small,
    Resting,
    InVain,
}

#[derive(Default)]
pub(super) struct KindCounters {
    pub(super) plain: FlowCounter,
    pub(super) zstd: FlowCounter,
    pub(super) dictionary: FlowCounter,
    pub(super) lz4: FlowCounter,
    left_alone: [AtomicU64; 4],
}

impl KindCounters {
    pub(super) fn leave(&self, why: Why, bytes: usize) {
        self.left_alone[why as usize].fetch_add(1, Ordering::Relaxed);
        self.plain.add(bytes, bytes);
    }

    pub(super) fn snapshot(&self, tenant: &str, data_type: &str, version: u32) -> KindFigures {
        let [off, small, resting, in_vain] = self.left_alone.each_ref().map(read);
        KindFigures {
            tenant: tenant.to_owned(),
            data_type: data_type.to_owned(),
            plain: self.plain.snapshot(),
            left_alone: LeftAlone {
                off,
                small,
                resting,
                in_vain,
            },
            zstd: self.zstd.snapshot(),
            dictionary: self.dictionary.snapshot(),
            lz4: self.lz4.snapshot(),
            dictionary_version: version,
        }
    }
}

/// What was sealed, opened and found damaged, and what was compressed for the memory.
#[derive(Default)]
pub(super) struct SealCounters {
    pub(super) packed: FlowCounter,
    pub(super) sealed: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) damaged: [AtomicU64; Damage::KINDS.len()],
}

impl SealCounters {
    pub(super) fn fill(&self, figures: &mut Figures) {
        figures.packed = self.packed.snapshot();
        figures.sealed = read(&self.sealed);
        figures.opened = read(&self.opened);
        figures.damaged = self.damaged.each_ref().map(read);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
