//! CLIENT PAUSE: clients that wait before their next request.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_resp::Args;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::lock;
use crate::commands::resolve;
use crate::{Health, Session, Shared};

/// A pause may last this long: whoever began it may be gone.
pub(crate) const PAUSE_MS_MAX: u64 = 3_600_000;

/// That the clients of a tenant wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    until: Instant,
    /// Only what may change something waits.
    is_for_writes: bool,
}

/// Who began a pause: whoever is no administrator does not end theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Tenant,
    Admin,
}

/// The pauses there are, by the number of the tenant.
pub(crate) struct Pauses {
    /// Whether there may be one. On the way of every turn.
    is_any: AtomicBool,
    by_tenant: Mutex<Box<[[Option<Pause>; 2]]>>,
    ended: Notify,
}

impl Pauses {
    pub(crate) fn new(tenants: usize) -> Self {
        Self {
            is_any: AtomicBool::new(false),
            by_tenant: Mutex::new(vec![[None; 2]; tenants].into()),
            ended: Notify::new(),
        }
    }

    /// Begins a pause of these tenants; where there is one already, the longer and the stricter holds.
    pub(crate) fn begin(
        &self,
        by: By,
        tenants: impl IntoIterator<Item = usize>,
        time: Duration,
        is_for_writes: bool,
    ) {
        let mut by_tenant = lock(&self.by_tenant);
        let now = Instant::now();
        for tenant in tenants {
            let pause = &mut by_tenant[tenant][by as usize];
            let known = pause.filter(|known| known.until > now);
            let known = known.unwrap_or(Pause {
                until: now,
                is_for_writes,
            });
            *pause = Some(Pause {
                until: known.until.max(now + time),
                is_for_writes: known.is_for_writes && is_for_writes,
            });
        }
        self.is_any.store(true, Ordering::Relaxed);
    }

    /// Ends the pauses of these tenants; all of them, or those that began `by` themselves.
    pub(crate) fn end(&self, by: By, tenants: impl IntoIterator<Item = usize>) {
        let mut by_tenant = lock(&self.by_tenant);
        for tenant in tenants {
            let ended = match by {
                By::Tenant => &mut by_tenant[tenant][..1],
                By::Admin => &mut by_tenant[tenant][..],
            };
            ended.fill(None);
        }
        drop(by_tenant);
        self.ended.notify_waiters();
    }

    /// The pause of a tenant, if there is one now: of two the stricter, for as long as neither ends.
    #[inline]
    pub(crate) fn of(&self, tenant: usize) -> Option<Pause> {
        match self.is_any.load(Ordering::Relaxed) {
            true => self.look(tenant),
            false => None,
        }
    }

    #[cold]
    fn look(&self, tenant: usize) -> Option<Pause> {
        let mut by_tenant = lock(&self.by_tenant);
        let now = Instant::now();
        for pause in by_tenant.iter_mut().flatten() {
            *pause = pause.filter(|pause| pause.until > now);
        }
        // Still locked, so that no pause that begins is overlooked.
        let is_any = by_tenant.iter().flatten().any(Option::is_some);
        self.is_any.store(is_any, Ordering::Relaxed);
        let pauses = by_tenant[tenant].into_iter().flatten();
        pauses.reduce(|one, other| Pause {
            until: one.until.min(other.until),
            is_for_writes: one.is_for_writes && other.is_for_writes,
        })
    }
}

impl Pause {
    /// Whether a request has to wait. What ends a pause, or leads there, never does.
    #[cold]
    pub(crate) fn holds(self, session: &Session, args: Args<'_>) -> bool {
        let Ok(found) = resolve(args) else {
            return false;
        };
        let is_free = found.command.is_open() || args.name().eq_ignore_ascii_case(b"CLIENT");
        if is_free || !session.login.is_signed_in() {
            return false;
        }
        let transaction = session.transaction.as_ref();
        let ends_in_writes = || {
            found.command.name == "EXEC" && transaction.is_some_and(|queued| queued.may_change())
        };
        !self.is_for_writes || found.command.may_change() || ends_in_writes()
    }
}

/// Ready when the pause of a tenant may be over.
pub(crate) async fn lifted(shared: Arc<Shared>, tenant: usize) {
    let pauses = &shared.pauses;
    let mut ended = pin!(pauses.ended.notified());
    // From here on no end is missed.
    ended.as_mut().enable();
    if let Some(pause) = pauses.of(tenant) {
        tokio::select! {
            () = ended => {}
            () = sleep_until(pause.until) => {}
        }
    }
}

impl Shared {
    /// The pause that a connection is under. One that ends goes on with what it has begun.
    #[inline]
    pub(crate) fn pause_of(&self, session: &Session) -> Option<Pause> {
        let pause = self.pauses.of(session.tenant.number())?;
        (self.health() != Health::Draining).then_some(pause)
    }
}

#[cfg(test)]
mod tests;
