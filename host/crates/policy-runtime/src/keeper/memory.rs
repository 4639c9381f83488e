//! What one thread decided last for the keys it was asked about.

use larder_abi::SecurityAnswer;
use larder_engine::Millis;

use crate::chain::{Said, TtlSaid};

/// Decisions remembered a thread: a newer one takes the place of an older one whose hash falls there.
const REMEMBERED_MAX: usize = 4096;
/// Names remembered a thread; beyond it everything is forgotten.
const NAMES_MAX: usize = 1024;

/// The number of a policy's name in a [`Memory`].
pub(super) type Label = u16;

/// A table of decisions, of the same size whatever happens.
pub(super) struct Memory {
    places: Box<[Remembered]>,
    names: Vec<String>,
}

#[derive(Clone, Default)]
struct Remembered {
    hash: u64,
    at_ms: Millis,
    said: Vec<(Label, Said)>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            places: vec![Remembered::default(); REMEMBERED_MAX].into(),
            names: Vec::new(),
        }
    }

    /// The label of a policy; good until the memory [`Self::is_full`] and is replaced.
    pub(super) fn label(&mut self, name: &str) -> Label {
        let known = self.names.iter().position(|known| known == name);
        let label = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        label as Label
    }

    /// Whether so many names were seen that a new memory is due.
    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= NAMES_MAX
    }

    /// The place of a key's decision, emptied, to append what up to `policies` say to.
    pub(super) fn begin(
        &mut self,
        hash: u64,
        at_ms: Millis,
        policies: usize,
    ) -> &mut Vec<(Label, Said)> {
        let place = &mut self.places[hash as usize % REMEMBERED_MAX];
        place.hash = hash;
        place.at_ms = at_ms;
        place.said.clear();
        place.said.reserve_exact(policies);
        &mut place.said
    }

    /// What was decided for a key last and when, a line for each policy.
    pub(super) fn recall(&self, hash: u64, now_ms: Millis) -> Option<(Millis, Vec<String>)> {
        let place = &self.places[hash as usize % REMEMBERED_MAX];
        if place.hash != hash || place.said.is_empty() {
            return None;
        }
        let ago_ms = now_ms.saturating_sub(place.at_ms);
        let line = |&(label, said): &(Label, Said)| {
            let name = &self.names[usize::from(label)];
            format!("{name}, {ago_ms} ms ago: {}", describe(said))
        };
        Some((place.at_ms, place.said.iter().map(line).collect()))
    }
}

fn describe(said: Said) -> String {
    let Said::Answer {
        keep,
        ttl,
        priority,
        security,
    } = said
    else {
        return "failed, and had no say".to_owned();
    };
    let keep = keep.map(|keep| if keep { "to be kept" } else { "not to be kept" }.to_owned());
    let ttl = ttl.map(|ttl| match ttl {
        TtlSaid::Kept => "TTL as it stood".to_owned(),
        TtlSaid::Set(Some(ms)) => format!("TTL {ms} ms"),
        TtlSaid::Set(None) => "no TTL".to_owned(),
        TtlSaid::NotLengthened => {
            "TTL as it stood: it may not lengthen it (may_extend = false)".to_owned()
        }
    });
    let priority = priority.map(|priority| format!("priority {priority}"));
    let security = security.map(|security| match security {
        SecurityAnswer::Keep => "security as it stood".to_owned(),
        SecurityAnswer::High => "security high".to_owned(),
    });
    let parts = [keep, ttl, priority, security].into_iter().flatten();
    let parts: Vec<_> = parts.collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_decision_of_a_key_is_remembered_in_words() {
        let mut memory = Memory::new();
        let (gate, ttl) = (memory.label("10-gate"), memory.label("20-ttl"));
        assert_eq!(memory.label("10-gate"), gate);
        memory.begin(7, 1000, 2).push((gate, Said::Failed));
        let said = memory.begin(7, 2000, 2);
        let keep = Said::Answer {
            keep: Some(true),
            ttl: None,
            priority: Some(9),
            security: Some(SecurityAnswer::High),
        };
        said.push((gate, keep));
        let set = Said::Answer {
            keep: None,
            ttl: Some(TtlSaid::Set(Some(500))),
            priority: None,
            security: None,
        };
        said.push((ttl, set));
        let lines = vec![
            "10-gate, 300 ms ago: to be kept, priority 9, security high".to_owned(),
            "20-ttl, 300 ms ago: TTL 500 ms".to_owned(),
        ];
        assert_eq!(memory.recall(7, 2300), Some((2000, lines)));
    }

    #[test]
    fn another_key_in_the_same_place_takes_it() {
        let mut memory = Memory::new();
        let label = memory.label("a");
        memory.begin(7, 1, 2).push((label, Said::Failed));
        let other = 7 + REMEMBERED_MAX as u64;
        assert_eq!(memory.recall(other, 1), None);
        memory.begin(other, 2, 2).push((label, Said::Failed));
        assert_eq!(memory.recall(7, 2), None);
        assert_eq!(memory.recall(0, 2), None, "an empty place");
    }
}
