//! Prefixes that were cleared: records with a key that begins so, in one space, that lie before a place of the log are none.
//!
//! They are kept in the manifest until a survey has gone over all that lay before them, and deleted what they cover. Whoever
//! copies a record to the end of the log asks here before.

use larder_engine::tier::PREFIXES_MAX;
use serde::{Deserialize, Serialize};

/// A place of the log: what is written later lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cleared {
    space: u32,
    prefix: Vec<u8>,
    before: Mark,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Prefixes(Vec<Cleared>);

impl Prefixes {
    /// What begins so in a space and lies before that is none. `false` where there are too many to know one more.
    pub(super) fn add(&mut self, space: u32, prefix: &[u8], before: Mark) -> bool {
        // What it covers itself need not be known any more.
        self.0
            .retain(|known| known.space != space || !known.prefix.starts_with(prefix));
        let has_room = self.len() < PREFIXES_MAX;
        if has_room {
            self.0.push(Cleared {
                space,
                prefix: prefix.to_vec(),
                before,
            });
        }
        has_room
    }

    /// Whether a record at that place is none.
    pub(super) fn cover(&self, space: u32, key: &[u8], at: Mark) -> bool {
        self.0.iter().any(|cleared| {
            cleared.space == space && at < cleared.before && key.starts_with(&cleared.prefix)
        })
    }

    /// Nothing is left of what these cover, but for those that were added anew.
    pub(super) fn forget(&mut self, done: &Self) {
        self.0.retain(|known| !done.0.contains(known));
    }

    /// Nothing is found of a space any more.
    pub(super) fn forget_space(&mut self, space: u32) {
        self.0.retain(|known| known.space != space);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(segment: u64, offset: u64) -> Mark {
        Mark { segment, offset }
    }

    #[test]
    fn a_prefix_covers_what_lies_before_it_in_its_space() {
        let mut prefixes = Prefixes::default();
        assert!(prefixes.add(1, b"a:", mark(3, 100)));
        for (space, key, at, is_covered) in [
            (1, &b"a:1"[..], mark(3, 99), true),
            (1, b"a:", mark(2, 900), true),
            (1, b"a:1", mark(3, 100), false),
            (1, b"a:1", mark(4, 0), false),
            (1, b"a", mark(1, 0), false),
            (2, b"a:1", mark(1, 0), false),
        ] {
            assert_eq!(prefixes.cover(space, key, at), is_covered, "{key:?} {at:?}");
        }
        // The shorter one stands for the longer one, and the later one for the earlier.
        assert!(prefixes.add(1, b"a", mark(3, 200)) && prefixes.add(1, b"a", mark(3, 300)));
        assert!(prefixes.cover(1, b"a:1", mark(3, 250)) && prefixes.len() == 1);
        let done = prefixes.clone();
        assert!(prefixes.add(1, b"a", mark(3, 400)));
        prefixes.forget(&done);
        assert_eq!(prefixes.len(), 1);
        prefixes.forget_space(1);
        assert!(prefixes.is_empty());
    }

    #[test]
    fn there_are_only_so_many() {
        let mut prefixes = Prefixes::default();
        for n in 0..PREFIXES_MAX {
            assert!(prefixes.add(1, &n.to_be_bytes(), mark(1, n)));
        }
        assert!(!prefixes.add(1, b"one more", mark(1, 1)));
        assert!(
            prefixes.add(1, &0_u64.to_be_bytes(), mark(1, 99)),
            "the same again"
        );
        assert!(prefixes.add(1, b"", mark(1, 99)) && prefixes.len() == 1);
    }
}
