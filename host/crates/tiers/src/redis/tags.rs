//! Invalidated tags, counted in Redis for all who share it. Why nothing void lives by that stands in `host/ARCHITECTURE.md`.
//!
//! A sorted set for each tenant has the tags that were invalidated (`t` and [`larder_engine::tags::id_of`]), each with the
//! tick of the last time; the tick of the last invalidation (`n`); and the tick before which all that has tags is void (`f`).

use std::collections::HashMap;
use std::mem;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::tags::{Invalidated, STAMPS_A_TICK, TagIds};
use larder_engine::tier::TierError;
use parking_lot::RwLock;
use redis::{RedisResult, Value};
use tokio::sync::Mutex;

use super::Inner;
use super::script::{Call, TAGS};
use super::voice::Voice;

/// Ticks are below it. What is not was written by somebody else.
pub(super) const TICKS_MAX: u64 = 1 << 43;
/// Tags that get one tick, and that are learned of at once: as the script has it.
const STEP_TAGS: usize = 256;
const PAGE_TAGS: usize = 1024;

/// How far the count of each tenant is known.
#[derive(Default)]
pub(super) struct SharedTags {
    tenants: RwLock<HashMap<Arc<str>, Standing>>,
    /// Times that something may have been missed.
    doubts: AtomicU64,
    /// Held by whoever asks as nobody may go on without.
    asking: Mutex<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// All that was invalidated up to this tick is known.
    all_to: u64,
    /// Redis has counted so far, by what it has answered and others have told.
    counted: u64,
    /// How many doubts there were when it was asked last; 0: never.
    asked_at: u64,
}

/// What the script answers: the last tick, the floor, and a part of the set.
struct Page {
    now: u64,
    floor: u64,
    members: Vec<(Vec<u8>, u64)>,
}

/// The stamp of a tick.
pub(super) fn stamp_of(tick: u64) -> u64 {
    tick.min(TICKS_MAX) * STAMPS_A_TICK
}

fn tick_of(stamp: u64) -> u64 {
    (stamp / STAMPS_A_TICK).min(TICKS_MAX - 1)
}

impl SharedTags {
    /// What is known may be too old: it is asked for before anything is read.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Acquire) + 1
    }

    fn of(&self, tenant: &str) -> Standing {
        self.tenants.read().get(tenant).copied().unwrap_or_default()
    }

    fn change(&self, tenant: &Arc<str>, change: impl FnOnce(&mut Standing)) {
        change(self.tenants.write().entry(Arc::clone(tenant)).or_default());
    }

    /// Whether nothing was missed of a tenant since Redis was asked.
    fn is_known(&self, tenant: &str) -> bool {
        self.of(tenant).asked_at == self.doubts()
    }

    /// Redis has counted so far.
    pub(super) fn has_counted(&self, tenant: &Arc<str>, tick: u64) {
        self.change(tenant, |own| own.counted = own.counted.max(tick));
    }
}

impl Page {
    fn read(answer: RedisResult<Value>) -> RedisResult<Self> {
        let (now, floor, members): (u64, u64, Vec<(Vec<u8>, f64)>) =
            redis::from_redis_value(answer?)?;
        let members = members.into_iter();
        Ok(Self {
            now,
            floor,
            members: members.map(|(name, tick)| (name, tick as u64)).collect(),
        })
    }

    /// Where the next one begins; `None` where this was the last.
    fn next(&self, since: u64) -> Option<u64> {
        let (_, last) = self
            .members
            .last()
            .filter(|_| self.members.len() == PAGE_TAGS)?;
        // There may be more of the same tick.
        Some(last.saturating_sub(1).max(since + 1))
    }

    fn invalidated(&self) -> Invalidated {
        // What is beyond the last was not invalidated by anybody here.
        let members = self.members.iter().filter(|(_, tick)| *tick <= self.now);
        let tags = members.filter_map(|(name, tick)| {
            let id = name.strip_prefix(b"t")?;
            Some((id.into(), stamp_of(*tick)))
        });
        Invalidated {
            now: stamp_of(self.now),
            floor: stamp_of(self.floor),
            tags: tags.collect(),
        }
    }
}

impl Inner {
    /// Whether what is read of a tenant can be judged by its tags.
    pub(super) fn knows_tags(&self, tenant: &str) -> bool {
        self.ear.get().is_none() || self.keeps_up() && self.tags.is_known(tenant)
    }

    /// Has what is read of a tenant be judged by its tags, and what is written be stamped with nothing that Redis has not
    /// counted yet.
    pub(super) async fn know_tags(&self, tenant: &Arc<str>) -> Result<(), TierError> {
        if self.has_counted_tags(tenant) {
            return Ok(());
        }
        let _asking = self.tags.asking.lock().await;
        if self.has_counted_tags(tenant) {
            return Ok(());
        }
        let doubts = self.tags.doubts();
        // What was missed of tags may have been of what was cleared.
        self.generations.refresh(&self.asking()).await?;
        self.learn_tags(slice::from_ref(tenant), doubts).await
    }

