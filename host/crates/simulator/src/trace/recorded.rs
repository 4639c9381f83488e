//! Reader of what was recorded from a server: a head of 56 bytes, and records of 24 bytes in a zstd frame.

mod fold;

use std::io::{self, BufReader, Read};

use larder_engine::Millis;
use larder_engine::recording::{RECORDED_BYTES, Recorded, Threshold};
use xxhash_rust::xxh3::xxh3_64;
use zstd::stream::read::Decoder;

use super::{Record, TraceError};
use fold::Fold;

const MAGIC: [u8; 8] = *b"LARDERTR";
const VERSION: u64 = 1;

/// What a recording begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedHead {
    /// The threshold that was in force at the end; objects above it are not recorded throughout.
    pub threshold: Threshold,
    /// When the recording began, by the server's clock.
    pub start_ms: Millis,
    /// Records that follow.
    pub records: u64,
    /// Accesses that are missing among them.
    pub lost: u64,
}

impl RecordedHead {
    const SUM_AT: usize = Self::BYTES - size_of::<u64>();
    /// Bytes of a head.
    pub const BYTES: usize = 56;

    /// As it stands in a file: the magic number, little-endian u64 version, threshold, start, records and
    /// lost, and the XXH3 of what comes before.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (places, _) = bytes.as_chunks_mut();
        let fields = [
            u64::from_le_bytes(MAGIC),
            VERSION,
            self.threshold.0,
            self.start_ms,
            self.records,
            self.lost,
        ];
        for (place, field) in places.iter_mut().zip(fields) {
            *place = field.to_le_bytes();
        }
        let sum = xxh3_64(&bytes[..Self::SUM_AT]);
        bytes[Self::SUM_AT..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, TraceError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(wrong(0, "this is no recording of larder".to_owned()));
        }
        let Ok(bytes) = <&[u8; Self::BYTES]>::try_from(bytes) else {
            let why = "the recording ends in its head".to_owned();
            return Err(wrong(bytes.len() as u64, why));
        };
        let (fields, _) = bytes.as_chunks();
        let [version, threshold, start_ms, records, lost, sum] =
            [1, 2, 3, 4, 5, 6].map(|at| u64::from_le_bytes(fields[at]));
        if version != VERSION {
            let why = format!("the recording is of version {version}; {VERSION} can be read");
            return Err(wrong(MAGIC.len() as u64, why));
        }
        if sum != xxh3_64(&bytes[..Self::SUM_AT]) {
            let why = "the head of the recording is damaged".to_owned();
            return Err(wrong(Self::SUM_AT as u64, why));
        }
        Ok(Self {
            threshold: Threshold(threshold),
            start_ms,
            records,
            lost,
        })
    }
}

/// Iterates over the requests that were recorded: each read that found something, each write, and in
/// place of a read that found nothing and the write that answered it one request, of the write's size
/// and time to live and where the read was. The write may come 65,535 requests later at most, with
/// nothing else for the object between; a read that none answers is no request, and is counted.
/// Removals and changes of expiry are passed over. Seconds count from the start of the recording.
///
/// Memory is bounded: a few MiB for the requests behind a read that waits for its write, and the window
/// of the compressed stream, at most 128 MiB. After an error it yields nothing more.
pub struct RecordedReader<R: Read> {
    head: RecordedHead,
    input: BufReader<Decoder<'static, BufReader<R>>>,
    fold: Fold,
    /// Records read.
    index: u64,
    is_empty: bool,
    is_ended: bool,
    /// To be told once what was read before has been.
    error: Option<TraceError>,
}

impl<R: Read> RecordedReader<R> {
    /// Reads from `input`.
    ///
    /// # Errors
    /// When its head cannot be read, or is that of something else.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Io { offset: 0, source };
        let mut bytes = [0; RecordedHead::BYTES];
        let (have, filled) = fill(&mut input, &mut bytes);
        filled.map_err(failed)?;
        if have == 0 {
            return Err(TraceError::Empty);
        }
        let head = RecordedHead::from_bytes(&bytes[..have])?;
        let decoder = Decoder::new(input).map_err(failed)?;
        Ok(Self {
            fold: Fold::new(&head),
            head,
            input: BufReader::new(decoder),
            index: 0,
            is_empty: true,
            is_ended: false,
            error: None,
        })
    }

    /// What the recording begins with.
    pub fn head(&self) -> RecordedHead {
        self.head
    }

    /// Reads so far that found nothing and were not answered by a write.
    pub fn unanswered(&self) -> u64 {
        self.fold.unanswered()
    }

    fn recorded(&mut self) -> Result<Option<Recorded>, TraceError> {
        let offset = self.index * RECORDED_BYTES as u64;
        let mut bytes = [0; RECORDED_BYTES];
        let (have_bytes, filled) = fill(&mut self.input, &mut bytes);
        filled.map_err(|source| TraceError::Compressed {
            offset: offset + have_bytes as u64,
            source,
        })?;
        let (index, expected) = (self.index, self.head.records);
        match have_bytes {
            0 if index == expected => Ok(None),
            0 if index > expected => {
                let why =
                    format!("the recording has {index} records, and not {expected} as it says");
                Err(wrong(offset, why))
            }
            RECORDED_BYTES => {
                self.index += 1;
                let unknown = || wrong(offset, format!("record {index} is of no known kind"));
                Recorded::from_bytes(&bytes).ok_or_else(unknown).map(Some)
            }
            _ => Err(TraceError::Truncated {
                offset,
                index,
                have_bytes,
            }),
        }
    }
}

impl<R: Read> Iterator for RecordedReader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.fold.next(self.is_ended) {
                self.is_empty = false;
                return Some(Ok(record));
            }
            if self.is_ended {
                let nothing = std::mem::take(&mut self.is_empty).then_some(TraceError::Empty);
                return self.error.take().or(nothing).map(Err);
            }
            match self.recorded() {
                Ok(Some(recorded)) => self.fold.add(&recorded),
                Ok(None) => self.is_ended = true,
                Err(error) => (self.is_ended, self.error) = (true, Some(error)),
            }
        }
    }
}

fn wrong(offset: u64, why: String) -> TraceError {
    TraceError::Recording { offset, why }
}

/// Reads until `bytes` is full or the input ends; how many there were, and whether reading went well.
fn fill(input: &mut impl Read, bytes: &mut [u8]) -> (usize, io::Result<()>) {
    let mut have = 0;
    while have < bytes.len() {
        match input.read(&mut bytes[have..]) {
            Ok(0) => break,
            Ok(taken) => have += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (have, Err(error)),
        }
    }
    (have, Ok(()))
}

#[cfg(test)]
mod tests;
