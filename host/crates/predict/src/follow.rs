//! What followed the same request before.

use crate::candidate::{Candidate, Source};
use crate::log::Log;

/// Requests after an earlier one among which followers are looked for.
const WINDOW: usize = 32;
/// Earlier requests that are compared.
const OCCURRENCES: usize = 3;
/// Requests before that tell whether all is as it was; among twice as many of then.
const CONTEXT: usize = 8;
/// Of what followed once only, so many are candidates, and so many where so much is as it was.
const NEAR: usize = 4;
const NEAR_IN_CONTEXT: usize = 16;
const CONTEXT_MIN: usize = 2;
/// Candidates of one request.
const CANDIDATES_MAX: usize = 16;

/// Requests of a stretch of the log.
struct Stretch<const LEN: usize> {
    keys: [u64; LEN],
    len: usize,
}

impl<const LEN: usize> Stretch<LEN> {
    fn new(found: impl Iterator<Item = u64>) -> Self {
        let (mut keys, mut len) = ([0; LEN], 0);
        for (slot, key) in keys.iter_mut().zip(found) {
            *slot = key;
            len += 1;
        }
        Self { keys, len }
    }

    fn keys(&self) -> &[u64] {
        &self.keys[..self.len]
    }
}

/// Appends what followed a request for `key` before; `position` is where the log has the last one.
///
/// That is temporal streaming ("Practical off-chip meta-data for temporal memory streaming", Wenisch
/// et al., 2009) with the support of MITHRIL ("MITHRIL: mining sporadic associations for cache
/// prefetching", Yang et al., 2017): what followed several times soon counts for more.
pub(crate) fn followers(log: &Log, key: u64, position: u32, out: &mut Vec<Candidate>) {
    if !log.holds(position) {
        return;
    }
    // Up to where the same was asked for again: what followed then is another time.
    let after = |position| {
        let found = log.after(position, WINDOW as u32);
        Stretch::<WINDOW>::new(found.take_while(|next| *next != key))
    };
    let earlier = std::iter::successors(Some(position), |position| log.before(*position));
    let mut windows = earlier.take(OCCURRENCES).map(after);
    let Some(last) = windows.next() else { return };
    let others: Vec<_> = windows.collect();
    let context = context(log, position);
    let near = if context < CONTEXT_MIN {
        NEAR
    } else {
        NEAR_IN_CONTEXT
    };
    let first = out.len();
    for (lag, &next) in last.keys().iter().enumerate() {
        if last.keys()[..lag].contains(&next) {
            continue;
        }
        let same = others.iter().filter(|other| other.keys().contains(&next));
        let support = 1 + same.count();
        if support < 2 && lag >= near {
            continue;
        }
        out.push(Candidate {
            key: next,
            source: Source::Follows,
            run: context as f32,
            // One more than there were: what happened once is not certain.
            support: support as f32 / (others.len() + 2) as f32,
            ahead: lag as f32,
            is_drawn: false,
            size_bytes: 0,
        });
        if out.len() - first == CANDIDATES_MAX {
            return;
        }
    }
}

/// How many of the last requests were also among those just before an earlier one.
fn context(log: &Log, earlier: u32) -> usize {
    let Some(last) = log.last() else { return 0 };
    let before = log.until(earlier.wrapping_sub(1), 2 * CONTEXT as u32);
    let before = Stretch::<{ 2 * CONTEXT }>::new(before);
    let now = log.until(last, CONTEXT as u32);
    now.filter(|key| before.keys().contains(key)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is foretold after the last of `requests`, with support and context.
    fn foretold(requests: &[u64]) -> Vec<(u64, f32, f32)> {
        let mut log = Log::new(1 << 12);
        let mut positions = std::collections::HashMap::new();
        let mut out = Vec::new();
        for &key in requests {
            out.clear();
            let before = positions.get(&key).copied();
            if let Some(position) = before {
                followers(&log, key, position, &mut out);
            }
            positions.insert(key, log.push(key, before));
        }
        let told = |one: &Candidate| (one.key, one.support, one.run);
        out.iter().map(told).collect()
    }

    #[test]
    fn what_followed_once_is_foretold_where_it_was_near() {
        let requests = [1, 2, 3, 4, 5, 6, 7, 8, 90, 91, 1];
        let keys: Vec<u64> = foretold(&requests).iter().map(|one| one.0).collect();
        assert_eq!(keys, [2, 3, 4, 5]);
    }

    #[test]
    fn what_followed_more_than_once_has_more_support() {
        let mut requests = vec![1, 20, 21, 22, 23, 24, 2];
        requests.extend([1, 30, 31, 32, 33, 34, 2, 40, 1]);
        let found = foretold(&requests);
        let support = |key| found.iter().find(|one| one.0 == key).map(|one| one.1);
        assert_eq!(
            [2, 30, 40].map(support),
            [Some(2.0 / 3.0), Some(1.0 / 3.0), Some(1.0 / 3.0)]
        );
        assert_eq!((support(20), found.len()), (None, 7));
    }

    #[test]
    fn all_that_came_is_foretold_where_all_is_as_it_was() {
        let run: Vec<u64> = (1..=20).collect();
        let requests = [&run[..], &[90, 91, 92], &run[..5]].concat();
        let found = foretold(&requests);
        let keys: Vec<u64> = found.iter().map(|one| one.0).collect();
        assert_eq!(keys, (6..=20).chain([90]).collect::<Vec<u64>>());
        assert!(found.iter().all(|one| one.2 == 4.0), "{found:?}");
    }
}
