//! Leases: of all who miss a key one makes its value, the others wait for it or do with a stale one. As in "Scaling
//! Memcache at Facebook" (Nishtala et al., NSDI 2013), a write or removal of the key ends its lease, so that nothing is
//! kept that was made of what was so before.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hasher;
use std::pin::Pin;
use std::task::{Context, Poll};

use event_listener::{Event, EventListener, IntoNotification};
use siphasher::sip::SipHasher24;

use super::state::{At, State};
use super::write::Refusal;
use crate::entry::Millis;
use crate::error::Error;

/// Leases that a shard has given at a time.
pub const LEASES_MAX: usize = 1024;
/// Who may wait for the end of one lease.
pub const WAITERS_MAX: usize = 16 * 1024;

/// What whoever asks for a lease gets.
#[derive(Debug)]
pub enum Lease {
    /// The lease, by this token.
    Won(u64),
    /// Somebody else has it.
    Taken {
        /// When its time is up.
        until: Millis,
        /// Ready when it ends before that.
        ended: Ended,
    },
    /// None: too many are given, or wait.
    Refused,
}

/// Ready when a lease has ended before its time: there may be a value.
pub struct Ended(EventListener);

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").finish_non_exhaustive()
    }
}

impl Future for Ended {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The leases of a shard, by hash. Two keys with one hash are taken for one: somebody waits in vain then, until the
/// lease's time is up.
#[derive(Default)]
pub(crate) struct Leases {
    keys: HashMap<u64, Given>,
    /// How many were given so far; no two have one token.
    count: u64,
}

struct Given {
    /// The place of the key's database.
    place: u8,
    token: u64,
    /// Of when it was given: what is made by it is as old.
    stamp: u64,
    until: Millis,
    ending: Ending,
}

/// Who waits for the end of a lease.
#[derive(Default)]
pub(crate) struct Ending(Event);

impl Ending {
    /// Wakes them.
    pub(crate) fn tell(self) {
        self.0.notify(usize::MAX.additional());
    }
}

impl Leases {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<(u64, Given)>()
    }
}

impl State {
    /// Gives the lease of a key for so long, unless somebody has it. The key must not be here, but for a stale value.
    pub(crate) fn lease(&mut self, at: &At<'_>, time_ms: Millis) -> Lease {
        if let Some(given) = self
            .leases
            .keys
            .get(&at.hash)
            .filter(|given| given.until > at.now)
        {
            return match given.ending.0.total_listeners() < WAITERS_MAX {
                true => Lease::Taken {
                    until: given.until,
                    ended: Ended(given.ending.0.listen()),
                },
                false => Lease::Refused,
            };
        }
        if self.leases.keys.len() >= LEASES_MAX {
            self.leases.keys.retain(|_, given| given.until > at.now);
            if self.leases.keys.len() >= LEASES_MAX {
                return Lease::Refused;
            }
        }
        let (token, stamp) = (self.token(), self.tags.now());
        let given = self.leases.keys.entry(at.hash).or_insert_with(|| Given {
            place: at.key.db,
            token,
            stamp,
            until: 0,
            ending: Ending::default(),
        });
        // Who waits for the one before looks again when its time is up.
        (given.token, given.stamp) = (token, stamp);
        given.until = at.now.saturating_add(time_ms);
        self.stats.leases += 1;
        Lease::Won(token)
    }

    /// A token that nobody guesses, and that tells nothing of the seeds.
    fn token(&mut self) -> u64 {
        self.leases.count += 1;
        let mut hasher = SipHasher24::new_with_keys(self.config.hash_seed, self.config.random_seed);
        hasher.write_u64(self.leases.count);
        hasher.finish()
    }

    /// The stamp of when the key's lease was given.
    ///
    /// # Errors
    /// If that is not its token.
    pub(super) fn check_lease(&mut self, at: &At<'_>, token: u64) -> Result<u64, Refusal> {
        let given = self.leases.keys.get(&at.hash);
        match given.filter(|given| given.token == token && given.until > at.now) {
            Some(given) => Ok(given.stamp),
            None => {
                self.stats.leases_over += 1;
                Err(Refusal::Never(Error::LeaseOver))
            }
        }
    }

    /// A key was written or removed: its lease ends.
    #[inline]
    pub(super) fn end_lease(&mut self, hash: u64) {
        if self.leases.keys.is_empty() {
            return;
        }
        if let Some(given) = self.leases.keys.remove(&hash) {
            self.garbage.ended.push(given.ending);
        }
    }

    /// All keys in a place, or in all, count as changed.
    pub(super) fn end_leases(&mut self, place: Option<u8>) {
        let is_there = |given: &mut Given| place.is_none_or(|place| place == given.place);
        let ended = self.leases.keys.extract_if(|_, given| is_there(given));
        let ended = ended.map(|(_, given)| given.ending);
        self.garbage.ended.extend(ended);
    }
}
