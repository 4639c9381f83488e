//! The chains that the server's threads ask.
//!
//! Each thread has a desk: its instances of the policies that decide over values, under a lock of its
//! own, which nobody else takes but to change the chain (a moment) or to look up a decision. New
//! instances are made, and old ones freed, by the keeper's thread, never by a request.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_abi::{Kinds, QuestionParts};
use larder_engine::Millis;
use larder_engine::decision::{Decider, Undecided, Verdict};
use larder_engine::evictor::Unfit;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::memory::{Label, Memory};
use super::version::Version;
use crate::chain::{self, Said};
use crate::policy::Decisions;

/// The desks of all threads.
pub(super) struct Desks {
    shared: Arc<Shared>,
    seed: u64,
}

struct Shared {
    desks: Box<[Mutex<Desk>]>,
    /// By tenant: whether any policy decides over its values.
    has_a_say: Box<[AtomicBool]>,
    /// Whether an instance failed since the keeper looked.
    alarm: AtomicBool,
}

/// On cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Desk {
    links: Vec<Link>,
    /// While there is a chain.
    memory: Option<Memory>,
}

struct Link {
    version: Arc<Version>,
    label: Label,
    state: State,
}

enum State {
    Ready(Box<Decisions>),
    /// Its answer broke a rule; the keeper does not know yet.
    Failed(Unfit),
    /// Waits to be made again.
    Absent,
}

impl Desks {
    pub(super) fn new(threads: usize, tenants: usize, seed: u64) -> Self {
        let shared = Shared {
            desks: (0..threads).map(|_| Mutex::default()).collect(),
            has_a_say: (0..tenants).map(|_| AtomicBool::new(false)).collect(),
            alarm: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            seed,
        }
    }

    /// The decider of a thread.
    pub(super) fn decider(&self, thread: usize) -> Box<dyn Decider> {
        if thread >= self.shared.desks.len() {
            return Box::new(Undecided);
        }
        Box::new(Clerk {
            shared: Arc::clone(&self.shared),
            thread,
            seed: self.seed,
        })
    }

    /// Gives every thread this chain. Instances that a thread has stay with it; those it lacks are
    /// made, unless the policy `waits` to be tried again.
    ///
    /// # Errors
    /// When one cannot be made: which, and why. No chain is changed then.
    pub(super) fn seat(
        &self,
        chain: &[Arc<Version>],
        waits: impl Fn(&Version) -> bool,
    ) -> Result<(), (Arc<Version>, Unfit)> {
        let mut seatings = Vec::with_capacity(self.shared.desks.len());
        for (thread, desk) in self.shared.desks.iter().enumerate() {
            let (lacks, lacks_memory) = desk.lock().lacks(chain);
            let seed = self.seed ^ (thread as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let make = |(version, lacks): (&Arc<Version>, bool)| {
                if !lacks || waits(version) {
                    return Ok(None);
                }
                let made = version.policy.decisions(version.decisions(), seed);
                made.map(Some).map_err(|unfit| (Arc::clone(version), unfit))
            };
            let instances: Result<Vec<_>, _> = chain.iter().zip(lacks).map(make).collect();
            seatings.push((instances?, lacks_memory.then(Memory::new)));
        }
        for (desk, (instances, memory)) in self.shared.desks.iter().zip(seatings) {
            // The old ones are freed when the lock has been given back.
            let old = desk.lock().sit(chain, instances, memory);
            drop(old);
        }
        for (tenant, has_a_say) in self.shared.has_a_say.iter().enumerate() {
            let any = chain.iter().any(|version| version.covers(tenant));
            has_a_say.store(any, Ordering::Release);
        }
        Ok(())
    }

    /// The instances that failed since the last time, and how.
    pub(super) fn take_failures(&self) -> Vec<(Arc<Version>, Unfit)> {
        if !self.shared.alarm.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let mut failures = Vec::new();
        for desk in &self.shared.desks {
            for link in &mut desk.lock().links {
                if let State::Failed(unfit) = &link.state {
                    failures.push((Arc::clone(&link.version), unfit.clone()));
                    link.state = State::Absent;
                }
            }
        }
        failures
    }

    /// What was decided for a key last, by whichever thread, a line for each policy; and which policies
    /// are not asked at present, and why.
    pub(super) fn recall(&self, tenant: usize, db: u8, key: &[u8], now_ms: Millis) -> Vec<String> {
        let hash = hash(self.seed, tenant, db, key);
        let recall = |desk: &Mutex<Desk>| desk.lock().memory.as_ref()?.recall(hash, now_ms);
        let decisions = self.shared.desks.iter().filter_map(recall);
        let last = decisions.max_by_key(|(at_ms, _)| *at_ms);
        let mut lines = last.map(|(_, lines)| lines).unwrap_or_default();
        let passed_over = |desk: &Mutex<Desk>| desk.lock().passed_over(tenant, key);
        let passed_over: BTreeSet<_> = self.shared.desks.iter().flat_map(passed_over).collect();
        lines.extend(passed_over);
        lines
    }
}

impl Desk {
    /// For each policy of a chain whether an instance is missing, and whether a memory is.
    fn lacks(&self, chain: &[Arc<Version>]) -> (Vec<bool>, bool) {
        let lacks = |version: &Arc<Version>| {
            let mut links = self.links.iter();
            let link = links.find(|link| Arc::ptr_eq(&link.version, version));
            link.is_none_or(|link| matches!(link.state, State::Absent))
        };
        let lacks_memory = self.memory.as_ref().is_none_or(Memory::is_full);
        (
            chain.iter().map(lacks).collect(),
            lacks_memory && !chain.is_empty(),
        )
    }

