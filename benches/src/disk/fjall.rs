//! fjall, a tree of sorted files. Nothing bounds its bytes, and nothing expires.

use std::path::Path;

use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::store::{Store, key, number, value};

pub(super) struct Fjall {
    database: Database,
    keyspace: Keyspace,
    value_bytes: u64,
}

impl Fjall {
    pub(super) fn open(folder: &Path, value_bytes: u64) -> Result<Self> {
        let database = Database::builder(folder).open()?;
        let keyspace = database.keyspace("entries", KeyspaceCreateOptions::default)?;
        Ok(Self {
            database,
            keyspace,
            value_bytes,
        })
    }
}

impl Store for Fjall {
    fn put(&self, numbers: &[u64]) -> Result<()> {
        let mut batch = self.database.batch();
        for number in numbers {
            batch.insert(
                &self.keyspace,
                key(*number),
                value(*number, self.value_bytes),
            );
        }
        Ok(batch.commit()?)
    }

    fn get(&self, wanted: u64) -> Result<Option<u64>> {
        let found = self.keyspace.get(key(wanted))?;
        Ok(found.and_then(|found| number(&found)))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(fjall::PersistMode::Buffer)?)
    }
}
