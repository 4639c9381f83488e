//! Reader of oracleGeneral traces, plain or compressed with zstd.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use zstd::stream::read::Decoder;

use super::{RECORD_BYTES, Record};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER_BYTES: usize = 64 * 1024;
/// No trace has this many requests: a larger index is another format read as this one.
const INDEX_MAX: i64 = 1 << 48;

/// Why a trace cannot be read on. Offsets are bytes of the trace itself, that is after
/// decompression.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no such file, or it may not be read.
    #[error("cannot open it")]
    Open {
        /// The system's reason.
        source: io::Error,
    },
    /// Not a single record.
    #[error("the trace is empty")]
    Empty,
    /// The input ends inside a record.
    #[error(
        "truncated at byte {offset}: record {index} has {have_bytes} of its {RECORD_BYTES} bytes"
    )]
    Truncated {
        /// Where the record begins.
        offset: u64,
        /// Number of the record, from 0.
        index: u64,
        /// How much of it is there.
        have_bytes: usize,
    },
    /// The input is something else than oracleGeneral.
    #[error(
        "not an oracleGeneral trace: at byte {offset}, record {index} names request {next_access} \
         as the next for its object; expected -1 or a later request"
    )]
    Format {
        /// Where the record begins.
        offset: u64,
        /// Number of the record, from 0.
        index: u64,
        /// What stands where the next access should.
        next_access: i64,
    },
    /// The compressed stream is damaged or cut off.
    #[error("damaged or truncated zstd data after byte {offset} of the decompressed trace")]
    Compressed {
        /// Bytes decompressed before.
        offset: u64,
        /// What the decompressor says.
        source: io::Error,
    },
    /// A line of a trace in text cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A recording cannot be read.
    #[error("byte {offset}: {why}")]
    Recording {
        /// Where; of what is compressed, after decompression.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// More objects than can be numbered.
    #[error("the trace has more than {} objects", u32::MAX)]
    TooMany,
    /// Reading failed.
    #[error("cannot read on after byte {offset}")]
    Io {
        /// Bytes read before.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
}

type Raw<R> = Chain<Cursor<Vec<u8>>, R>;

enum Source<R: Read> {
    Plain(BufReader<Raw<R>>),
    Zstd(BufReader<Decoder<'static, BufReader<Raw<R>>>>),
}

/// Iterates over the records of a trace. Memory is bounded: two 64 KiB buffers, and for zstd the
/// window of the stream, at most 128 MiB. After an error it yields nothing more.
pub struct OracleReader<R: Read> {
    source: Source<R>,
    index: u64,
    ended: bool,
}

impl OracleReader<File> {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or its first bytes cannot be read.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        Self::new(File::open(path).map_err(|source| TraceError::Open { source })?)
    }
}

impl<R: Read> OracleReader<R> {
    /// Reads from `input`, which is zstd when it begins with its magic number.
    ///
    /// # Errors
    /// When the first bytes cannot be read.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let failed = |source| TraceError::Io { offset: 0, source };
        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        input
            .by_ref()
            .take(ZSTD_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(failed)?;
        let compressed = magic == ZSTD_MAGIC;
        let raw = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(magic).chain(input));
        let source = if compressed {
            let decoder = Decoder::with_buffer(raw).map_err(failed)?;
            Source::Zstd(BufReader::with_capacity(BUFFER_BYTES, decoder))
        } else {
            Source::Plain(raw)
        };
        Ok(Self {
            source,
            index: 0,
            ended: false,
        })
    }

    fn record(&mut self) -> Result<Option<Record>, TraceError> {
        let offset = self.index * RECORD_BYTES as u64;
        let mut bytes = [0; RECORD_BYTES];
        let have_bytes = self.fill(&mut bytes, offset)?;
        match have_bytes {
            0 if self.index == 0 => Err(TraceError::Empty),
            0 => Ok(None),
            RECORD_BYTES => self.parse(&bytes, offset).map(Some),
            _ => Err(TraceError::Truncated {
                offset,
                index: self.index,
                have_bytes,
            }),
        }
    }

    /// Reads until `bytes` is full or the input ends; returns how many there were.
    fn fill(&mut self, bytes: &mut [u8; RECORD_BYTES], offset: u64) -> Result<usize, TraceError> {
        let mut have = 0;
        while have < RECORD_BYTES {
            let at = offset + have as u64;
            let taken = match &mut self.source {
                Source::Plain(input) => take(input, &mut bytes[have..])
                    .map_err(|source| TraceError::Io { offset: at, source }),
                Source::Zstd(input) => take(input, &mut bytes[have..])
                    .map_err(|source| TraceError::Compressed { offset: at, source }),
            }?;
            if taken == 0 {
                break;
            }
            have += taken;
        }
        Ok(have)
    }

    fn parse(&self, bytes: &[u8; RECORD_BYTES], offset: u64) -> Result<Record, TraceError> {
        let (next_access, index) = (i64::from_le_bytes(field(bytes, 16)), self.index);
        let later = u64::try_from(next_access).is_ok_and(|next| next > index);
        let next = match next_access {
            -1 | i64::MAX => None,
            next if later && next <= INDEX_MAX => Some(next.cast_unsigned()),
            _ => {
                return Err(TraceError::Format {
                    offset,
                    index,
                    next_access,
                });
            }
        };
        Ok(Record {
            time_seconds: u32::from_le_bytes(field(bytes, 0)),
            id: u64::from_le_bytes(field(bytes, 4)),
            size_bytes: u32::from_le_bytes(field(bytes, 12)),
            next_access: next,
            ttl_seconds: 0,
        })
    }
}

impl<R: Read> Iterator for OracleReader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.record().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        self.index += 1;
        read
    }
}

/// The `N` bytes at `at` of a record.
pub(super) fn field<const N: usize>(bytes: &[u8; RECORD_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// One read that a signal does not disturb; 0 at the end of the input.
fn take(input: &mut impl BufRead, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests;