    /// The policies that are not asked about a key, and why.
    fn passed_over(&self, tenant: usize, key: &[u8]) -> Vec<String> {
        let links = self.links.iter();
        let ours = links.filter(|link| link.version.covers(tenant));
        let why = |link: &Link| {
            let Version { name, side_car, .. } = &*link.version;
            match (&side_car.keys, &link.state) {
                (Some(keys), _) if !keys.matches(key) => {
                    Some(format!("{name}: not asked, its keys are {}", keys.text()))
                }
                (_, State::Ready(_)) => None,
                _ => Some(format!(
                    "{name}: not asked until it is tried again, it failed"
                )),
            }
        };
        ours.filter_map(why).collect()
    }

    /// Takes a chain with the instances and the memory that were made for it; returns what is to be
    /// freed.
    fn sit(
        &mut self,
        chain: &[Arc<Version>],
        made: Vec<Option<Decisions>>,
        memory: Option<Memory>,
    ) -> (Vec<Link>, Option<Memory>) {
        let old_memory = if memory.is_some() || chain.is_empty() {
            std::mem::replace(&mut self.memory, memory)
        } else {
            None
        };
        let mut old = std::mem::take(&mut self.links);
        for (version, made) in chain.iter().zip(made) {
            let mut links = old.iter_mut();
            let present = links.find(|link| Arc::ptr_eq(&link.version, version));
            let state = match (made, present) {
                (Some(made), _) => State::Ready(Box::new(made)),
                (None, Some(present)) => std::mem::replace(&mut present.state, State::Absent),
                (None, None) => State::Absent,
            };
            let memory = self.memory.as_mut();
            let label = memory.map_or(0, |memory| memory.label(&version.name));
            self.links.push(Link {
                version: Arc::clone(version),
                label,
                state,
            });
        }
        (old, old_memory)
    }

    /// The verdict over those kinds, and whether an instance failed.
    fn decide(
        &mut self,
        tenant: usize,
        hash: u64,
        question: &QuestionParts<'_>,
        kinds: Kinds,
    ) -> (Verdict, bool) {
        let mut verdict = Verdict {
            keep: true,
            ttl_ms: question.ttl_ms,
            priority: 0,
            is_secret: false,
        };
        let mut failed = false;
        let mut notes = None;
        let policies = self.links.len();
        for link in &mut self.links {
            let Some(said) = link.ask(tenant, question, kinds, &mut verdict) else {
                continue;
            };
            failed |= said == Said::Failed;
            if notes.is_none() {
                let memory = self.memory.as_mut();
                notes = memory.map(|memory| memory.begin(hash, question.now_ms, policies));
            }
            if let Some(notes) = &mut notes {
                notes.push((link.label, said));
            }
            if !verdict.keep {
                break;
            }
        }
        (verdict, failed)
    }
}

impl Link {
    /// Asks, where the value and any of the kinds concern it and it has an instance.
    fn ask(
        &mut self,
        tenant: usize,
        question: &QuestionParts<'_>,
        kinds: Kinds,
        verdict: &mut Verdict,
    ) -> Option<Said> {
        let version = &*self.version;
        let State::Ready(decisions) = &mut self.state else {
            return None;
        };
        let kinds = version.decisions().and(kinds);
        if kinds.is_empty() || !version.covers(tenant) || !version.matches(question.key) {
            return None;
        }
        let may_extend = version.side_car.may_extend;
        let asked = chain::ask(&mut **decisions, kinds, may_extend, question, verdict);
        Some(asked.unwrap_or_else(|unfit| {
            self.state = State::Failed(unfit);
            Said::Failed
        }))
    }
}

/// Decides for one thread.
struct Clerk {
    shared: Arc<Shared>,
    thread: usize,
    seed: u64,
}

impl Decider for Clerk {
    #[inline]
    fn has_a_say(&self, tenant: usize) -> bool {
        let has_a_say = self.shared.has_a_say.get(tenant);
        has_a_say.is_some_and(|has_a_say| has_a_say.load(Ordering::Acquire))
    }

    fn decide(&mut self, tenant: usize, question: &QuestionParts<'_>, kinds: Kinds) -> Verdict {
        let hash = hash(self.seed, tenant, question.db, question.key);
        let mut desk = self.shared.desks[self.thread].lock();
        let (verdict, failed) = desk.decide(tenant, hash, question, kinds);
        drop(desk);
        if failed {
            self.shared.alarm.store(true, Ordering::Release);
        }
        verdict
    }
}

fn hash(seed: u64, tenant: usize, db: u8, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, seed ^ (((tenant as u64) << 8) | u64::from(db)))
}
