//! Schedules of the ticket protocol: what readers, writers and the writer of a level may do to each other, in any order.
//!
//! The locks of the engine, the queue and the disk cannot be exchanged for shuttle's, so this is a model. It has one key, one
//! shard and one level; its steps are those of the code, each named by its function. A lock here is a lock there, and what
//! the code does under one it does under one here. Shuttle's atomics are sequentially consistent, so what
//! weaker ones would allow is not seen.

mod scenarios;

use std::collections::HashMap;

use shuttle::sync::atomic::{AtomicU64, Ordering::SeqCst};
use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Reads of one reader, as `ROUNDS_MAX` of the server.
const ROUNDS_MAX: usize = 16;

type Value = Option<u32>;

/// What of the protocol is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// What was loaded is put into memory whatever happened meanwhile.
    Ticket,
    /// Whoever wants the key takes part in any load of it.
    Epoch,
    /// Loads are told apart before the change is on its way that tells them apart.
    Early,
    /// What is on its way down is not looked at.
    Queue,
    /// An eviction while its database is emptied goes down.
    Flushing,
    /// What a loader brings while its database is emptied goes down.
    Bringing,
    /// What there is no room for on the way down is left out, and what it was to replace stays.
    Overflow,
    /// What a tier has not done is not tried again.
    Retry,
}

/// `shard::State`, as far as one key goes.
#[derive(Default)]
struct Shard {
    entry: Value,
    /// `Watches`.
    watchers: u32,
    changes: u64,
    is_flushing: bool,
    /// What the key has held, one after the other: the last one is what it holds.
    truths: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Put(u32),
    Delete,
    Clear,
}

/// `Queue`.
#[derive(Default)]
struct Queue {
    next: Vec<Change>,
    flying: Vec<Change>,
}

/// A load that several may wait for.
#[derive(Default)]
struct Load {
    found: Mutex<Option<Value>>,
    is_there: Condvar,
}

struct Model {
    flaw: Flaw,
    shard: Mutex<Shard>,
    queue: Mutex<Queue>,
    tier: Mutex<Value>,
    /// `TenantBelow::clears`, `Epochs::all` and the key's of `Epochs::groups`.
    clears: AtomicU64,
    stack_clears: AtomicU64,
    epoch: AtomicU64,
    loads: Mutex<HashMap<u64, Arc<Load>>>,
    /// Values that had no room on the way down: their keys may hold nothing.
    dropped: AtomicU64,
}

impl Model {
    /// The key holds 1: in memory or not, in the tier or on its way there.
    fn new(flaw: Flaw, is_resident: bool, is_coming: bool) -> Arc<Self> {
        let shard = Shard {
            entry: is_resident.then_some(1),
            truths: vec![Some(1)],
            ..Shard::default()
        };
        let next = is_coming.then_some(Change::Put(1));
        let queue = Queue {
            next: next.into_iter().collect(),
            flying: Vec::new(),
        };
        Arc::new(Self {
            flaw,
            shard: Mutex::new(shard),
            queue: Mutex::new(queue),
            tier: Mutex::new((!is_coming).then_some(1)),
            clears: AtomicU64::new(0),
            stack_clears: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            loads: Mutex::new(HashMap::new()),
            dropped: AtomicU64::new(0),
        })
    }

