//! Batches of changes, one after the other, on a thread of its own.

use std::time::Duration;

use larder_engine::Millis;
use larder_engine::tier::{PREFIXES_MAX, Stored, TierChange, TierError, TierFigures, TierKeyBuf};
use tokio::sync::oneshot;

use super::log::{Log, Origin};
use super::record::{HEAD_BYTES, Head, Kind};
use super::shared::Forgotten;
use super::survey::Surveyed;
use crate::codec::Heat;

/// Keys to be deleted on the disk once it can be written again; above that everything is cleared.
const FORGOTTEN_MAX: usize = 65_536;

/// What the writer is asked for.
pub(super) enum Order {
    /// To do changes and answer each.
    Write(
        Vec<TierChange>,
        Millis,
        oneshot::Sender<Vec<Result<(), TierError>>>,
    ),
    /// To go on with a survey for so many bytes, or to begin it anew before.
    Survey {
        is_anew: bool,
        bytes: u64,
        now: Millis,
        answer: oneshot::Sender<Surveyed>,
    },
    /// To end in good order.
    Close(oneshot::Sender<()>),
}

/// See the module.
pub(super) struct Writer {
    pub(super) log: Log,
    /// How often what was written is brought to the disk itself.
    pub(super) sync_every: Option<Duration>,
    put_bytes: u64,
}

impl Writer {
    pub(super) fn new(log: Log, sync_every: Option<Duration>) -> Self {
        let writer = Self {
            log,
            sync_every,
            put_bytes: 0,
        };
        writer.publish_figures(None);
        writer
    }

    /// Does the changes in their order.
    pub(super) fn apply(
        &mut self,
        changes: &[TierChange],
        now: Millis,
    ) -> Vec<Result<(), TierError>> {
        let written_before = self.log.written_bytes;
        self.log.now = now;
        let mut results = vec![Ok(()); changes.len()];
        match self.settle() {
            Ok(()) => {
                for (number, change) in changes.iter().enumerate() {
                    results[number] = self.change(number, change);
                }
                self.log.flush();
            }
            Err(error) => {
                for (result, change) in results.iter_mut().zip(changes) {
                    self.give_up(change);
                    *result = Err(error.clone());
                }
            }
        }
        for (number, error) in self.log.failures.drain(..) {
            results[number] = Err(error);
        }
        self.bound_forgotten();
        self.log
            .reclaim_step(self.log.written_bytes - written_before);
        let trouble = results.iter().find_map(|result| match result {
            Err(TierError::Unavailable(text)) => Some(text.clone()),
            _ => None,
        });
        self.publish_figures(trouble);
        results
    }

    /// Goes on with a survey, or begins it anew.
    pub(super) fn survey(&mut self, is_anew: bool, bytes: u64, now: Millis) -> Surveyed {
        self.log.now = now;
        if is_anew {
            self.log.survey = None;
        }
        if self.settle().is_err() || !self.log.flush() {
            return Surveyed::Stuck;
        }
        let written_before = self.log.written_bytes;
        let surveyed = match (self.log.survey_step(bytes), self.settle()) {
            (surveyed, Ok(())) => surveyed,
            // What is forgotten has to be gone from the disk, too.
            (_, Err(_)) => Surveyed::Stuck,
        };
        self.log.flush();
        self.log
            .reclaim_step(self.log.written_bytes - written_before);
        let trouble = self.log.shared.figures.lock().trouble.clone();
        self.publish_figures(trouble);
        surveyed
    }

    /// Ends the segment that is written to, so that the next start finds a footer.
    pub(super) fn close(&mut self) {
        // What cannot be brought to the disk any more was counted where it failed.
        let _ = self.settle();
        self.log.flush();
        self.sync();
        self.log.seal_active();
    }

    /// Brings what was written to the disk itself, if that is wanted.
    pub(super) fn sync(&mut self) {
        if self.sync_every.is_some() {
            self.log.sync();
        }
    }

    /// Brings to the disk what it did not hear of when it happened.
    fn settle(&mut self) -> Result<(), TierError> {
        self.save_manifest()?;
        let mut forgotten = std::mem::take(&mut *self.log.shared.forgotten.lock());
        for Forgotten {
            space,
            counted_bytes,
            ..
        } in &forgotten
        {
            if let Some(bytes) = counted_bytes {
                self.log.ledger.remove(*space, *bytes);
            }
        }
        forgotten.append(&mut self.log.forgotten);
        let mut forgotten = forgotten.into_iter();
        while let Some(Forgotten { hash, space, .. }) = forgotten.next() {
            // What was written since counts anyway.
            if self.log.shared.index.holds(hash) {
                continue;
            }
            if let Err(error) = self.log.stage_delete(space, hash, Origin::Forgotten) {
                self.log.forget(space, hash);
                self.log.forgotten.extend(forgotten);
                return Err(error);
            }
        }
        Ok(())
    }

    fn save_manifest(&mut self) -> Result<(), TierError> {
        let saved = self.log.save_manifest();
        saved.map_err(|error| self.log.shared.failed("write its manifest", &error))
    }

    fn change(&mut self, number: usize, change: &TierChange) -> Result<(), TierError> {
        match change {
            TierChange::Put(key, stored) => {
                let start = self.log.buffer.len();
                let done = self.put(number, key, stored);
                if let Err(error) = &done {
                    // Staging has cut it off already, or written what came before.
                    self.log.buffer.truncate(start);
                    let is_refused = matches!(error, TierError::Refused(_));
                    if !is_refused || self.delete(number, key).is_err() {
                        self.give_up(change);
                    }
                }
                done
            }
            TierChange::Delete(key) => self
                .delete(number, key)
                .inspect_err(|_| self.give_up(change)),
            TierChange::Clear(tenant, db) => {
                self.clear(tenant, *db);
                self.save_manifest()
            }
            TierChange::ClearPrefix(prefix) => {
                let cleared = self.clear_prefix(prefix);
                self.save_manifest().and(cleared)
            }
            // It is written down beside it.
            TierChange::Invalidate(..) => Ok(()),
        }
    }

