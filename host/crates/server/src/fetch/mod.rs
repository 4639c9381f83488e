//! What a command needs from below the memory before it can be carried out.
//!
//! A command works on memory alone. Where a key that it names is not there but may be below, the command is not carried
//! out: what is below is loaded while others are served, then the command comes anew, its keys' shards are held, what was
//! loaded is put in, and it runs as if all had been there. A read runs first and is looked at then, so that one that finds
//! its keys costs nothing more.

mod authority;
mod replicas;
mod single;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::{Context as Waking, Poll, Waker, ready};

use larder_engine::below::{Below, Loaded, Reach};
use larder_engine::tier::{Answer, TierError};
use larder_engine::{Entry, Error, Key, Locked, Millis, Tenant, Ticket};

use crate::commands::Failure;
use crate::{Context, Flow, Session, Shared};
use authority::Trial;

pub(crate) use authority::{NOT_WITH_THEM, each_once, failure, is_over, try_out};
pub(crate) use replicas::{awaits_replicas, replicas_reached};
pub(crate) use single::{carry_out, keys_of, reach_of};

/// Loads that one command has going on at once, and at first.
const IN_FLIGHT_MAX: usize = 256;
const IN_FLIGHT_FIRST: usize = 16;
/// Loads of one command before others have their turn.
const TURN_MAX: usize = 1024;
/// How often what was loaded may be void, because its key changed meanwhile, before the command is given up.
const ROUNDS_MAX: u32 = 16;
/// A command may load this part of its tenant's memory.
const MEMORY_PART: u64 = 2;

const RESTLESS: Failure =
    Failure::new("TRYAGAIN the keys change faster than they come from a slower tier");
const TOO_MUCH: Failure = Failure::new(
    "ERR what has to come from a slower tier takes more than half of the memory: ask for fewer keys at once",
);

/// What one command loads, or waits for otherwise.
#[derive(Default)]
pub(crate) struct Fetch {
    /// How far a command is that works on keys over which a level has the authority.
    trial: Option<Trial>,
    /// Ready when what was on its way down is there, so that there may be room for more.
    room: Option<Answer<'static, ()>>,
    parts: Vec<Part>,
    /// The keys of `parts`, by hash.
    names: HashSet<u64>,
    hasher: RandomState,
    /// Parts before this one are loaded.
    loaded: usize,
    bytes: u64,
    rounds: u32,
}

/// A key, and how far down it is looked for.
pub(crate) type Wanted<'k> = (Key<'k>, Reach);

struct Part {
    ticket: Ticket,
    reach: Reach,
    state: State,
}

enum State {
    Wanted,
    Loading(Answer<'static, Loaded>),
    Found(Loaded),
    /// The key has changed since.
    Void,
}

/// Keys that are held, with all that they lacked put in.
pub(crate) struct Complete<'t> {
    pub(crate) held: Locked<'t>,
    /// To be dropped after the shards were given back: the end of a ticket locks one.
    pub(crate) rest: Box<Fetch>,
}

impl Fetch {
    /// Bytes that it holds for its command.
    pub(crate) fn bytes(&self) -> usize {
        let tried = self.trial.as_ref().map_or(0, |trial| trial.bytes());
        self.bytes as usize + tried
    }

    fn name(&self, key: Key<'_>) -> u64 {
        self.hasher.hash_one((key.db, key.bytes))
    }

