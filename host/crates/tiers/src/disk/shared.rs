//! What the writer and all readers share.

use std::collections::HashMap;
use std::hash::Hasher;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use larder_engine::tier::{TierError, TierFigures};
use parking_lot::{Mutex, RwLock};
use siphasher::sip::SipHasher13;

use super::index::Index;
use super::place::Place;
use super::prefixes::{Mark, Prefixes};
use super::segment::Segment;
use super::spaces::Spaces;

/// See the module.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) hash_key: [u64; 2],
    pub(super) index: Index,
    pub(super) spaces: RwLock<Spaces>,
    /// Cleared, and not gone over yet.
    pub(super) prefixes: RwLock<Prefixes>,
    /// By the lowest bits of their numbers.
    pub(super) segments: RwLock<HashMap<u16, Arc<Segment>>>,
    /// What readers found damaged and took out of the index, until the writer has noted it on the disk.
    pub(super) forgotten: Mutex<Vec<Forgotten>>,
    pub(super) damaged: AtomicU64,
    pub(super) errors: AtomicU64,
    /// As of the last batch, but for what stands beside it here.
    pub(super) figures: Mutex<TierFigures>,
}

/// A key under which nothing is any more, though a record says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forgotten {
    pub(super) hash: u64,
    pub(super) space: u32,
    /// Of the record, where the ledger still counts it.
    pub(super) counted_bytes: Option<u64>,
}

impl Shared {
    pub(super) fn hash(&self, space: u32, key: &[u8]) -> u64 {
        let [first, second] = self.hash_key;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write_u32(space);
        hasher.write(key);
        hasher.finish()
    }

    /// The space of a tenant's database and the hash of a key in it, if the database holds anything.
    pub(super) fn find(&self, tenant: &str, db: u8, key: &[u8]) -> Option<(u32, u64)> {
        let space = self.spaces.read().number(tenant, db)?;
        Some((space, self.hash(space, key)))
    }

    /// Whether something may be under a key.
    pub(super) fn may_hold(&self, space: u32, hash: u64, key: &[u8]) -> bool {
        if self.prefixes.read().is_empty() {
            return self.index.holds(hash);
        }
        let Some(place) = self.index.get(hash) else {
            return false;
        };
        // Where its segment is gone it has moved, or is about to go.
        let segment = self.segment(place);
        segment.is_none_or(|segment| !self.is_cleared(space, key, &segment, place))
    }

    /// Whether the record at that place was cleared, by what its key begins with.
    pub(super) fn is_cleared(&self, space: u32, key: &[u8], segment: &Segment, at: Place) -> bool {
        let at = Mark {
            segment: segment.number,
            offset: at.offset(),
        };
        self.prefixes.read().cover(space, key, at)
    }

    pub(super) fn segment(&self, place: Place) -> Option<Arc<Segment>> {
        self.segments.read().get(&place.segment()).cloned()
    }

    /// Counts a failure and says it for people.
    pub(super) fn failed(&self, doing: &str, error: &io::Error) -> TierError {
        self.errors.fetch_add(1, Relaxed);
        let path = self.path.display();
        let mend = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
            io::ErrorKind::NotFound => "restart the server",
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                "let the server write there"
            }
            _ => "look at the disk",
        };
        TierError::Unavailable(format!(
            "the disk tier in {path} cannot {doing}: {error}; {mend} (values stay in memory until then)"
        ))
    }

    pub(super) fn figures(&self) -> TierFigures {
        TierFigures {
            index_bytes: self.index.memory_bytes(),
            damaged: self.damaged.load(Relaxed),
            errors: self.errors.load(Relaxed),
            prefixes: self.prefixes.read().len(),
            ..self.figures.lock().clone()
        }
    }
}
