//! Values on their way in: the policies decide over them before they are written.

use std::time::{Duration, Instant};

use larder_engine::decision::{Kind, Kinds, Operation, QuestionParts, TextPair};
use larder_engine::{Access, Edit, Entry, Error, Expiry, Key, Label, Millis, Times};

use super::condition::Condition;
use super::note::{Note, is_secret};
use super::{Failure, NO_SEAL};
use crate::Context;
use crate::onlookers::{Event, Onlookers};

/// The tier that is asked about: memory.
const TIER: u8 = 1;

/// How long the policies may take for several values that are written at one moment, together; the rest is
/// kept as the client wishes. Honest ones decide over thousands in that time.
pub(super) const DECIDING_MAX: Duration = Duration::from_millis(3);

/// What policies decide over a value that is kept whatever they say.
const KEPT: Kinds = Kinds::NONE
    .with(Kind::Ttl)
    .with(Kind::Priority)
    .with(Kind::Security);

/// A value that a client wants kept.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) key: Key<'a>,
    pub(super) value: &'a [u8],
    /// Not [`Expiry::Keep`]: what only changes a value is no matter of policies.
    pub(super) expiry: Expiry,
    /// What is told once it is kept.
    pub(super) event: Event,
    pub(super) about: About<'a>,
}

/// What a client says of a value.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) data_type: &'a [u8],
    pub(super) tags: &'a [&'a [u8]],
    pub(super) cost_ms: Option<u64>,
    pub(super) attributes: &'a [TextPair<'a>],
    /// All of it, as it is kept with the entry.
    pub(super) note: Note<'a>,
    /// How long it is kept beyond its expiry.
    pub(super) stale_ms: u32,
}

impl<'a> About<'a> {
    /// What is kept of it with the entry; `is_marked` where a policy found that the value is secret.
    fn label(&self, priority: u8, is_marked: bool) -> Label<'a> {
        Label {
            priority,
            note: match is_marked {
                true => self.note.marked(),
                false => self.note.said(),
            },
            times: Times {
                stale_ms: self.stale_ms,
                ..Times::NONE
            },
        }
    }
}

/// What was decided over a value that is to be kept.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) expiry: Expiry,
    pub(super) label: Label<'a>,
}

impl<'a> Offer<'a> {
    /// A value of which nothing more is known.
    pub(super) fn plain(key: Key<'a>, value: &'a [u8], expiry: Expiry) -> Self {
        Self {
            key,
            value,
            expiry,
            event: Event::SET,
            about: About::default(),
        }
    }

    /// What is kept where no policy has a say.
    fn as_wished(&self) -> Kept<'a> {
        Kept {
            expiry: self.expiry,
            label: self.about.label(0, false),
        }
    }

    /// The edit that follows from what was decided.
    pub(super) fn edit(&self, kept: Option<Kept<'a>>) -> Edit<'a> {
        match kept {
            Some(Kept { expiry, label }) => Edit::Put {
                value: self.value.into(),
                expiry,
                label: Some(label),
            },
            None => Edit::Remove,
        }
    }

    /// Bytes to make room for, as was decided.
    pub(super) fn bytes(&self, kept: Option<Kept<'a>>) -> usize {
        kept.map_or(0, |kept| self.value.len() + kept.label.bytes())
    }
}

