//! What records of a tier name: how far a rotation has come, and which dictionaries are needed.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::header::{Header, Packing};
use super::{DictionaryId, KeyId};

/// What a record names, and cannot be read without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named {
    /// The key that it is sealed under.
    pub key: Option<KeyId>,
    /// The dictionary that it was compressed with.
    pub dictionary: Option<DictionaryId>,
}

impl Named {
    /// What a record names; nothing where it is none. It looks at the header alone.
    pub fn by(record: &[u8]) -> Option<Self> {
        let (header, _) = Header::read(record).ok()?;
        Some(Self {
            key: header.sealed_under,
            dictionary: match header.packing {
                Packing::Dictionary(id) => Some(id),
                Packing::Plain | Packing::Zstd | Packing::Lz4 => None,
            },
        })
    }
}

/// Names that are told apart; forged records may name anything.
const NAMES_MAX: usize = 1024;

/// Counts what the records that a tier holds name. Whoever keeps the records tells of each that comes and goes.
#[derive(Debug, Default)]
pub struct Census(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    keys: BTreeMap<Option<KeyId>, u64>,
    dictionaries: BTreeMap<DictionaryId, u64>,
}

impl Census {
    /// A record is kept.
    pub fn add(&self, named: Named) {
        let mut counts = self.0.lock();
        count(&mut counts.keys, named.key);
        if let Some(id) = named.dictionary {
            count(&mut counts.dictionaries, id);
        }
    }

    /// A record that was added is kept no longer.
    pub fn remove(&self, named: Named) {
        let mut counts = self.0.lock();
        discount(&mut counts.keys, named.key);
        if let Some(id) = named.dictionary {
            discount(&mut counts.dictionaries, id);
        }
    }

    /// Records by the key that they are sealed under; those that are not sealed come first.
    pub fn keys(&self) -> Vec<(Option<KeyId>, u64)> {
        self.0
            .lock()
            .keys
            .iter()
            .map(|(key, records)| (*key, *records))
            .collect()
    }

    /// Whether a record needs a dictionary.
    pub fn needs(&self, id: DictionaryId) -> bool {
        let counts = self.0.lock();
        // Beyond the bound nobody knows.
        counts.dictionaries.contains_key(&id) || counts.dictionaries.len() >= NAMES_MAX
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, name: K) {
    if counts.len() < NAMES_MAX || counts.contains_key(&name) {
        *counts.entry(name).or_default() += 1;
    }
}

fn discount<K: Ord>(counts: &mut BTreeMap<K, u64>, name: K) {
    if let Some(records) = counts.get_mut(&name) {
        *records -= 1;
        if *records == 0 {
            counts.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_what_they_name() {
        let census = Census::default();
        let plain = Named::default();
        let sealed = |key| Named {
            key: Some(KeyId(key)),
            dictionary: Some(DictionaryId(7)),
        };
        for named in [plain, sealed(1), sealed(1), sealed(2)] {
            census.add(named);
        }
        let counts = [(None, 1), (Some(KeyId(1)), 2), (Some(KeyId(2)), 1)];
        assert_eq!(census.keys(), counts);
        for named in [sealed(1), sealed(1), plain] {
            census.remove(named);
        }
        assert_eq!(census.keys(), counts[2..]);
        assert!(census.needs(DictionaryId(7)) && !census.needs(DictionaryId(8)));
        census.remove(sealed(2));
        census.remove(sealed(3));
        assert!(census.keys().is_empty() && !census.needs(DictionaryId(7)));
    }

    #[test]
    fn names_that_are_told_apart_are_bounded() {
        let census = Census::default();
        for id in 0..3 * NAMES_MAX as u32 {
            census.add(Named {
                key: Some(KeyId(id)),
                dictionary: Some(DictionaryId(id)),
            });
        }
        assert_eq!(census.keys().len(), NAMES_MAX);
        assert!(census.needs(DictionaryId(u32::MAX)));
    }
}
