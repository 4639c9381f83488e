//! One entry in one allocation: sixteen bytes of header, the label if there is one, the key, the
//! value.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::slice;

use crate::entry::{DATABASES, Key, LABEL_NOTE_BYTES_MAX, Label, MILLIS_MAX, Millis, Times};
use crate::size_class::SizeClasses;

/// Everything about an entry but its bytes.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Header {
    /// Expiry in the upper 42 bits (0: none), whether there is a label, the key's length in 17 bits,
    /// the database in 4.
    meta: u64,
    stamp: u32,
    value_len: u32,
}

const HEADER_BYTES: usize = size_of::<Header>();
const DB_BITS: u32 = 4;
const KEY_BITS: u32 = 17;
const LABELLED: u64 = 1 << (DB_BITS + KEY_BITS);
const EXPIRY_SHIFT: u32 = 22;
/// What a label takes beside its times and its note: the priority, flags, and the note's length.
const LABEL_HEAD_BYTES: usize = 4;
/// What its times take, if it has some.
const TIMES_BYTES: usize = 12;
/// The flag of a label that has times.
const TIMED: u8 = 1;
/// The flag of a label whose entry has expired, which was told, and is kept.
const LAPSED: u8 = 2;
/// The flag of a label whose value is what a vault made of it.
const SHUT: u8 = 4;

const _: () = assert!(1 << DB_BITS == DATABASES);
const _: () = assert!(MILLIS_MAX == (1 << (64 - EXPIRY_SHIFT)) - 1);
const _: () = assert!(crate::KEY_BYTES_MAX < 1 << KEY_BITS && LABELLED == 1 << (EXPIRY_SHIFT - 1));
const _: () = assert!(LABEL_NOTE_BYTES_MAX <= u16::MAX as usize);

/// An owned entry. It has to be given back through [`Block::free`] with the size classes it was
/// made with: its allocation has the size class of header, key and value, and nothing notes it.
#[repr(transparent)]
pub(crate) struct Block(NonNull<Header>);

// SAFETY: a block owns its allocation and nothing in it refers to a thread; shared references only
// read, and every change needs `&mut`.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

/// What a new block holds.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) label: Label<'a>,
    pub(crate) value: Laid<'a>,
    /// Stands behind the value and is a part of it.
    pub(crate) more: &'a [u8],
    /// 0: never.
    pub(crate) expiry: Millis,
    pub(crate) stamp: u32,
}

/// A value as it lies in a block.
#[derive(Clone, Copy)]
pub(crate) struct Laid<'a> {
    pub(crate) bytes: &'a [u8],
    /// It is what a vault made of the value.
    pub(crate) is_shut: bool,
}

impl<'a> Laid<'a> {
    /// The value itself.
    pub(crate) fn plain(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            is_shut: false,
        }
    }
}

/// Bytes that a block takes from the allocator; `label_len` is what [`label_len`] says.
#[inline]
pub(crate) fn block_bytes(
    classes: SizeClasses,
    label_len: usize,
    key_len: usize,
    value_len: usize,
) -> usize {
    classes.usable(HEADER_BYTES + label_len + key_len + value_len)
}

/// Bytes that a label takes in a block. One is there also where nothing is said but that the value is shut.
#[inline]
pub(crate) fn label_len(label: Label<'_>, is_shut: bool) -> usize {
    if label == Label::NONE && !is_shut {
        0
    } else {
        LABEL_HEAD_BYTES + times_len(label.times) + label.note.len()
    }
}

fn times_len(times: Times) -> usize {
    if times == Times::NONE { 0 } else { TIMES_BYTES }
}

/// What stands before a label's note; as much of it is written as the label takes.
fn label_head(label: Label<'_>, is_shut: bool) -> [u8; LABEL_HEAD_BYTES + TIMES_BYTES] {
    let Times {
        stale_ms,
        refresh_ms,
        cost_ms,
    } = label.times;
    let timed = if times_len(label.times) > 0 { TIMED } else { 0 };
    let flags = if is_shut { timed | SHUT } else { timed };
    let mut head = [0; LABEL_HEAD_BYTES + TIMES_BYTES];
    head[..2].copy_from_slice(&[label.priority, flags]);
    head[2..4].copy_from_slice(&(label.note.len() as u16).to_le_bytes());
    head[4..8].copy_from_slice(&stale_ms.to_le_bytes());
    head[8..12].copy_from_slice(&refresh_ms.to_le_bytes());
    head[12..].copy_from_slice(&cost_ms.to_le_bytes());
    head
}

