//! What a recording of a tenant's accesses consists of, and how it is written down.
//!
//! Keys are not recorded, but hashes of them, keyed with a salt: SipHash-2-4 of the database's number,
//! one byte, and the key. Two recordings with different salts cannot be matched, and neither can a
//! recording and the engine's own tables. Whoever has the salt can test guesses; without it a
//! recording still shows how often and when the same object was accessed, and how large it is.
//!
//! Objects are sampled: one is recorded if its hash is not above a [`Threshold`], so that of an object
//! all accesses are recorded or none. A threshold is only ever lowered, by halves; what was recorded
//! of objects above the last one is to be dropped by whoever reads it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::entry::Millis;

pub use crate::tenant::Recording;

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;
/// Bytes of a [`Recorded`] when written down.
pub const RECORDED_BYTES: usize = 24;
/// Bytes of a [`Head`] when written down.
pub const HEAD_BYTES: usize = 24;

/// Records that may wait to be taken: more than half a second of the usual rate.
pub(crate) const RING_RECORDS: usize = 64 * 1024;
/// Bytes that a recording holds.
pub const RING_BYTES: usize = RING_RECORDS * RECORDED_BYTES;

const KIND_SHIFT: u32 = 56;
const TIME_MAX: Millis = (1 << KIND_SHIFT) - 1;

/// How a recording is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The database whose accesses are recorded.
    pub db: u8,
    /// What keys are hashed with.
    pub salt: Salt,
    /// Which objects are recorded to begin with.
    pub threshold: Threshold,
    /// Accesses that may be recorded in a second, at least 1; when more come, the threshold is halved.
    pub rate_max: u64,
}

/// The key of the hash. It is not shown when it is printed for debugging.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; SALT_BYTES]);

/// A text that is no salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a salt has {} hexadecimal digits", 2 * SALT_BYTES)]
pub struct NoSalt;

impl Salt {
    /// As hexadecimal digits, which [`FromStr`] reads.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for Salt {
    type Err = NoSalt;

    fn from_str(text: &str) -> Result<Self, NoSalt> {
        let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if text.len() != 2 * SALT_BYTES || !is_hex {
            return Err(NoSalt);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| NoSalt)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// The largest hash that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(pub u64);

impl Threshold {
    /// All objects.
    pub const ALL: Self = Self(u64::MAX);

    /// The threshold of so many percent of the objects; `None` unless they are above 0 and 100 at most.
    pub fn of_percent(percent: f64) -> Option<Self> {
        let is_part = percent > 0.0 && percent <= 100.0;
        is_part.then(|| Self((percent / 100.0 * 2f64.powi(64)) as u64))
    }

    /// The part of the objects that is recorded, in percent.
    pub fn percent(self) -> f64 {
        (self.0 as f64 + 1.0) / 2f64.powi(64) * 100.0
    }

    /// Whether an object is recorded.
    #[inline]
    pub fn admits(self, hash: u64) -> bool {
        hash <= self.0
    }

    /// Half of the objects.
    pub(crate) fn halved(self) -> Self {
        Self(self.0 >> 1)
    }
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A read found it.
    Hit = 0,
    /// A read found nothing.
    Miss = 1,
    /// It was written.
    Write = 2,
    /// A client removed it; evictions and expiries are not recorded, nor are FLUSHDB and FLUSHALL.
    Remove = 3,
    /// It was given another time to live.
    Expire = 4,
}

impl Kind {
    fn of(number: u8) -> Option<Self> {
        let kinds = [
            Self::Hit,
            Self::Miss,
            Self::Write,
            Self::Remove,
            Self::Expire,
        ];
        kinds.get(usize::from(number)).copied()
    }
}

/// One access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The salted hash of the database and the key.
    pub hash: u64,
    /// Bytes that the entry takes, after a write the new one; 0 for a miss.
    pub bytes: u32,
    /// Seconds that it has left to live, rounded up; 0 for no end, and for a miss.
    pub ttl_seconds: u32,
    /// When, by the engine's clock; never earlier than what was recorded before.
    pub time_ms: Millis,
    /// What was done.
    pub kind: Kind,
}

impl Recorded {
    /// As it is written down, little-endian: u64 hash, u32 bytes, u32 seconds, and a u64 with the time in
    /// its lower 56 bits and the kind above.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORDED_BYTES] {
        let when = self.time_ms.min(TIME_MAX) | u64::from(self.kind as u8) << KIND_SHIFT;
        let sizes = u64::from(self.bytes) | u64::from(self.ttl_seconds) << 32;
        words_to_bytes([self.hash, sizes, when])
    }

