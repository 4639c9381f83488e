//! The hot set: the names of the hottest keys, kept when the server stops, so that the next one begins with their values in
//! memory. Only of tenants with something below the memory, as they are brought back from there.

mod file;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larder_engine::{HotCursor, HotKey, Hottest, Tenant};
use larder_server::{Shared, is_hot_set_back, restore_hot_sets};
use tracing::{info, warn};

use crate::config::Config;

/// The folder within the data folder, with a file for each tenant.
const FOLDER: &str = "hot";
/// What the names of a tenant may take: this part of its memory, and so much at most.
const MEMORY_PART: u64 = 32;
const BYTES_MAX: u64 = 32 << 20;

/// See the module.
pub(crate) struct HotSets {
    folder: PathBuf,
    /// How long they may take to come back; `None`: they are left alone.
    time_max: Option<Duration>,
}

impl HotSets {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            folder: config.folders.data.join(FOLDER),
            time_max: config.store.warm_deadline,
        }
    }

    /// Brings back what the server before kept. What cannot be read is said and left out.
    pub(crate) async fn restore(&self, shared: &Arc<Shared>) {
        let Some(time_max) = self.time_max else {
            return;
        };
        let tenants = shared.engine.tenants().iter();
        let sets = tenants.filter(|tenant| tenant.below().is_some());
        let sets = sets.map(|tenant| (Arc::clone(tenant), self.read(tenant)));
        let sets: Vec<_> = sets.filter(|(_, keys)| !keys.is_empty()).collect();
        if !sets.is_empty() {
            restore_hot_sets(shared, sets, time_max).await;
        }
    }

    fn read(&self, tenant: &Tenant) -> Vec<HotKey> {
        let path = self.folder.join(tenant.name());
        let read = file::read(&path);
        read.unwrap_or_else(|why| {
            let (file, tenant) = (path.display(), tenant.name());
            warn!(%file, tenant, "the hot set {why}: the memory is empty at first");
            Vec::new()
        })
    }

    /// Keeps the hottest keys of all tenants. What cannot be written is said.
    pub(crate) fn save(&self, shared: &Shared) {
        if self.time_max.is_none() {
            return;
        }
        for tenant in shared.engine.tenants() {
            if tenant.below().is_none() {
                continue;
            }
            let (mut keys, name) = (hottest(tenant, shared), tenant.name());
            if !is_hot_set_back(shared, tenant) {
                append(&mut keys, self.read(tenant), bytes_max(tenant));
            }
            match file::write(&self.folder.join(name), &keys) {
                Ok(()) => info!(tenant = name, keys = keys.len(), "the hot set is kept"),
                Err(error) => {
                    let folder = self.folder.display();
                    warn!(%folder, tenant = name, %error, "the hot set cannot be kept: let the server write there");
                }
            }
        }
    }
}

/// What the names of a tenant's may take.
fn bytes_max(tenant: &Tenant) -> usize {
    let bytes_max = (tenant.memory_bytes() / MEMORY_PART).min(BYTES_MAX);
    usize::try_from(bytes_max).unwrap_or(usize::MAX)
}

/// Puts what was hot behind what is, as far as there is room: it did not all come back, and is hot as soon as it can.
fn append(keys: &mut Vec<HotKey>, before: Vec<HotKey>, bytes_max: usize) {
    let known: HashSet<HotKey> = keys.iter().cloned().collect();
    let bytes: usize = keys.iter().map(HotKey::bytes).sum();
    let mut left = bytes_max.saturating_sub(bytes);
    let others = before.into_iter().filter(|key| !known.contains(key));
    keys.extend(others.take_while(|key| {
        let fits = key.bytes() <= left;
        left = left.saturating_sub(key.bytes());
        fits
    }));
}

fn hottest(tenant: &Tenant, shared: &Shared) -> Vec<HotKey> {
    let mut hottest = Hottest::new(usize::MAX, bytes_max(tenant));
    let mut at = Some(HotCursor::default());
    while let Some(cursor) = at {
        at = tenant.offer_hottest(None, cursor, shared.now(), &mut hottest);
    }
    hottest.into_keys()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hot_stands_behind_what_is_while_there_is_room() {
        let key = |db, name: &str| HotKey {
            db,
            key: name.as_bytes().into(),
        };
        let mut keys = vec![key(0, "a"), key(1, "b")];
        let before = vec![key(0, "b"), key(0, "a"), key(0, "c"), key(0, "d")];
        let bytes_max = 4 * key(0, "a").bytes();
        append(&mut keys, before, bytes_max);
        assert_eq!(keys, [key(0, "a"), key(1, "b"), key(0, "b"), key(0, "c")]);
    }
}