impl Context<'_> {
    /// Refuses a value that is to be sealed where there is nothing to seal it with.
    pub(super) fn require_seal(&self, note: &[u8]) -> Result<(), Failure> {
        match self.shared.config.seals || !is_secret(note) {
            true => Ok(()),
            false => Err(Failure::new(NO_SEAL)),
        }
    }

    /// What the policies say to a value; `None` where it is not to be kept.
    #[inline]
    pub(super) fn decide<'a>(&mut self, offer: &Offer<'a>) -> Option<Kept<'a>> {
        // Where a level has the authority nothing is cached.
        match self.borrowed.is_empty() {
            true => self.decide_over(offer, Kinds::ALL),
            false => self.decide_kept(offer),
        }
    }

    /// As [`Self::decide`], of a write whose reply tells what was there before, or whether it took place. Clients go by that
    /// as by a lock that they were given, so the value is kept.
    pub(super) fn decide_kept<'a>(&mut self, offer: &Offer<'a>) -> Option<Kept<'a>> {
        self.decide_over(offer, KEPT)
    }

    #[inline]
    fn decide_over<'a>(&mut self, offer: &Offer<'a>, kinds: Kinds) -> Option<Kept<'a>> {
        let tenant = self.store.tenant().number();
        if self.decider.has_a_say(tenant) {
            return self.ask(tenant, offer, kinds);
        }
        Some(offer.as_wished())
    }

    #[cold]
    fn ask<'a>(&mut self, tenant: usize, offer: &Offer<'a>, kinds: Kinds) -> Option<Kept<'a>> {
        if self.asked >= DECIDING_MAX {
            return Some(offer.as_wished());
        }
        // While shards are held others wait for what the policies say.
        let begun = self.store.is_held().then(Instant::now);
        let now = self.now;
        let asked_ms = match offer.expiry {
            Expiry::At(at) => Some(at.saturating_sub(now).max(1)),
            Expiry::Never | Expiry::Keep => None,
        };
        let verdict = self.decider.decide(
            tenant,
            &QuestionParts {
                now_ms: now,
                db: offer.key.db,
                operation: Operation::Write,
                tier: TIER,
                key: offer.key.bytes,
                tenant: self.store.tenant().name(),
                value_bytes: offer.value.len() as u64,
                // Policies have logs.
                value: match is_secret(offer.about.note.said()) {
                    true => &[],
                    false => offer.value,
                },
                ttl_ms: asked_ms,
                data_type: offer.about.data_type,
                cost_ms: offer.about.cost_ms,
                tags: offer.about.tags,
                attributes: offer.about.attributes,
            },
            kinds,
        );
        self.asked += begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let expiry = match verdict.ttl_ms {
            same if same == asked_ms => offer.expiry,
            Some(ttl_ms) => Expiry::At(now.saturating_add(ttl_ms)),
            None => Expiry::Never,
        };
        let is_marked = verdict.keep && verdict.is_secret && self.mark(offer);
        let label = offer.about.label(verdict.priority, is_marked);
        verdict.keep.then_some(Kept { expiry, label })
    }

    /// A policy has found that a value is secret: what of the request is behind its key is shown to nobody. Whether it
    /// can be sealed.
    fn mark(&mut self, offer: &Offer<'_>) -> bool {
        self.watch.holds_secret = true;
        let is_marked = self.shared.config.seals;
        if !is_marked && !is_secret(offer.about.note.said()) {
            self.shared.secrets.count_unsealed(self.now);
        }
        is_marked
    }

    /// Writes a value as the policies say. One that they refuse is gone, with the one before it; the
    /// client is not told, as it may be evicted at any time.
    pub(super) fn keep(&mut self, offer: &Offer<'_>) -> Result<(), Failure> {
        if is_past(offer.expiry, self.now) {
            self.forget(offer.key);
            return Ok(());
        }
        let kept = self.decide(offer);
        let Some(Kept { expiry, label }) = kept else {
            self.forget(offer.key);
            return Ok(());
        };
        let access = Access::Offer(label.priority);
        let edit = |entry: Option<Entry<'_>>| (offer.edit(kept), entry.is_some());
        let bytes = offer.bytes(kept);
        let stored = self.store.update(offer.key, self.now, access, bytes, edit);
        match stored {
            Ok(existed) => self.onlookers().notify_kept(offer, Some(expiry), existed),
            Err(Error::Refused) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl Onlookers {
    /// Tells what became of a value: it is kept until its expiry, or it is gone, with the one before it if
    /// one `existed`.
    pub(super) fn notify_kept(&self, offer: &Offer<'_>, kept: Option<Expiry>, existed: bool) {
        let Some(expiry) = kept else {
            if existed {
                self.notify(Event::DEL, offer.key);
            }
            return;
        };
        // To Redis what RESTORE puts in the place of another is new.
        let is_replaced = existed && offer.event != Event::RESTORE;
        self.notify_written(offer.event, offer.key, is_replaced);
        if offer.event == Event::SET && matches!(expiry, Expiry::At(_)) {
            self.notify(Event::EXPIRE, offer.key);
        }
    }
}

impl Context<'_> {
    /// As [`Context::keep`], where all conditions hold, and by the lease with that token if one is named; whether
    /// they did.
    pub(super) fn keep_if(
        &mut self,
        offer: &Offer<'_>,
        conditions: &[Condition<'_>],
        lease: Option<u64>,
    ) -> Result<bool, Failure> {
        let kept = match (is_past(offer.expiry, self.now), conditions) {
            (true, _) => None,
            (false, []) => self.decide(offer),
            (false, _) => self.decide_kept(offer),
        };
        let edit = |entry: Option<Entry<'_>>| {
            let value = entry.map(|entry| entry.value());
            let holds = conditions.iter().all(|condition| condition.holds(value));
            let edit = if holds { offer.edit(kept) } else { Edit::Keep };
            (edit, (holds, entry.is_some()))
        };
        let bytes = offer.bytes(kept);
        let access = lease.map_or(Access::Write, Access::Lease);
        let (held, existed) = self
            .store
            .update(offer.key, self.now, access, bytes, edit)?;
        if held {
            let expiry = kept.map(|kept| kept.expiry);
            self.onlookers().notify_kept(offer, expiry, existed);
        }
        Ok(held)
    }
}

/// Whether an entry with that expiry would be gone at once.
pub(super) fn is_past(expiry: Expiry, now: Millis) -> bool {
    matches!(expiry, Expiry::At(at) if at <= now)
}