    fn shard(&self) -> MutexGuard<'_, Shard> {
        self.shard.lock().unwrap()
    }

    /// `Queue::push`.
    fn push(&self, change: Change) {
        let mut queue = self.queue.lock().unwrap();
        match queue.next.last_mut() {
            Some(last) if *last != Change::Clear && change != Change::Clear => *last = change,
            _ => queue.next.push(change),
        }
    }

    /// `Queue::coming`.
    fn coming(&self) -> Option<Value> {
        if self.flaw == Flaw::Queue {
            return None;
        }
        let queue = self.queue.lock().unwrap();
        let last = queue.next.last().or(queue.flying.last())?;
        Some(match last {
            Change::Put(value) => Some(*value),
            Change::Delete | Change::Clear => None,
        })
    }

    /// `Tier::may_hold`, of a tier that knows.
    fn may_hold(&self) -> bool {
        self.tier.lock().unwrap().is_some()
    }

    /// `Queue::take`, unless a round is to be tried again.
    fn begin_round(&self) -> Vec<Change> {
        let mut queue = self.queue.lock().unwrap();
        if queue.flying.is_empty() {
            queue.flying = std::mem::take(&mut queue.next);
        }
        queue.flying.clone()
    }

    fn apply(&self, changes: &[Change]) {
        for change in changes {
            *self.tier.lock().unwrap() = match change {
                Change::Put(value) => Some(*value),
                Change::Delete | Change::Clear => None,
            };
        }
    }

    /// `write` of a level, one round.
    fn write_round(&self) {
        let round = self.begin_round();
        self.apply(&round);
        self.queue.lock().unwrap().flying.clear();
    }

    /// The same, and the tier does some of it only.
    fn fail_round(&self) {
        let round = self.begin_round();
        let done = round.len() / 2;
        self.apply(&round[..done]);
        let mut queue = self.queue.lock().unwrap();
        match self.flaw {
            Flaw::Retry => queue.flying.clear(),
            _ => drop(queue.flying.drain(..done)),
        }
    }

    /// `Batch::make_room`.
    fn overflow(&self) {
        let mut queue = self.queue.lock().unwrap();
        for at in (0..queue.next.len()).rev() {
            if let Change::Put(_) = queue.next[at] {
                self.dropped.fetch_add(1, SeqCst);
                match self.flaw {
                    Flaw::Overflow => drop(queue.next.remove(at)),
                    _ => queue.next[at] = Change::Delete,
                }
            }
        }
    }

    /// A write of the key: `State::put` or `State::remove_live`, and `Below::put` or `Below::delete` under its lock.
    fn change(&self, value: Value) {
        let mut shard = self.shard();
        shard.entry = value;
        shard.changes += u64::from(shard.watchers > 0);
        shard.truths.push(value);
        let turn = || self.epoch.fetch_add(1, SeqCst);
        if self.flaw == Flaw::Early {
            turn();
        }
        match value {
            Some(value) => self.push(Change::Put(value)),
            None if self.coming().is_some() || self.may_hold() => self.push(Change::Delete),
            None => {}
        }
        if self.flaw != Flaw::Early {
            turn();
        }
    }

    /// `State::remove_slot` of an eviction, and `Below::evicted`.
    fn evict(&self) {
        let mut shard = self.shard();
        let goes_down = !shard.is_flushing || self.flaw == Flaw::Flushing;
        if let Some(value) = shard.entry.take()
            && goes_down
            && self.coming().is_none()
            && !self.may_hold()
        {
            self.push(Change::Put(value));
            self.epoch.fetch_add(1, SeqCst);
        }
    }

    /// `Tenant::flush`: begun in the shard, told below, then the shard is emptied.
    fn flush(&self) {
        self.shard().is_flushing = true;
        self.clears.fetch_add(1, SeqCst);
        self.push(Change::Clear);
        self.stack_clears.fetch_add(1 << 32, SeqCst);
        self.clears.fetch_add(1, SeqCst);
        let mut shard = self.shard();
        shard.entry = None;
        shard.changes += u64::from(shard.watchers > 0);
        shard.truths.push(None);
        shard.is_flushing = false;
    }

    /// `Stack::load`: one load for all who want the key as it is now.
    fn load(&self) -> Value {
        let clears = self.stack_clears.load(SeqCst);
        let wanted = match self.flaw {
            Flaw::Epoch => 0,
            _ => clears.wrapping_add(self.epoch.load(SeqCst)),
        };
        let mut loads = self.loads.lock().unwrap();
        let (load, is_own) = match loads.get(&wanted) {
            Some(load) => (Arc::clone(load), false),
            None => {
                let load = Arc::new(Load::default());
                loads.insert(wanted, Arc::clone(&load));
                (load, true)
            }
        };
        drop(loads);
        if is_own {
            // `Stack::search`.
            let found = match self.coming() {
                Some(coming) => coming,
                None => *self.tier.lock().unwrap(),
            };
            *load.found.lock().unwrap() = Some(found);
            load.is_there.notify_all();
            self.loads.lock().unwrap().remove(&wanted);
        }
        let mut found = load.found.lock().unwrap();
        loop {
            match *found {
                Some(found) => return found,
                None => found = load.is_there.wait(found).unwrap(),
            }
        }
    }

    /// A reader: `look_first`, `Tenant::lacks`, `Tenant::ticket`, `Stack::load`, `Locked::admit`. What it answers was what
    /// the key held at some moment since it asked.
    fn get(&self) {
        let since = self.shard().truths.len() - 1;
        for _ in 0..ROUNDS_MAX {
            let entry = self.shard().entry;
            if entry.is_some() {
                return self.answer(since, entry);
            }
            // `Stack::sight`.
            let sight = self.coming();
            if sight == Some(None) || (sight.is_none() && !self.may_hold()) {
                let entry = self.shard().entry;
                return self.answer(since, entry);
            }
            let clears = self.clears.load(SeqCst);
            let mut shard = self.shard();
            shard.watchers += 1;
            let changes = shard.changes;
            drop(shard);
            let found = self.load();
            let mut shard = self.shard();
            let is_valid = (clears == self.clears.load(SeqCst) && shard.changes == changes)
                || self.flaw == Flaw::Ticket;
            if is_valid && shard.entry.is_none() {
                shard.entry = found;
            }
            let entry = shard.entry;
            shard.watchers -= 1;
            if shard.watchers == 0 {
                shard.changes = 0;
            }
            drop(shard);
            if is_valid || entry.is_some() {
                return self.answer(since, entry);
            }
        }
    }

    /// A loader brings 4, as no level has the key: `Tenant::ticket`, `Locked::admit`, `State::tell_admitted` and
    /// `Below::admitted`.
    fn bring(&self) {
        let clears = self.clears.load(SeqCst);
        let mut shard = self.shard();
        shard.watchers += 1;
        let changes = shard.changes;
        drop(shard);
        let mut shard = self.shard();
        let is_valid = clears == self.clears.load(SeqCst) && shard.changes == changes;
        let is_below = self.coming().is_some() || self.may_hold();
        if is_valid && shard.entry.is_none() && !is_below {
            shard.entry = Some(4);
            shard.truths.push(Some(4));
            if !shard.is_flushing || self.flaw == Flaw::Bringing {
                self.push(Change::Put(4));
                self.epoch.fetch_add(1, SeqCst);
            }
        }
        shard.watchers -= 1;
        if shard.watchers == 0 {
            shard.changes = 0;
        }
    }

    #[track_caller]
    fn answer(&self, since: usize, answer: Value) {
        let shard = self.shard();
        let truths = shard.truths[since..].to_vec();
        // While a database is emptied its keys may be there or not.
        let may_be_none = shard.is_flushing || self.dropped.load(SeqCst) > 0;
        let is_true = truths.contains(&answer) || (may_be_none && answer.is_none());
        // Who holds a lock when it panics has the others panic, too.
        drop(shard);
        assert!(is_true, "{answer:?}, truths {truths:?}");
    }

    /// When all is done, memory and tier are of one mind.
    #[track_caller]
    fn check(&self) {
        // One that is tried again, and what came behind it.
        self.write_round();
        self.write_round();
        let shard = self.shard();
        let truth = *shard.truths.last().unwrap();
        let tier = *self.tier.lock().unwrap();
        let may_be_none = self.dropped.load(SeqCst) > 0;
        let is_true = tier == truth || (may_be_none && tier.is_none());
        assert!(is_true, "below {tier:?}, truths {:?}", shard.truths);
        let is_true = shard.entry.is_none() || shard.entry == truth;
        assert!(is_true, "{:?}, truths {:?}", shard.entry, shard.truths);
    }
}