impl Block {
    /// A new entry, or `None` where the allocator gives nothing or the value exceeds 4 GiB.
    pub(crate) fn new(classes: SizeClasses, content: &Content<'_>) -> Option<Self> {
        let Content {
            key,
            label,
            value: Laid { bytes, is_shut },
            more,
            expiry,
            stamp,
        } = *content;
        assert!(
            key.bytes.len() <= crate::KEY_BYTES_MAX && label.note.len() <= LABEL_NOTE_BYTES_MAX,
            "the caller checks keys and notes"
        );
        let value_len = u32::try_from(bytes.len() + more.len()).ok()?;
        let label_len = label_len(label, is_shut);
        let layout = layout(classes, label_len, key.bytes.len(), value_len as usize)?;
        // SAFETY: the layout's size is not zero, a header is part of it.
        let header = NonNull::new(unsafe { alloc(layout) })?.cast::<Header>();
        let labelled = if label_len > 0 { LABELLED } else { 0 };
        let meta = expiry.min(MILLIS_MAX) << EXPIRY_SHIFT
            | labelled
            | (key.bytes.len() as u64) << DB_BITS
            | u64::from(key.db % DATABASES);
        let head = label_head(label, is_shut);
        let head_len = label_len - label.note.len();
        // SAFETY: the allocation is aligned for a header and holds one, then label, key and value,
        // whose lengths the layout was made from (a label takes its head, with times or without, and
        // its note; no label has no note); the sources are other memory, as it is new.
        unsafe {
            header.write(Header {
                meta,
                stamp,
                value_len,
            });
            let label_start = header.add(1).cast::<u8>().as_ptr();
            label_start.copy_from_nonoverlapping(head.as_ptr(), head_len);
            label_start
                .add(head_len)
                .copy_from_nonoverlapping(label.note.as_ptr(), label.note.len());
            let key_start = label_start.add(label_len);
            key_start.copy_from_nonoverlapping(key.bytes.as_ptr(), key.bytes.len());
            let value_start = key_start.add(key.bytes.len());
            value_start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            value_start
                .add(bytes.len())
                .copy_from_nonoverlapping(more.as_ptr(), more.len());
        }
        Some(Self(header))
    }

    /// Gives the memory back. `classes` must be those it was made with.
    pub(crate) fn free(self, classes: SizeClasses) {
        let (label_len, key_len) = (self.label_len(), self.key_len());
        if let Some(layout) = layout(classes, label_len, key_len, self.value_len()) {
            // SAFETY: the block owns its allocation and ends here; every length it ever had falls
            // into the size class it was allocated with, so the layout is the same.
            unsafe { dealloc(self.0.cast().as_ptr(), layout) }
        }
    }

    /// Writes another value over the old one if the allocation is of the right size class for it and
    /// the label (`None` for the one it has) stays, and so does whether the value is shut.
    pub(crate) fn overwrite(
        &mut self,
        classes: SizeClasses,
        label: Option<Label<'_>>,
        value: Laid<'_>,
    ) -> bool {
        let stays = label.is_none_or(|label| label == self.label());
        let stays = stays && value.is_shut == self.is_shut();
        stays && self.fits(classes, value.bytes.len()) && {
            self.write_value(0, value.bytes);
            true
        }
    }

    /// Writes bytes behind the value if the allocation is of the right size class for it.
    pub(crate) fn extend(&mut self, classes: SizeClasses, more: &[u8]) -> bool {
        let len = self.value_len();
        self.fits(classes, len + more.len()) && {
            self.write_value(len, more);
            true
        }
    }

