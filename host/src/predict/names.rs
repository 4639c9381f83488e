//! What keys are called that are known by their hash, as far as they were seen lately: what has no name cannot be
//! fetched.

use std::collections::HashMap;
use std::hash::RandomState;

use larder_engine::Key;
use larder_predict::Place;

use super::ear::{Name, Numbered, TEXT_BYTES};

/// By hash, what was seen lately within a bound of bytes: of two generations the older goes as a whole. Both tables are
/// as large as they ever get from the start, so that none doubles beyond the bound.
#[derive(Debug)]
struct Lately<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    young_text_bytes: usize,
    /// Of one generation.
    text_bytes_max: usize,
}

impl<V> Lately<V> {
    /// Half of what a generation takes is its table's at most: a power of two of places, each with a byte to tell it by.
    fn new(bytes_max: usize) -> Self {
        let generation_bytes = bytes_max / 2;
        let place_bytes = size_of::<(u64, V)>() + 1;
        let places = (generation_bytes / 2 / place_bytes).max(8);
        let places = 1_usize << places.ilog2();
        // A table is full with seven of eight.
        let table = || HashMap::with_capacity(places / 8 * 7);
        Self {
            young: table(),
            old: table(),
            young_text_bytes: 0,
            text_bytes_max: generation_bytes.saturating_sub(places * place_bytes),
        }
    }

    /// Bytes of the tables, and the most that texts take.
    #[cfg(test)]
    fn bytes_max(&self) -> usize {
        let places = |table: &HashMap<u64, V>| (table.capacity() * 8).div_ceil(7);
        let tables = places(&self.young) + places(&self.old);
        tables * (size_of::<(u64, V)>() + 1) + 2 * self.text_bytes_max
    }

    fn get(&self, hash: u64) -> Option<&V> {
        self.young.get(&hash).or_else(|| self.old.get(&hash))
    }

    /// Keeps a value with texts of so many bytes; whatever is there under the hash is as good.
    fn keep(&mut self, hash: u64, text_bytes: usize, value: impl FnOnce() -> V) {
        if self.young.contains_key(&hash) {
            return;
        }
        let is_full = self.young.len() == self.young.capacity()
            || self.young_text_bytes + text_bytes > self.text_bytes_max;
        if is_full {
            self.old.clear();
            std::mem::swap(&mut self.old, &mut self.young);
            self.young_text_bytes = 0;
        }
        if text_bytes > self.text_bytes_max {
            return;
        }
        let value = self.old.remove(&hash).unwrap_or_else(value);
        self.young.insert(hash, value);
        self.young_text_bytes += text_bytes;
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
            self.families
                .keep(family, bytes + 2 * TEXT_BYTES, || Family {
                    db: numbered.db,
                    before: numbered.before.into(),
                    after: numbered.after.into(),
                    width: numbered.width,
                });
        }
        self.names.keep(hash, name.text_bytes(), || name);
    }

    /// What the key with that hash is called.
    pub(super) fn get(&self, hash: u64) -> Option<&Name> {
        self.names.get(hash)
    }

    /// The hash of the key at a place, whose name is known from now on.
    pub(super) fn at(&mut self, place: Place, hash_of: impl Fn(Key<'_>) -> u64) -> Option<u64> {
        let name = self.families.get(place.family)?.name(place.number);
        let hash = hash_of(name.key());
        self.names.keep(hash, name.text_bytes(), || name);
        Some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::ear::KEY_BYTES_MAX;

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

    #[test]
    fn neither_many_short_names_nor_a_few_long_ones_take_more_than_the_bound() {
        for (bytes, known_min) in [(1, 3_500), (40, 3_500), (KEY_BYTES_MAX, 550)] {
            let mut names = Names::new(1 << 20, RandomState::new());
            let taken = |names: &Names| names.names.bytes_max() + names.families.bytes_max();
            assert!(taken(&names) <= 1 << 20, "{}", taken(&names));
            for n in 0..20_000 {
                // Each of a family of its own.
                let text = format!("{n:0>bytes$}x1");
                names.keep(n, name(&text));
                let lately = &names.names;
                let texts = lately.young.values().map(Name::text_bytes);
                if n.is_multiple_of(1_999) {
                    assert!(texts.sum::<usize>() <= lately.text_bytes_max);
                }
            }
            assert!(
                taken(&names) <= 1 << 20,
                "no table has grown: {}",
                taken(&names)
            );
            let known = (0..20_000).filter(|n| names.get(*n).is_some()).count();
            assert!(known >= known_min, "{known} of {bytes} bytes");
        }
    }
}
