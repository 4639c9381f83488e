//! Where a record lies, in eight bytes.

/// Records begin at multiples of this, and have as many bytes.
pub(super) const UNIT_BYTES: u64 = 8;

const OFFSET_BITS: u32 = 23;
const LENGTH_BITS: u32 = 24;
const SEGMENT_SHIFT: u32 = OFFSET_BITS + LENGTH_BITS;
const TOUCHED: u64 = 1 << 63;

/// Bytes into a segment at which the last of its records may begin.
pub(super) const OFFSET_BYTES_MAX: u64 = UNIT_BYTES << OFFSET_BITS;
/// Bytes that a record may have.
pub(super) const RECORD_BYTES_MAX: u64 = (UNIT_BYTES << LENGTH_BITS) - UNIT_BYTES;

/// Segment, offset and length of a record, and whether it was read since it came there. It is never 0, as
/// no record is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    /// What stands for no place.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn new(segment: u16, offset: u64, bytes: u64) -> Self {
        debug_assert!(offset < OFFSET_BYTES_MAX && bytes <= RECORD_BYTES_MAX && bytes > 0);
        Self(
            (u64::from(segment) << SEGMENT_SHIFT)
                | ((bytes / UNIT_BYTES) << OFFSET_BITS)
                | (offset / UNIT_BYTES),
        )
    }

    /// The lowest 16 bits of the segment's number.
    pub(super) fn segment(self) -> u16 {
        (self.0 >> SEGMENT_SHIFT) as u16
    }

    pub(super) fn offset(self) -> u64 {
        (self.0 & ((1 << OFFSET_BITS) - 1)) * UNIT_BYTES
    }

    pub(super) fn bytes(self) -> u64 {
        (self.0 >> OFFSET_BITS & ((1 << LENGTH_BITS) - 1)) * UNIT_BYTES
    }

    pub(super) fn is_touched(self) -> bool {
        self.0 & TOUCHED != 0
    }

    pub(super) fn touched(self) -> Self {
        Self(self.0 | TOUCHED)
    }

    /// Whether both mean the same record.
    pub(super) fn is_same(self, other: Self) -> bool {
        self.0 | TOUCHED == other.0 | TOUCHED
    }
}