    /// Wants those of `keys` that memory lacks.
    fn want(&mut self, tenant: &Arc<Tenant>, keys: &[Wanted<'_>], now: Millis) {
        for &(key, reach) in keys {
            let name = self.name(key);
            if !self.names.contains(&name) && tenant.lacks(key, reach, now) {
                self.names.insert(name);
                self.parts.push(Part {
                    ticket: tenant.ticket(key, now),
                    reach,
                    state: State::Wanted,
                });
            }
        }
    }

    /// Goes on with what is to be loaded. Ready when all of it is, or more than it may be.
    fn poll(
        &mut self,
        below: &dyn Below,
        bytes_max: u64,
        now: Millis,
        cx: &mut Waking<'_>,
    ) -> Poll<()> {
        let turn_end = self.loaded + TURN_MAX;
        while self.loaded < self.parts.len() {
            if self.loaded >= turn_end {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let end = self.loaded + self.at_once(bytes_max);
            let end = end.min(self.parts.len());
            for part in &mut self.parts[self.loaded..end] {
                if self.bytes > bytes_max {
                    return Poll::Ready(());
                }
                if let State::Wanted = part.state {
                    part.state = State::Loading(below.load(part.ticket.key(), part.reach, now));
                }
                if let State::Loading(answer) = &mut part.state
                    && let Poll::Ready(found) = answer.as_mut().poll(cx)
                {
                    let stored = found.as_ref().ok().and_then(Option::as_ref);
                    self.bytes += stored.map_or(0, |stored| stored.value.len() as u64);
                    part.state = State::Found(found);
                }
            }
            let is_found = |part: &&Part| matches!(part.state, State::Found(_));
            let rest = &self.parts[self.loaded..];
            let found = rest.iter().take_while(is_found).count();
            if found == 0 {
                return Poll::Pending;
            }
            self.loaded += found;
        }
        Poll::Ready(())
    }

    /// How many loads may go on at once: few before it is known how large values are, and then as many as there
    /// seems to be room for.
    fn at_once(&self, bytes_max: u64) -> usize {
        let mean_bytes = self.bytes / self.loaded.max(1) as u64 + 1;
        let room = bytes_max.saturating_sub(self.bytes) / mean_bytes;
        let most = IN_FLIGHT_MAX.min(IN_FLIGHT_FIRST + self.loaded);
        usize::try_from(room).unwrap_or(most).clamp(1, most)
    }

    /// Bytes of memory that what was found takes.
    fn room_bytes(&self, tenant: &Tenant) -> usize {
        let found = self.parts.iter().filter_map(|part| match &part.state {
            State::Found(Ok(Some(stored))) => Some(tenant.bytes_of(part.ticket.key(), stored)),
            _ => None,
        });
        found.sum()
    }

    /// Puts what was found into memory. Whether `keys` lack nothing that could be had.
    fn admit(
        &mut self,
        held: &mut Locked<'_>,
        keys: &[Wanted<'_>],
        now: Millis,
    ) -> Result<bool, Error> {
        let mut absent = HashSet::new();
        for part in &mut self.parts {
            let State::Found(found) = &part.state else {
                continue;
            };
            let key = part.ticket.key();
            let name = self.hasher.hash_one((key.db, key.bytes));
            // What cannot be read is missing for now; see `Fetch::failure`.
            let stored = found.as_ref().ok().and_then(Option::as_deref);
            let stored = stored.filter(|stored| !stored.is_expired(now));
            let brought = found.as_ref().map(|_| stored);
            if !held.admit(&part.ticket, brought, now)? {
                part.state = State::Void;
                self.names.remove(&name);
            } else if stored.is_none() {
                absent.insert(name);
                if found.is_err() {
                    held.prolong(key, now)?;
                }
            }
        }
        // Those that came last may have taken the room of others.
        let lacks = |&(key, reach): &Wanted<'_>| {
            held.lacks(key, reach, now) && !absent.contains(&self.name(key))
        };
        Ok(!keys.iter().any(lacks))
    }

    /// Why a key is missing that may be below, if one of them is.
    fn failure(&self, held: &mut Locked<'_>, now: Millis) -> Option<Failure> {
        self.parts.iter().find_map(|part| match &part.state {
            State::Found(Err(error)) if held.peek(part.ticket.key(), now, |_| ()).is_none() => {
                try_again(error)
            }
            _ => None,
        })
    }

    /// Forgets what is void.
    fn renew(&mut self) {
        self.parts.retain(|part| !matches!(part.state, State::Void));
        self.loaded = self.parts.len();
        self.rounds += 1;
    }
}

/// The error of a command that must not take for absent what could not be read; `None` where it is gone for good.
fn try_again(error: &TierError) -> Option<Failure> {
    match error {
        TierError::Unavailable(text) | TierError::Uncertain(text) => {
            Some(Failure::from(format!("TRYAGAIN {text}")))
        }
        TierError::Damaged(_) | TierError::Refused(_) | TierError::NoOrigin(_) => None,
    }
}

/// Bytes that a command may load.
pub(crate) fn bytes_max(tenant: &Tenant) -> u64 {
    tenant.memory_bytes() / MEMORY_PART
}

/// Locks what `lock` does, with room for so many bytes, once everything that `keys` lack in memory is at hand, and puts it in. `None` where that has
/// to be waited for; the request is to be presented again when [`poll`] says so.
///
/// # Errors
/// Those of `lock`, and where what is below cannot be put into memory.
pub(crate) fn hold<'c>(
    ctx: &mut Context<'c>,
    keys: &[Wanted<'_>],
    lock: impl Fn(&'c Tenant, usize, Millis) -> Result<Locked<'c>, Error>,
) -> Result<Option<Complete<'c>>, Failure> {
    let (tenant, now) = (ctx.store.tenant(), ctx.now);
    let mut fetch = ctx.session.fetch.take().unwrap_or_default();
    loop {
        if let Some(below) = tenant.below() {
            fetch.want(&ctx.session.tenant, keys, now);
            // What is at hand at once need not be waited for.
            let mut cx = Waking::from_waker(Waker::noop());
            let bytes_max = bytes_max(tenant);
            if fetch.poll(&**below, bytes_max, now, &mut cx).is_pending() {
                ctx.session.fetch = Some(fetch);
                return Ok(None);
            }
            if fetch.bytes > bytes_max {
                return Err(TOO_MUCH);
            }
        }
        let held = lock(tenant, fetch.room_bytes(tenant), now);
        // Where there is no room, what was found is seen all the same.
        let mut held = held.or_else(|_| lock(tenant, 0, now))?;
        let admitted = fetch.admit(&mut held, keys, now);
        if let Ok(true) = admitted {
            return Ok(Some(Complete { held, rest: fetch }));
        }
        drop(held);
        admitted?;
        if fetch.rounds == ROUNDS_MAX {
            return Err(RESTLESS);
        }
        fetch.renew();
    }
}

/// Reads an entry, which is brought into memory if it is below.
pub(crate) async fn read<R>(
    tenant: &Arc<Tenant>,
    key: Key<'_>,
    shared: &Shared,
    read: impl Fn(Entry<'_>) -> R,
) -> Option<R> {
    // What cannot be read counts as absent; whoever loaded it has said so.
    let found = tenant.fetch(key, Reach::Origin, || shared.now(), read);
    found.await.ok().flatten()
}

/// Has what a request names be looked for below before it is presented again: it comes with its keys held then.
pub(crate) fn look_below(session: &mut Session) -> Flow {
    session.fetch.get_or_insert_default();
    Flow::Fetch
}

/// Whether a command that writes has to wait: so much is on its way down that more of it is to stay with whoever brings
/// it. Has that be waited for before the request is presented again.
fn awaits_room(ctx: &mut Context<'_>) -> bool {
    let below = ctx.store.tenant().below().filter(|below| below.is_full());
    let Some(settled) = below.and_then(|below| below.settled()) else {
        return false;
    };
    ctx.session.fetch.get_or_insert_default().room = Some(settled);
    true
}

/// How many changes were told to what lies below, at a moment.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told(u64);

impl Told {
    /// Up to now, by this thread.
    pub(crate) fn now(tenant: &Tenant) -> Self {
        Self(tenant.below().map_or(0, |below| below.told()))
    }

    /// What to wait for before what was told since is acknowledged.
    pub(crate) fn settled(self, tenant: &Tenant) -> Option<Answer<'static, ()>> {
        let below = tenant.below().filter(|below| below.told() != self.0)?;
        below.settled()
    }
}

/// Goes on with what a connection's next request waits for. Ready when it can be presented again.
pub(crate) fn poll(session: &mut Session, shared: &Shared, cx: &mut Waking<'_>) -> Poll<()> {
    let below = session.tenant.below().cloned();
    match (&mut session.fetch, below) {
        (Some(fetch), Some(below)) => {
            if let Some(trial) = &mut fetch.trial {
                return trial.poll(cx);
            }
            if let Some(room) = &mut fetch.room {
                ready!(room.as_mut().poll(cx));
                fetch.room = None;
            }
            fetch.poll(&*below, bytes_max(&session.tenant), shared.now(), cx)
        }
        _ => Poll::Ready(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
