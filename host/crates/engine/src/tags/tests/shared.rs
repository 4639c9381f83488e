//! Hosts that count together, beside a model that forgets nothing. What they tell each other comes late, out of order or never.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const HOSTS: usize = 3;

/// What stands in the level that they share.
#[derive(Default)]
struct Common {
    now_ms: u64,
    last: u64,
    tags: BTreeMap<u8, u64>,
}

impl Common {
    fn invalidate(&mut self, known: u64, names: &[u8]) -> Invalidated {
        self.last = self.last.max(known);
        self.last = self.now_ms.max(self.last + 1);
        self.tags
            .extend(names.iter().map(|name| (*name, self.last)));
        self.since(self.last - 1)
    }

    fn since(&self, since: u64) -> Invalidated {
        let newer = self.tags.iter().filter(|(_, tick)| **tick > since);
        Invalidated {
            now: self.last * STAMPS_A_TICK,
            floor: 0,
            tags: newer
                .map(|(name, tick)| (Box::from([*name]), tick * STAMPS_A_TICK))
                .collect(),
        }
    }
}

struct Host {
    tags: Tags,
    /// Up to where it has asked for all.
    all_to: u64,
    /// Messages that are on their way to it: which invalidation, and what is told of it.
    coming: Vec<(usize, Invalidated)>,
    /// Invalidations of its own that it could not tell yet.
    waiting: Vec<usize>,
    /// Which it knows of.
    known: Vec<usize>,
}

impl Host {
    fn new(number: u64) -> Self {
        let tags = Tags::new([number, 7], &Known::default());
        tags.share();
        Self {
            tags,
            all_to: 0,
            coming: Vec::new(),
            waiting: Vec::new(),
            known: Vec::new(),
        }
    }

    fn learn(&mut self, learned: &Invalidated) {
        self.tags.learn(learned, KNOWN_MAX);
    }
}

/// An invalidation, with when it was made and when it came to the shared level.
struct Event {
    names: Vec<u8>,
    made: usize,
    came: Option<usize>,
}

struct Entry {
    writer: usize,
    note: Vec<u8>,
    names: Vec<u8>,
    written: usize,
    /// What its writer knew of.
    known: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, usize, Vec<u8>),
    /// By a host, of these tags; whether it reaches the shared level at once, and whom it is lost for.
    Invalidate(usize, Vec<u8>, bool, [bool; HOSTS]),
    /// What waits at a host comes to the shared level.
    Deliver(usize),
    Hear(usize, usize),
    Ask(usize),
    Pass(u64),
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let tags = || prop::collection::vec(0..6_u8, 1..3);
    prop_oneof![
        5 => (0..HOSTS, 0..12_usize, tags()).prop_map(|(host, at, tags)| Step::Write(host, at, tags)),
        4 => (0..HOSTS, tags(), prop::bool::weighted(0.8), any::<[bool; HOSTS]>())
            .prop_map(|(host, tags, is_there, lost)| Step::Invalidate(host, tags, is_there, lost)),
        1 => (0..HOSTS).prop_map(Step::Deliver),
        5 => (0..HOSTS, any::<usize>()).prop_map(|(host, at)| Step::Hear(host, at)),
        2 => (0..HOSTS).prop_map(Step::Ask),
        1 => (0..5_u64).prop_map(Step::Pass),
        1 => (0..HOSTS).prop_map(Step::Restart),
    ]
}

struct World {
    common: Common,
    hosts: Vec<Host>,
    events: Vec<Event>,
    entries: BTreeMap<usize, Entry>,
}

impl World {
    fn new() -> Self {
        Self {
            common: Common::default(),
            hosts: (0..HOSTS as u64).map(Host::new).collect(),
            events: Vec::new(),
            entries: BTreeMap::new(),
        }
    }

    fn ask(&mut self, host: usize) {
        let host = &mut self.hosts[host];
        let learned = self.common.since(host.all_to);
        host.learn(&learned);
        host.all_to = self.common.last;
        let came = |at: &usize| self.events[*at].came.is_some();
        host.known.extend((0..self.events.len()).filter(came));
    }

