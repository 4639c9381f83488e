//! What a segment holds that has no footer: it was written to when the process ended, or it is damaged.

use std::io;

use super::place::UNIT_BYTES;
use super::record::{self, HEAD_BYTES, Head, Kind, TAIL_BYTES};
use super::segment::{Entry, START_BYTES, Segment};
use super::volume::VolumeFile;

/// What is known of a segment's records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) entries: Vec<Entry>,
    /// Where they end.
    pub(super) end: u64,
    /// How many are damaged, with heads that tell whose they were.
    pub(super) lost: u64,
}

/// All records of a segment in their order; `None` when it cannot be known which there were.
///
/// A record that is cut off, with nothing but zeros behind, was being written when the process ended: nobody
/// was told that it is there, and it is left out. A damaged one with a good head counts as a deletion, as it may have
/// taken the place of an older one.
pub(super) fn scan(segment: &Segment) -> io::Result<Option<Scanned>> {
    let mut window = Window::new(segment.file.as_ref())?;
    let is_full_size = {
        let file_bytes = window.file_bytes;
        let head = window.bytes(0, START_BYTES)?;
        head.and_then(|head| segment.started_bytes(head)) == Some(file_bytes)
    };
    let mut scanned = Scanned {
        entries: Vec::new(),
        end: START_BYTES,
        lost: 0,
    };
    loop {
        let at = scanned.end;
        let seed = segment.seed(at);
        let Some(bytes) = window.bytes(at, HEAD_BYTES as u64)? else {
            return Ok(None);
        };
        let Some(head) = Head::read(bytes, seed) else {
            let is_end = is_full_size && window.is_zero_from(at + HEAD_BYTES as u64)?;
            return Ok(is_end.then_some(scanned));
        };
        let record_bytes = head.record_bytes();
        if head.kind == Kind::End {
            return Ok(Some(scanned));
        }
        let Some(record) = window.bytes(at, record_bytes)? else {
            return Ok(None);
        };
        let mut entry = Entry::new(&head);
        if !record::is_intact(record, seed) {
            let tail_at = at + record_bytes - TAIL_BYTES as u64;
            if is_full_size && window.is_zero_from(tail_at)? {
                return Ok(Some(scanned));
            }
            entry = entry.lost();
            scanned.lost += 1;
        }
        scanned.entries.push(entry);
        scanned.end += record_bytes;
    }
}

/// A part of a file in memory, that moves on.
struct Window<'a> {
    file: &'a dyn VolumeFile,
    file_bytes: u64,
    start: u64,
    buffer: Vec<u8>,
}

const WINDOW_BYTES: u64 = 1 << 20;

impl<'a> Window<'a> {
    fn new(file: &'a dyn VolumeFile) -> io::Result<Self> {
        Ok(Self {
            file,
            file_bytes: file.len()?,
            start: 0,
            buffer: Vec::new(),
        })
    }

    /// So many bytes from an offset, unless the file ends before.
    fn bytes(&mut self, at: u64, bytes: u64) -> io::Result<Option<&[u8]>> {
        let Some(end) = at.checked_add(bytes).filter(|end| *end <= self.file_bytes) else {
            return Ok(None);
        };
        if at < self.start || end > self.start + self.buffer.len() as u64 {
            let wanted = bytes.max(WINDOW_BYTES).min(self.file_bytes - at);
            self.buffer.resize(wanted as usize, 0);
            self.start = at;
            self.file.read_at(&mut self.buffer, at)?;
        }
        let from = (at - self.start) as usize;
        Ok(Some(&self.buffer[from..from + bytes as usize]))
    }

    /// Whether there is nothing but zeros from an offset on.
    fn is_zero_from(&mut self, mut at: u64) -> io::Result<bool> {
        debug_assert_eq!(at % UNIT_BYTES, 0);
        while at < self.file_bytes {
            let bytes = WINDOW_BYTES.min(self.file_bytes - at);
            match self.bytes(at, bytes)? {
                Some(part) if part.iter().all(|byte| *byte == 0) => at += bytes,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
