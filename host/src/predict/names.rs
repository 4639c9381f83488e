//! What keys are called that are known by their hash, as far as they were seen lately: what has no name cannot be
//! fetched.

use std::collections::HashMap;
use std::hash::RandomState;

use larder_engine::Key;
use larder_predict::Place;

use super::ear::{Name, Numbered};

/// Beside its bytes, what a name takes.
const NAME_BYTES: usize = 96;

/// By hash, what was seen lately within a bound of bytes: of two generations the older goes as a whole.
#[derive(Debug)]
struct Lately<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    young_bytes: usize,
    bytes_max: usize,
}

impl<V> Lately<V> {
    fn new(bytes_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
            bytes_max,
        }
    }

    fn get(&self, hash: u64) -> Option<&V> {
        self.young.get(&hash).or_else(|| self.old.get(&hash))
    }

    /// Keeps a value of so many bytes; whatever is there under the hash is as good.
    fn keep(&mut self, hash: u64, bytes: usize, value: impl FnOnce() -> V) {
        if self.young.contains_key(&hash) {
            return;
        }
        let value = self.old.remove(&hash).unwrap_or_else(value);
        self.young.insert(hash, value);
        self.young_bytes += bytes + NAME_BYTES;
        if self.young_bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// All keys of a family, but for their numbers.
#[derive(Debug)]
struct Family {
    db: u8,
    before: Box<[u8]>,
    after: Box<[u8]>,
    width: usize,
}

impl Family {
    fn name(&self, number: u64) -> Name {
        let width = self.width;
        let number = format!("{number:0width$}");
        Name {
            db: self.db,
            bytes: [&self.before, number.as_bytes(), &self.after]
                .concat()
                .into(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Names {
    hasher: RandomState,
    names: Lately<Name>,
    families: Lately<Family>,
}

/// This part of the bytes is for families.
const FAMILIES_PART: usize = 8;

impl Names {
    /// Those that take so many bytes at most; `hasher` tells families apart.
    pub(super) fn new(bytes_max: usize, hasher: RandomState) -> Self {
        let families_bytes = bytes_max / FAMILIES_PART;
        Self {
            hasher,
            names: Lately::new(bytes_max - families_bytes),
            families: Lately::new(families_bytes),
        }
    }

    /// Keeps the name of the key with that hash.
    pub(super) fn keep(&mut self, hash: u64, name: Name) {
        if let Some(numbered) = Numbered::of(name.key()) {
            let family = numbered.place(&self.hasher).family;
            let bytes = numbered.before.len() + numbered.after.len();
            self.families.keep(family, bytes, || Family {
                db: numbered.db,
                before: numbered.before.into(),
                after: numbered.after.into(),
                width: numbered.width,
            });
        }
        self.names.keep(hash, name.bytes.len(), || name.clone());
    }

    /// What the key with that hash is called.
    pub(super) fn get(&self, hash: u64) -> Option<&Name> {
        self.names.get(hash)
    }

    /// The hash of the key at a place, whose name is known from now on.
    pub(super) fn at(&mut self, place: Place, hash_of: impl Fn(Key<'_>) -> u64) -> Option<u64> {
        let name = self.families.get(place.family)?.name(place.number);
        let hash = hash_of(name.key());
        self.names.keep(hash, name.bytes.len(), || name);
        Some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name {
            db: 0,
            bytes: text.as_bytes().into(),
        }
    }

    #[test]
    fn names_are_made_for_keys_that_nobody_has_seen() {
        let hasher = RandomState::new();
        let mut names = Names::new(1 << 20, hasher.clone());
        for (known, next) in [
            ("track:9", "track:10"),
            ("part-08.gz", "part-09.gz"),
            ("7", "8"),
        ] {
            names.keep(1, name(known));
            let known = name(known);
            let place = Numbered::of(known.key()).unwrap().place(&hasher);
            let next_place = Place {
                number: place.number + 1,
                ..place
            };
            let hash = names.at(next_place, |key| key.bytes.len() as u64 + 100);
            assert_eq!(names.get(hash.unwrap()), Some(&name(next)));
        }
        let strange = Place {
            family: 5,
            number: 5,
        };
        assert_eq!(names.at(strange, |_| 0), None);
    }

    #[test]
    fn what_was_seen_lately_is_known_within_the_bound() {
        let mut names = Names::new(100_000, RandomState::new());
        for n in 0..10_000 {
            names.keep(n, name("name"));
        }
        let known = (0..10_000).filter(|n| names.get(*n).is_some()).count();
        assert!((400..1_000).contains(&known), "{known}");
        assert!(names.get(9_999).is_some() && names.get(0).is_none());
    }
}
