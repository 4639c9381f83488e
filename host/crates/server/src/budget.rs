//! What the buffers of all connections may hold together, and how much of that is whose.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use crate::Session;

/// Those who have not signed in may hold this part of everything, and nothing else is for them: they can keep
/// each other waiting, but nobody whom we know.
const STRANGERS_PART: usize = 8;
/// This part of the rest is shared out evenly among the tenants; the other is for whoever comes first.
const SHARED_OUT_PART: usize = 2;

/// What `client_buffers_bytes_max` has to be for those who have signed in to hold so many bytes.
pub fn for_known(bytes: u64) -> u64 {
    let part = STRANGERS_PART as u64;
    bytes.saturating_mul(part).div_ceil(part - 1)
}

/// Bytes that the buffers of all connections may hold together.
pub(crate) struct Budgets {
    strangers: Arc<Budget>,
    /// By the number of the tenant.
    tenants: Box<[Arc<Budget>]>,
}

impl Budgets {
    pub(crate) fn new(bytes_max: usize, tenants: usize) -> Self {
        let strangers = bytes_max / STRANGERS_PART;
        let rest = bytes_max - strangers;
        let own = rest / SHARED_OUT_PART / tenants.max(1);
        let common = Arc::new(Common {
            used: AtomicIsize::new(0),
            bytes_max: signed(rest - own * tenants),
        });
        let tenant = |_| {
            Arc::new(Budget {
                common: common.clone(),
                ..Budget::new(own)
            })
        };
        Self {
            strangers: Arc::new(Budget::new(strangers)),
            tenants: (0..tenants).map(tenant).collect(),
        }
    }

    /// That of those who have not signed in.
    pub(crate) fn strangers(&self) -> &Arc<Budget> {
        &self.strangers
    }

    /// That of the tenant of this number.
    pub(crate) fn tenant(&self, number: usize) -> &Arc<Budget> {
        &self.tenants[number]
    }

    /// Who pays for what a connection holds. On the way of every turn.
    #[inline]
    pub(crate) fn of(&self, session: &Session) -> &Arc<Budget> {
        match session.login.is_signed_in() {
            true => self.tenant(session.tenant.number()),
            false => &self.strangers,
        }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        let all = self.tenants.iter().chain([&self.strangers]);
        all.map(|budget| budget.used_bytes()).sum()
    }
}

/// Bytes that one party may hold: its own share, and what it gets of what is for all.
pub(crate) struct Budget {
    used: AtomicUsize,
    own_bytes_max: usize,
    common: Arc<Common>,
}

/// What is for whoever comes first: it holds what each takes beyond its own share.
struct Common {
    /// For a moment it may be below zero, where a sum is given back that others are about to take.
    used: AtomicIsize,
    bytes_max: isize,
}

impl Budget {
    /// One that is apart from all others.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            own_bytes_max: bytes_max,
            common: Arc::new(Common {
                used: AtomicIsize::new(0),
                bytes_max: 0,
            }),
        }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed) as u64
    }

    /// What it may hold at most, where nobody else holds anything.
    pub(crate) fn bytes_max(&self) -> usize {
        self.own_bytes_max + self.common.bytes_max.unsigned_abs()
    }

    /// Whether more than half of the own share is taken.
    pub(crate) fn is_half_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.own_bytes_max / 2
    }

    /// What is beyond the own share, of so many bytes.
    fn beyond(&self, bytes: usize) -> isize {
        signed(bytes.saturating_sub(self.own_bytes_max))
    }

    /// Takes more, unless that goes over the bound.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let beyond = self.beyond(before + bytes) - self.beyond(before);
        if beyond == 0 {
            return true;
        }
        let common = &self.common;
        let fits = common.used.fetch_add(beyond, Ordering::Relaxed) + beyond <= common.bytes_max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        let beyond = self.beyond(before) - self.beyond(before - bytes);
        if beyond > 0 {
            self.common.used.fetch_sub(beyond, Ordering::Relaxed);
        }
    }

    /// Takes a sum that is given back by dropping it; `None` over the bound.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        // Only what was taken may be given back.
        self.take(bytes).then(|| Charge {
            budget: self.clone(),
            bytes,
        })
    }
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

/// Bytes that were taken out of a [`Budget`].
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

/// The buffers are full for whoever wants more: this connection may not grow.
#[derive(Debug)]
pub(crate) struct BuffersFull;

impl Charge {
    /// One of nothing, to be grown.
    pub(crate) fn none(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more, so that it is as much as this.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), BuffersFull> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !self.budget.take(more) {
            return Err(BuffersFull);
        }
        self.bytes += more;
        Ok(())
    }

    /// Gives back what is above this.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        if freed > 0 {
            self.budget.give_back(freed);
        }
        self.bytes -= freed;
    }

    /// Has another party pay, from now on.
    pub(crate) fn pay_from(&mut self, budget: &Arc<Budget>) -> Result<(), BuffersFull> {
        if !Arc::ptr_eq(&self.budget, budget) {
            *self = budget.charge(self.bytes).ok_or(BuffersFull)?;
        }
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests;
