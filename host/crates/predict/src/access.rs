//! What a predictor is told, and what it asks of the cache that it works for.

/// One access, as a cache notes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Hash of the key.
    pub key: u64,
    /// Where the key stands in a family of numbered keys, if it does.
    pub place: Option<Place>,
    /// Bytes of its entry; 0 where they are not known.
    pub size_bytes: u32,
    /// When it was made, in milliseconds of the wall clock.
    pub at_ms: u64,
    /// What it was.
    pub kind: Kind,
}

/// Kinds of accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A read that found something in memory.
    Hit,
    /// A read that found nothing in memory, or what was fetched ahead and nobody had asked for.
    Miss,
    /// A write. It tells the size; nobody asked for anything.
    Insert,
}

/// A key of a family, such as `track:41`: hash of what all have in common, and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Hash of the key without its number.
    pub family: u64,
    /// The number.
    pub number: u64,
}

/// The cache that a predictor works for.
pub trait Cache {
    /// Hash of the key at a place; `None` where there can be none.
    fn key_at(&self, place: Place) -> Option<u64>;

    /// Whether a key is not in memory, so that it could be fetched.
    fn is_absent(&self, key: u64) -> bool;
}
