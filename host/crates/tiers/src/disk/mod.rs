//! Entries on the local disk: a log of our own.
//!
//! Records are appended to segments, files of up to 64 MiB; an index in memory says where the newest record of each key
//! lies. The oldest segment is reclaimed when room gets short. `host/ARCHITECTURE.md` has the promise, its limits and
//! the rules of recovery; the forms stand in `manifest.rs`, `segment.rs` and `record.rs`.
//!
//! One thread writes, batch by batch. Whoever reads does so on the spot while the page cache has the record, and hands
//! the read to one of a few threads otherwise.

mod index;
mod log;
mod manifest;
mod open;
mod place;
mod prefixes;
mod reader;
mod reclaim;
mod record;
mod recover;
mod renew;
mod scan;
mod segment;
mod shared;
mod spaces;
mod survey;
#[cfg(test)]
mod tests;
mod threads;
mod volume;
mod writer;

use std::sync::Arc;

use larder_engine::Millis;
use larder_engine::tier::{
    Answer, Stored, Tier, TierError, TierFigures, TierKey, TierKeyBuf, Told,
};

pub use open::{BYTES_MAX, BYTES_MIN, DiskOptions, OpenError};
use reader::{Looked, Reader};
use shared::Shared;
pub use survey::Surveyed;
use threads::Threads;

/// The disk tier.
pub struct Disk {
    shared: Arc<Shared>,
    reader: Arc<Reader>,
    threads: Threads,
}

impl Disk {
    /// Goes over `bytes` more of all that it holds, `is_anew` from the beginning: counts what that names, writes anew what
    /// would have another form now, deletes what is damaged or will not be read
    /// again. Waits for the writer, so it is for a thread
    /// with time.
    ///
    /// # Errors
    /// When the writer has too much to do, or has ended.
    pub fn survey(&self, is_anew: bool, bytes: u64, now: Millis) -> Result<Surveyed, TierError> {
        let answer = self.threads.survey(is_anew, bytes, now)?;
        answer.blocking_recv().map_err(|_| self.threads.ended())
    }
}

impl Tier for Disk {
    fn name(&self) -> &str {
        "disk"
    }

    fn may_hold(&self, key: TierKey<'_>) -> bool {
        let found = self.shared.find(key.tenant, key.db, key.bytes);
        found.is_some_and(|(space, hash)| self.shared.may_hold(space, hash, key.bytes))
    }

    fn read_now(&self, key: TierKey<'_>, now: Millis) -> Option<Result<Option<Stored>, TierError>> {
        match self.reader.look(key, now, true) {
            Looked::Done(answer) => Some(answer),
            Looked::Waits => None,
        }
    }

    fn read_bytes(&self, key: TierKey<'_>) -> u64 {
        let found = self.shared.find(key.tenant, key.db, key.bytes);
        let place = found.and_then(|(_, hash)| self.shared.index.get(hash));
        place.map_or(0, |place| place.bytes())
    }

    fn read<'a>(
        &'a self,
        key: &'a TierKeyBuf,
        now: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(async move {
            if let Looked::Done(answer) = self.reader.look(key.borrow(), now, true) {
                return answer;
            }
            let answer = self.threads.read(key.clone(), now)?;
            answer.await.unwrap_or_else(|_| Err(self.threads.ended()))
        })
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        now: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(async move {
            let count = changes.len();
            let failed = |error| vec![Err(error); count];
            let changes = changes.iter().map(|told| told.change.clone());
            match self.threads.write(changes.collect(), now) {
                Ok(answer) => answer
                    .await
                    .unwrap_or_else(|_| failed(self.threads.ended())),
                Err(error) => failed(error),
            }
        })
    }

    fn figures(&self) -> TierFigures {
        let figures = self.shared.figures();
        TierFigures {
            index_bytes: figures.index_bytes + self.reader.encoding.memory_bytes(),
            ..figures
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(closed) = self.threads.close() {
                // Should the writer be dead, there is nothing to end.
                let _ = closed.await;
            }
        })
    }
}