    fn has_counted_tags(&self, tenant: &str) -> bool {
        let is_counted = || self.tags.of(tenant).counted >= self.tags_now(tenant);
        self.knows_tags(tenant) && is_counted()
    }

    /// The tick of the last invalidation that this host knows.
    fn tags_now(&self, tenant: &str) -> u64 {
        let ear = self.ear.get();
        tick_of(ear.and_then(|ear| ear.tags_now(tenant)).unwrap_or(0))
    }

    /// Learns of all that was invalidated in these tenants since it was asked for last. So many doubts there were before.
    pub(super) async fn learn_tags(
        &self,
        tenants: &[Arc<str>],
        doubts: u64,
    ) -> Result<(), TierError> {
        let Some(ear) = self.ear.get() else {
            return Ok(());
        };
        let since = |tenant: &Arc<str>| (Arc::clone(tenant), self.tags.of(tenant).all_to);
        let mut rest: Vec<_> = tenants.iter().map(since).collect();
        while !rest.is_empty() {
            let calls = rest.iter().map(|(tenant, since)| {
                let since = since.to_string();
                self.call_tags(tenant, since, Vec::new(), Vec::new())
            });
            let calls: Vec<_> = calls.collect();
            let answers = self.aside.call(&calls, &[], None).await?;
            for ((tenant, since), answer) in mem::take(&mut rest).into_iter().zip(answers) {
                let page = Page::read(answer).map_err(|error| self.standing.refuses(&error))?;
                ear.learn(&tenant, &page.invalidated());
                self.tags.has_counted(&tenant, page.now);
                match page.next(since) {
                    Some(next) => rest.push((tenant, next)),
                    None => self.tags.change(&tenant, |own| {
                        own.all_to = own.all_to.max(page.now);
                        own.asked_at = own.asked_at.max(doubts);
                    }),
                }
            }
        }
        Ok(())
    }

    /// Has tags, or all that there are, count as invalidated for all who share them.
    pub(super) async fn invalidate(
        &self,
        tenant: &Arc<str>,
        tags: Option<&TagIds>,
    ) -> Result<(), TierError> {
        let ids: Vec<&[u8]> = tags
            .iter()
            .flat_map(|tags| tags.iter().map(|id| &**id))
            .collect();
        let steps: Vec<_> = match tags {
            Some(_) => ids.chunks(STEP_TAGS).collect(),
            None => vec![&ids[..]],
        };
        let telling = self.voice.as_ref().map(Voice::tell);
        let calls = steps.iter().map(|ids| {
            let told = self.voice.as_ref();
            let message = told.map_or_else(Vec::new, |voice| voice.invalidated(tenant, ids));
            let is_all = if tags.is_none() { b"1" } else { b"0" };
            let what = [&is_all[..]].into_iter().chain(ids.iter().copied());
            let what = what.map(<[u8]>::to_vec).collect();
            self.call_tags(tenant, String::new(), message, what)
        });
        let calls: Vec<_> = calls.collect();
        let answers = self.aside.call(&calls, &[], None).await;
        if telling.is_some() {
            let told = &self.standing.told;
            told.fetch_add(calls.len() as u64, Ordering::Relaxed);
        }
        drop(telling);
        for (ids, answer) in steps.into_iter().zip(answers?) {
            let page = Page::read(answer).map_err(|error| self.standing.refuses(&error))?;
            let stamp = stamp_of(page.now);
            let invalidated = Invalidated {
                tags: ids.iter().map(|id| ((*id).into(), stamp)).collect(),
                ..page.invalidated()
            };
            self.tags.has_counted(tenant, page.now);
            if let Some(ear) = self.ear.get() {
                ear.learn(tenant, &invalidated);
            }
        }
        Ok(())
    }

    /// See [`TAGS`].
    fn call_tags(
        &self,
        tenant: &Arc<str>,
        since: String,
        message: Vec<u8>,
        what: Vec<Vec<u8>>,
    ) -> Call {
        let channel = match message.is_empty() {
            true => None,
            false => self.voice.as_ref(),
        };
        let channel = channel.map_or("", |voice| &voice.channel);
        let number = |number: u64| number.to_string().into_bytes();
        let head = vec![
            number(self.tags_now(tenant)),
            number(self.tags.of(tenant).counted),
            since.into_bytes(),
            channel.as_bytes().to_vec(),
            message,
        ];
        Call {
            script: &TAGS,
            name: self.names.tags(tenant).into_bytes(),
            more: Vec::new(),
            args: [head, what].concat(),
        }
    }
}

#[cfg(test)]
mod tests;