    fn deliver(&mut self, host: usize, time: usize, lost: [bool; HOSTS]) {
        for at in std::mem::take(&mut self.hosts[host].waiting) {
            let known = self.hosts[host].tags.now() / STAMPS_A_TICK;
            let told = self.common.invalidate(known, &self.events[at].names);
            self.events[at].came = Some(time);
            self.hosts[host].learn(&told);
            for (other, lost) in lost.into_iter().enumerate() {
                if other != host && !lost {
                    self.hosts[other].coming.push((at, told.clone()));
                }
            }
        }
    }

    fn take(&mut self, step: Step, time: usize) {
        match step {
            Step::Write(host, at, names) => {
                let own = &self.hosts[host];
                let parts: Vec<_> = names.iter().map(std::slice::from_ref).collect();
                let entry = Entry {
                    writer: host,
                    note: written(&own.tags, &parts),
                    written: time,
                    known: own.known.clone(),
                    names,
                };
                self.entries.insert(at, entry);
            }
            Step::Invalidate(host, names, is_there, lost) => {
                let own = &mut self.hosts[host];
                let parts: Vec<_> = names.iter().map(std::slice::from_ref).collect();
                own.tags.invalidate(parts, KNOWN_MAX);
                own.known.push(self.events.len());
                own.waiting.push(self.events.len());
                self.events.push(Event {
                    names,
                    made: time,
                    came: None,
                });
                if is_there {
                    self.deliver(host, time, lost);
                }
            }
            Step::Deliver(host) => self.deliver(host, time, [false; HOSTS]),
            Step::Hear(host, at) => {
                let own = &mut self.hosts[host];
                if !own.coming.is_empty() {
                    let (event, told) = own.coming.swap_remove(at % own.coming.len());
                    own.learn(&told);
                    own.known.push(event);
                }
            }
            Step::Ask(host) => self.ask(host),
            Step::Pass(ms) => self.common.now_ms += ms,
            Step::Restart(host) => {
                // What it has not told is lost with it, and it answers nothing before it has asked.
                self.hosts[host] = Host::new(time as u64);
                self.ask(host);
            }
        }
    }

    /// Whether a host takes an entry for void: what it has not told yet concerns all that it reads from the shared level.
    fn is_void(&self, number: usize, entry: &Entry) -> bool {
        let host = &self.hosts[number];
        let mut waiting = host.waiting.iter().flat_map(|at| &self.events[*at].names);
        host.tags.is_void(&entry.note)
            || entry.writer != number && waiting.any(|name| entry.names.contains(name))
    }

    /// Whether an entry has to be void for a host, and whether it may be.
    fn judge(&self, host: &Host, entry: &Entry) -> (bool, bool) {
        let concerns = |at: &usize| {
            let names = &self.events[*at].names;
            names.iter().any(|name| entry.names.contains(name))
        };
        let mut known = host.known.iter().filter(|at| concerns(at));
        let has_to_be = known.any(|at| self.events[*at].made > entry.written);
        let may_be = (0..self.events.len()).filter(concerns).any(|at| {
            let event = &self.events[at];
            let comes_later = event.came.is_some_and(|came| came >= entry.written);
            let was_unheard = !entry.known.contains(&at);
            let is_to_come = event.came.is_none() && host.waiting.contains(&at);
            event.made > entry.written || comes_later || was_unheard || is_to_come
        });
        (has_to_be, may_be)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_was_written_before_lives_for_nobody_who_knows(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for (time, step) in (1..).zip(steps) {
            world.take(step.clone(), time);
            for (number, host) in world.hosts.iter().enumerate() {
                for entry in world.entries.values() {
                    let (has_to_be, may_be) = world.judge(host, entry);
                    let is_void = world.is_void(number, entry);
                    prop_assert!(is_void || !has_to_be, "{:?}: host {} finds what is void", step, number);
                    prop_assert!(!is_void || may_be, "{:?}: host {} misses what is not", step, number);
                }
            }
        }
    }
}