    /// Writes over a part of the value.
    ///
    /// # Panics
    /// Where the value does not reach as far.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        let offset = self.key_offset() + self.key_len();
        let len = self.value_len();
        // SAFETY: the value's bytes follow the key's and were written with `value_len`; `&mut self` is
        // the only access.
        let value =
            unsafe { slice::from_raw_parts_mut(self.0.cast::<u8>().add(offset).as_ptr(), len) };
        value[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn fits(&self, classes: SizeClasses, value_len: usize) -> bool {
        u32::try_from(value_len).is_ok()
            && block_bytes(classes, self.label_len(), self.key_len(), value_len)
                == self.bytes(classes)
    }

    /// Writes `bytes` at `at`, where the value then ends. [`Self::fits`] must have said yes.
    fn write_value(&mut self, at: usize, bytes: &[u8]) {
        let offset = self.key_offset() + self.key_len() + at;
        // SAFETY: what fits stays within the allocation, which `&mut self` has to itself; `bytes`
        // cannot be part of it, as that would need a shared borrow of this block.
        unsafe {
            let start = self.0.cast::<u8>().add(offset).as_ptr();
            start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            (*self.0.as_ptr()).value_len = (at + bytes.len()) as u32;
        }
    }

    /// Bytes taken from the allocator.
    pub(crate) fn bytes(&self, classes: SizeClasses) -> usize {
        block_bytes(classes, self.label_len(), self.key_len(), self.value_len())
    }

    fn header(&self) -> &Header {
        // SAFETY: the header was written when the block was made and lives as long as it.
        unsafe { self.0.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as above, and `&mut self` is the only access.
        unsafe { self.0.as_mut() }
    }

    pub(crate) fn db(&self) -> u8 {
        (self.header().meta % u64::from(DATABASES)) as u8
    }

    /// Bytes between header and key.
    #[inline]
    pub(crate) fn label_len(&self) -> usize {
        match self.label_head() {
            None => 0,
            Some((_, flags, note_len)) => {
                let times_len = if flags & TIMED == 0 { 0 } else { TIMES_BYTES };
                LABEL_HEAD_BYTES + times_len + note_len
            }
        }
    }

    /// Whether the value is what a vault made of it.
    #[inline]
    pub(crate) fn is_shut(&self) -> bool {
        self.label_head()
            .is_some_and(|(_, flags, _)| flags & SHUT != 0)
    }

    /// The label's priority, its flags and the length of its note, where it has a label.
    #[inline]
    fn label_head(&self) -> Option<(u8, u8, usize)> {
        if self.header().meta & LABELLED == 0 {
            return None;
        }
        // SAFETY: a labelled block has the label's head behind its header; it was written when the
        // block was made.
        let head = unsafe { self.0.add(1).cast::<[u8; LABEL_HEAD_BYTES]>().read() };
        let [priority, flags, low, high] = head;
        let note_len = usize::from(u16::from_le_bytes([low, high]));
        Some((priority, flags, note_len))
    }

    /// The label's times.
    fn times(&self) -> Times {
        let is_timed = |(_, flags, _)| flags & TIMED != 0;
        if !self.label_head().is_some_and(is_timed) {
            return Times::NONE;
        }
        // SAFETY: a label with that flag has its times behind its head; they were written when the
        // block was made.
        let times = unsafe {
            let head = self.0.add(1).cast::<u8>();
            head.add(LABEL_HEAD_BYTES).cast::<[[u8; 4]; 3]>().read()
        };
        let [stale_ms, refresh_ms, cost_ms] = times.map(u32::from_le_bytes);
        Times {
            stale_ms,
            refresh_ms,
            cost_ms,
        }
    }

    /// Whether it was noted that the entry has expired and is kept.
    pub(crate) fn is_lapsed(&self) -> bool {
        self.label_head()
            .is_some_and(|(_, flags, _)| flags & LAPSED != 0)
    }

    /// Notes that an entry with a label has expired and is kept, or that it is to be seen again.
    pub(crate) fn set_lapsed(&mut self, is_lapsed: bool) {
        let Some((_, flags, _)) = self.label_head() else {
            return;
        };
        let flags = if is_lapsed {
            flags | LAPSED
        } else {
            flags & !LAPSED
        };
        // SAFETY: the flags are the second byte of the label's head, which there is; `&mut self` is
        // the only access.
        unsafe { self.0.add(1).cast::<u8>().add(1).write(flags) }
    }

    /// When the entry goes for good, 0 for never: some are kept beyond their expiry.
    pub(crate) fn goes_at(&self) -> Millis {
        match self.expiry() {
            0 => 0,
            expiry => (expiry + Millis::from(self.times().stale_ms)).min(MILLIS_MAX),
        }
    }

    #[inline]
    fn key_offset(&self) -> usize {
        HEADER_BYTES + self.label_len()
    }

    /// What the entry carries beside its value.
    #[inline]
    pub(crate) fn label(&self) -> Label<'_> {
        let Some((priority, _, note_len)) = self.label_head() else {
            return Label::NONE;
        };
        let times = self.times();
        // SAFETY: behind the label's head and times there is a note of the length that the head
        // says; it was written when the block was made and never changes.
        let note = unsafe {
            let head = self.0.add(1).cast::<u8>();
            let start = head.add(LABEL_HEAD_BYTES + times_len(times));
            slice::from_raw_parts(start.as_ptr(), note_len)
        };
        Label {
            priority,
            note,
            times,
        }
    }

    fn key_len(&self) -> usize {
        (self.header().meta >> DB_BITS) as usize & ((1 << KEY_BITS) - 1)
    }

    pub(crate) fn value_len(&self) -> usize {
        self.header().value_len as usize
    }

    pub(crate) fn key(&self) -> &[u8] {
        let offset = self.key_offset();
        // SAFETY: the key's bytes follow header and label and were written when the block was made.
        unsafe { slice::from_raw_parts(self.0.cast::<u8>().add(offset).as_ptr(), self.key_len()) }
    }

    pub(crate) fn value(&self) -> &[u8] {
        let offset = self.key_offset() + self.key_len();
        // SAFETY: the value's bytes follow the key's and were written with `value_len`.
        unsafe { slice::from_raw_parts(self.0.cast::<u8>().add(offset).as_ptr(), self.value_len()) }
    }

    /// The expiry, 0 for none.
    pub(crate) fn expiry(&self) -> Millis {
        self.header().meta >> EXPIRY_SHIFT
    }

    pub(crate) fn expires_at(&self) -> Option<Millis> {
        Some(self.expiry()).filter(|&at| at != 0)
    }

    pub(crate) fn set_expiry(&mut self, expiry: Millis) {
        let header = self.header_mut();
        let rest = header.meta & ((1 << EXPIRY_SHIFT) - 1);
        header.meta = expiry.min(MILLIS_MAX) << EXPIRY_SHIFT | rest;
    }

    pub(crate) fn stamp(&self) -> u32 {
        self.header().stamp
    }

    pub(crate) fn set_stamp(&mut self, stamp: u32) {
        self.header_mut().stamp = stamp;
    }

    pub(crate) fn is_key(&self, key: Key<'_>) -> bool {
        let mask = LABELLED - 1;
        let wanted = (key.bytes.len() as u64) << DB_BITS | u64::from(key.db);
        self.header().meta & mask == wanted && self.key() == key.bytes
    }

    /// The address, which stands for the block until [`Self::from_raw`].
    pub(crate) fn into_raw(self) -> *mut u8 {
        self.0.cast().as_ptr()
    }

    /// The block that [`Self::into_raw`] gave.
    ///
    /// # Safety
    /// `raw` must come from [`Self::into_raw`] and must stand for no other block.
    pub(crate) unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self(raw.cast())
    }

    /// The block that `raw` stands for, without taking it.
    ///
    /// # Safety
    /// `*raw` must come from [`Self::into_raw`] and not have been taken back.
    pub(crate) unsafe fn peek_raw(raw: &*mut u8) -> &Self {
        // SAFETY: a block is a transparent non-null pointer, and the caller says that this is one.
        unsafe { &*std::ptr::from_ref(raw).cast::<Self>() }
    }
}

fn layout(
    classes: SizeClasses,
    label_len: usize,
    key_len: usize,
    value_len: usize,
) -> Option<Layout> {
    let bytes = block_bytes(classes, label_len, key_len, value_len);
    Layout::from_size_align(bytes, align_of::<Header>()).ok()
}

#[cfg(test)]
mod tests;
