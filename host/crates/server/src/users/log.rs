//! What was denied of late, for ACL LOG.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use larder_engine::Millis;

/// Most entries; the oldest goes for a new one.
const ENTRIES_MAX: usize = 128;
/// Bytes of an object or name that are kept.
const SHOWN_BYTES_MAX: usize = 256;
/// The same again within this time makes no entry of its own.
const SAME_MS: Millis = 60_000;

/// What was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Auth,
    Command,
    Key,
    Channel,
}

impl Reason {
    /// As ACL LOG spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
        }
    }
}

/// Whose request was denied.
#[derive(Debug, Clone)]
pub(crate) struct Denial {
    /// Where the request stood: `toplevel`, `multi` or `lua`.
    pub(crate) context: &'static str,
    /// The client's address and what else is known of it.
    pub(crate) client: String,
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) count: u64,
    pub(crate) reason: Reason,
    pub(crate) context: &'static str,
    /// The command, key or channel.
    pub(crate) object: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) created_ms: Millis,
    pub(crate) updated_ms: Millis,
}

/// The latest denials.
#[derive(Default)]
pub(crate) struct DenialLog {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// The latest first.
    list: VecDeque<Entry>,
    next_id: u64,
}

impl DenialLog {
    /// Notes a denial.
    pub(super) fn note(
        &self,
        reason: Reason,
        object: &str,
        user: &str,
        denial: Denial,
        now: Millis,
    ) {
        let shown = |text: &str| text.chars().take(SHOWN_BYTES_MAX / 4).collect::<String>();
        let (object, user) = (shown(object), shown(user));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let same = entries.list.iter().position(|entry| {
            entry.reason == reason
                && entry.context == denial.context
                && entry.object == object
                && entry.user == user
                && now.saturating_sub(entry.updated_ms) <= SAME_MS
        });
        let entry = match same.and_then(|at| entries.list.remove(at)) {
            Some(entry) => Entry {
                count: entry.count + 1,
                client: denial.client,
                updated_ms: now,
                ..entry
            },
            None => {
                let id = entries.next_id;
                entries.next_id += 1;
                Entry {
                    id,
                    count: 1,
                    reason,
                    context: denial.context,
                    object,
                    user,
                    client: denial.client,
                    created_ms: now,
                    updated_ms: now,
                }
            }
        };
        entries.list.push_front(entry);
        entries.list.truncate(ENTRIES_MAX);
    }

    /// The latest entries, the last first.
    pub(crate) fn latest(&self, count: usize) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.list.iter().take(count).cloned().collect()
    }

    /// Forgets them all.
    pub(crate) fn reset(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.list.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(log: &DenialLog, object: &str, now: Millis) {
        let denial = Denial {
            context: "toplevel",
            client: format!("at {now}"),
        };
        log.note(Reason::Key, object, "a", denial, now);
    }

    #[test]
    fn the_same_within_a_minute_is_one_entry_and_the_latest_comes_first() {
        let log = DenialLog::default();
        note(&log, "k", 1);
        note(&log, "other", 2);
        note(&log, "k", 60_001);
        let latest = log.latest(10);
        let shown: Vec<_> = latest
            .iter()
            .map(|entry| (&*entry.object, entry.count, entry.id))
            .collect();
        assert_eq!(shown, [("k", 2, 0), ("other", 1, 1)]);
        assert_eq!(
            (
                latest[0].created_ms,
                latest[0].updated_ms,
                &*latest[0].client
            ),
            (1, 60_001, "at 60001")
        );
        note(&log, "k", 120_002);
        assert_eq!(log.latest(1)[0].count, 1);
        log.reset();
        assert!(log.latest(1).is_empty());
    }

    #[test]
    fn it_is_bounded_in_entries_and_in_what_each_holds() {
        let log = DenialLog::default();
        (0..500).for_each(|n| note(&log, &format!("{n}{}", "x".repeat(10_000)), 1));
        let all = log.latest(usize::MAX);
        assert_eq!(all.len(), ENTRIES_MAX);
        assert!(
            all.iter()
                .all(|entry| entry.object.len() <= SHOWN_BYTES_MAX)
        );
        assert!(all[0].object.starts_with("499"));
    }
}