    /// What was written down; `None` where that is of no kind there is.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; RECORDED_BYTES]) -> Option<Self> {
        let [hash, sizes, when] = bytes_to_words(bytes);
        Some(Self {
            hash,
            bytes: sizes as u32,
            ttl_seconds: (sizes >> 32) as u32,
            time_ms: when & TIME_MAX,
            kind: Kind::of((when >> KIND_SHIFT) as u8)?,
        })
    }
}

/// How a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The threshold in force.
    pub threshold: Threshold,
    /// Accesses that were not recorded, as nobody took those before them in time.
    pub lost: u64,
    /// The engine's clock.
    pub time_ms: Millis,
}

impl Head {
    /// As it is written down: three little-endian u64, in the order of the fields.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEAD_BYTES] {
        words_to_bytes([self.threshold.0, self.lost, self.time_ms])
    }

    /// What was written down.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; HEAD_BYTES]) -> Self {
        let [threshold, lost, time_ms] = bytes_to_words(bytes);
        Self {
            threshold: Threshold(threshold),
            lost,
            time_ms,
        }
    }
}

/// What was taken of a recording, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Records that were taken.
    pub records: usize,
    /// Records that still wait.
    pub waiting: usize,
    /// The threshold in force.
    pub threshold: Threshold,
    /// Accesses that were not recorded, as nobody took those before them in time.
    pub lost: u64,
}

fn words_to_bytes(words: [u64; 3]) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (places, _) = bytes.as_chunks_mut();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}

fn bytes_to_words(bytes: &[u8; 24]) -> [u64; 3] {
    let (words, _) = bytes.as_chunks();
    [0, 1, 2].map(|at| u64::from_le_bytes(words[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        for (number, kind) in [
            (0, Kind::Hit),
            (1, Kind::Miss),
            (2, Kind::Write),
            (3, Kind::Remove),
            (4, Kind::Expire),
        ] {
            let recorded = Recorded {
                hash: 0x0123_4567_89ab_cdef,
                bytes: u32::MAX,
                ttl_seconds: 7,
                time_ms: 1_700_000_000_123,
                kind,
            };
            let bytes = recorded.to_bytes();
            assert_eq!((bytes[0], bytes[12], bytes[23]), (0xef, 7, number));
            assert_eq!(Recorded::from_bytes(&bytes), Some(recorded));
        }
        let mut bytes = [0; RECORDED_BYTES];
        bytes[23] = 5;
        assert_eq!(Recorded::from_bytes(&bytes), None);
        let head = Head {
            threshold: Threshold(1),
            lost: 2,
            time_ms: 3,
        };
        assert_eq!(Head::from_bytes(&head.to_bytes()), head);
    }

    #[test]
    fn salts_are_hexadecimal_and_not_shown() {
        let text = "00112233445566778899aabbccddeeff";
        let salt: Salt = text.to_uppercase().parse().unwrap();
        assert_eq!((salt.0[1], salt.to_hex().as_str()), (0x11, text));
        assert_eq!(format!("{salt:?}"), "Salt(..)");
        for wrong in ["", "0", &text[1..], &"g".repeat(32), &"+".repeat(32)] {
            assert_eq!(wrong.parse::<Salt>(), Err(NoSalt), "{wrong}");
        }
    }

    #[test]
    fn thresholds_are_parts_of_all_objects() {
        assert_eq!(Threshold::of_percent(100.0), Some(Threshold::ALL));
        let one = Threshold::of_percent(1.0).unwrap();
        assert!((one.percent() - 1.0).abs() < 1e-9 && (one.halved().percent() - 0.5).abs() < 1e-9);
        assert!(one.admits(0) && one.admits(one.0) && !one.admits(one.0 + 1));
        for wrong in [0.0, -1.0, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Threshold::of_percent(wrong), None, "{wrong}");
        }
    }
}
