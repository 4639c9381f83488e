//! Reads, by any number of threads at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::Millis;
use larder_engine::tier::{Stored, TierError, TierKey};

use super::place::Place;
use super::record::{self, HEAD_BYTES, Head};
use super::segment::Segment;
use super::shared::{Forgotten, Shared};
use crate::encoding::Encoding;

/// Looks into the index when the segment that it named was reclaimed meanwhile. Once is enough in all likelihood.
const ATTEMPTS: usize = 4;
/// Bytes of a record that are read at once by whoever asks, and of its entry; more is for a thread that may take its
/// time.
const PROMPT_BYTES_MAX: u64 = 64 * 1024;
const PROMPT_ENTRY_BYTES_MAX: u64 = 512 * 1024;

/// How a read went.
pub(super) enum Looked {
    /// This is the answer.
    Done(Result<Option<Stored>, TierError>),
    /// It takes a look at the disk itself.
    Waits,
}

/// See the module.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) encoding: Arc<dyn Encoding>,
}

impl Reader {
    /// What is under a key. If `is_prompt`, it never waits for the disk.
    pub(super) fn look(&self, key: TierKey<'_>, now: Millis, is_prompt: bool) -> Looked {
        let Some((space, hash)) = self.shared.find(key.tenant, key.db, key.bytes) else {
            return Looked::Done(Ok(None));
        };
        for _ in 0..ATTEMPTS {
            let Some(place) = self.shared.index.touch(hash) else {
                break;
            };
            if is_prompt && place.bytes() > PROMPT_BYTES_MAX {
                return Looked::Waits;
            }
            let Some(segment) = self.shared.segment(place) else {
                continue;
            };
            let mut record = vec![0; place.bytes() as usize];
            let found = Found { space, hash, place };
            let read = match is_prompt {
                true if segment.file.read_cached_at(&mut record, place.offset()) => Ok(()),
                true => return Looked::Waits,
                false => segment.file.read_at(&mut record, place.offset()),
            };
            let seed = segment.seed(place.offset());
            if is_prompt && self.entry_bytes(&record, seed) > PROMPT_ENTRY_BYTES_MAX {
                return Looked::Waits;
            }
            return Looked::Done(match read {
                Ok(()) => self.open(key, &found, &segment, &record, now),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(self.damaged(&found, "its file is cut short"))
                }
                Err(error) => Err(self.shared.failed("read", &error)),
            });
        }
        Looked::Done(Ok(None))
    }

    /// Bytes of a record's entry; 0 where it is damaged.
    fn entry_bytes(&self, record: &[u8], seed: u64) -> u64 {
        let payload = Head::read(record, seed).and_then(|head| parts(record, &head));
        payload.map_or(0, |(_, payload)| self.encoding.entry_bytes(payload))
    }

    fn open(
        &self,
        key: TierKey<'_>,
        found: &Found,
        segment: &Segment,
        record: &[u8],
        now: Millis,
    ) -> Result<Option<Stored>, TierError> {
        let seed = segment.seed(found.place.offset());
        let head = Head::read(record, seed).filter(|_| record::is_intact(record, seed));
        let parts = head.and_then(|head| Some((head, parts(record, &head)?)));
        let Some((head, (of, payload))) = parts else {
            return Err(self.damaged(found, "its checksum is wrong"));
        };
        let is_expired = head.expires_at != 0 && head.expires_at <= now;
        let is_other = head.space != found.space || of != key.bytes;
        let is_cleared = || {
            self.shared
                .is_cleared(found.space, of, segment, found.place)
        };
        if is_other || is_expired || is_cleared() {
            return Ok(None);
        }
        let stored = self.encoding.decode(key, payload);
        stored
            .map(Some)
            .map_err(|reason| self.damaged(found, &reason))
    }

    /// Forgets a record, unless another has taken its place.
    fn damaged(&self, found: &Found, reason: &str) -> TierError {
        let Found { space, hash, place } = *found;
        if self
            .shared
            .index
            .remove_if(hash, |at| at.is_same(place))
            .is_some()
        {
            self.shared.damaged.fetch_add(1, Relaxed);
            self.shared.forgotten.lock().push(Forgotten {
                hash,
                space,
                counted_bytes: Some(place.bytes()),
            });
        }
        TierError::Damaged(format!(
            "a value in {} cannot be read as what was written: {reason}; it is forgotten",
            self.shared.path.display()
        ))
    }
}

/// Key and payload of a record.
fn parts<'r>(record: &'r [u8], head: &Head) -> Option<(&'r [u8], &'r [u8])> {
    let body = record.get(HEAD_BYTES..)?;
    let (key, rest) = body.split_at_checked(head.key_bytes as usize)?;
    Some((key, rest.get(..head.payload_bytes as usize)?))
}

/// What the index said.
struct Found {
    space: u32,
    hash: u64,
    place: Place,
}