    fn put(&mut self, number: usize, key: &TierKeyBuf, stored: &Stored) -> Result<(), TierError> {
        let space = self.space(key)?;
        let log = &mut self.log;
        let start = log.buffer.len();
        log.buffer.resize(start + HEAD_BYTES, 0);
        log.buffer.extend_from_slice(&key.bytes);
        let payload_at = log.buffer.len();
        // Nobody knows what was written just now.
        let encoded = log
            .encoding
            .encode(key.borrow(), stored, Heat::Warm, &mut log.buffer);
        encoded.map_err(TierError::Refused)?;
        let payload_bytes = log.buffer.len() - payload_at;
        let record_bytes_max = log.limits.record_bytes_max();
        if (key.bytes.len() + payload_bytes + 64) as u64 > record_bytes_max {
            return Err(TierError::Refused(format!(
                "a value of {payload_bytes} bytes is too large for the disk tier, which takes {record_bytes_max}, \
                 an eighth of its size at most"
            )));
        }
        let head = Head {
            kind: Kind::Put,
            key_bytes: key.bytes.len() as u32,
            payload_bytes: payload_bytes as u32,
            space,
            hash: log.shared.hash(space, &key.bytes),
            expires_at: stored.expires_at.unwrap_or(0),
        };
        log.stage(start, &head, Origin::Change(number))?;
        self.put_bytes += head.record_bytes();
        Ok(())
    }

    fn delete(&mut self, number: usize, key: &TierKeyBuf) -> Result<(), TierError> {
        match self.log.shared.find(&key.tenant, key.db, &key.bytes) {
            Some((space, hash)) if self.log.may_hold(hash) => {
                self.log.stage_delete(space, hash, Origin::Change(number))
            }
            _ => Ok(()),
        }
    }

    /// Forgets what a change that failed was to replace.
    fn give_up(&mut self, change: &TierChange) {
        match change {
            TierChange::Put(key, _) | TierChange::Delete(key) => {
                if let Some((space, hash)) = self.log.shared.find(&key.tenant, key.db, &key.bytes) {
                    self.log.forget(space, hash);
                }
            }
            TierChange::Clear(tenant, db) => self.clear(tenant, *db),
            // What it could not do it has done to all of the database.
            TierChange::ClearPrefix(prefix) => _ = self.clear_prefix(prefix),
            TierChange::Invalidate(..) => {}
        }
    }

    /// Has nothing be found that begins so; of all the database where there are too many prefixes.
    fn clear_prefix(&mut self, prefix: &TierKeyBuf) -> Result<(), TierError> {
        let mark = self.log.mark();
        let shared = &self.log.shared;
        let space = shared.spaces.read().number(&prefix.tenant, prefix.db);
        let Some(space) = space else {
            return Ok(());
        };
        self.log.is_manifest_due = true;
        if shared.prefixes.write().add(space, &prefix.bytes, mark) {
            return Ok(());
        }
        self.clear(&prefix.tenant, Some(prefix.db));
        Err(TierError::Refused(format!(
            "{PREFIXES_MAX} prefixes are being removed from the disk tier in {} already: all of the database went",
            self.log.shared.path.display()
        )))
    }

    fn clear(&mut self, tenant: &str, db: Option<u8>) {
        let cleared = self.log.shared.spaces.write().clear(tenant, db);
        self.log.is_manifest_due |= !cleared.is_empty();
        for number in cleared {
            self.log.shared.prefixes.write().forget_space(number);
            self.log.ledger.close(number);
        }
        // What comes before in the batch may live elsewhere.
        self.log.flush();
        if self.log.ledger.entries() == 0 {
            self.log.remove_dead();
        }
    }

    /// The number of a key's database, which gets one if it has none.
    fn space(&mut self, key: &TierKeyBuf) -> Result<u32, TierError> {
        let mut spaces = self.log.shared.spaces.write();
        if let Some(number) = spaces.number(&key.tenant, key.db) {
            return Ok(number);
        }
        let number = self.log.manifest.next_space;
        let Some(next) = number.checked_add(1) else {
            return Err(TierError::Unavailable(format!(
                "the disk tier in {} was cleared four billion times; remove the folder",
                self.log.shared.path.display()
            )));
        };
        self.log.manifest.next_space = next;
        self.log.is_manifest_due = true;
        self.log.ledger.open(number);
        spaces.set(&key.tenant, key.db, number);
        Ok(number)
    }

    /// Clears everything where too many keys wait for being deleted.
    fn bound_forgotten(&mut self) {
        if self.log.forgotten.len() > FORGOTTEN_MAX {
            let spaces = self.log.shared.spaces.read().clone();
            for (tenant, db, _) in spaces.iter() {
                self.clear(tenant, Some(db));
            }
            self.log.forgotten = Vec::new();
        }
    }

    fn publish_figures(&self, trouble: Option<String>) {
        let log = &self.log;
        *log.shared.figures.lock() = TierFigures {
            entries: log.ledger.entries(),
            used_bytes: log.used_bytes,
            bytes_max: log.limits.bytes_max,
            index_bytes: log.memory_bytes(),
            evictions: log.evictions,
            written_bytes: log.written_bytes,
            put_bytes: self.put_bytes,
            trouble,
            ..TierFigures::default()
        };
    }
}
