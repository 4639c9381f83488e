//! Values that are loaded anew while they are still answered: because they are stale, or will be soon.

use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use larder_engine::below::Loaded;
use larder_engine::tier::TierKeyBuf;
use larder_engine::{Access, Edit, Error, Expiry, Key, Millis, Tenant, Ticket};
use parking_lot::Mutex;
use siphasher::sip::SipHasher13;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;

use super::Source;
use crate::draws::Draws;
use crate::stack::Stack;

/// Refreshes that may wait to be begun, of one tenant as many as there is room for beside them; more are left to the next
/// read.
const ORDERS_MAX: usize = 2048;
/// Groups of a tenant's keys of which one is refreshed at a time.
const GROUPS: usize = 4096;
/// What is drawn is below this times the cost: the logarithm of 53 bits.
pub(crate) const DRAWN_MAX: f64 = 37.0;
/// The pause after a refresh that failed, before the next of its group.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// Why a value is loaded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is good for a while yet.
    Early,
    /// It is good no more.
    Stale,
}

/// A value to be loaded anew.
pub(crate) struct Order {
    source: Arc<Source>,
    key: TierKeyBuf,
    group: usize,
}

/// What of one tenant is ordered. Nobody else can hold it up.
pub(crate) struct Ordered {
    /// Who chooses keys is not to choose which share a group.
    seed: u64,
    /// The groups that have one ordered or begun.
    busy: Box<[AtomicBool]>,
    /// Those that wait to be begun.
    waiting: AtomicUsize,
}

impl Ordered {
    /// Nothing yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            busy: (0..GROUPS).map(|_| AtomicBool::new(false)).collect(),
            waiting: AtomicUsize::new(0),
        }
    }

    fn group(&self, key: &TierKeyBuf) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.seed, !self.seed);
        hasher.write_u8(key.db);
        hasher.write(&key.bytes);
        hasher.finish() as usize % GROUPS
    }

    /// Another of the group may be ordered.
    fn ends(&self, group: usize) {
        self.busy[group].store(false, Ordering::Relaxed);
    }
}

/// What is to be loaded anew. Ordering it takes no lock and waits for nothing.
pub(crate) struct Refreshes {
    orders: Sender<Order>,
    ordered: Mutex<Option<Receiver<Order>>>,
    draws: Draws,
}

impl Refreshes {
    /// None yet.
    pub(crate) fn new(seed: u64) -> Self {
        let (orders, ordered) = channel(ORDERS_MAX);
        Self {
            orders,
            ordered: Mutex::new(Some(ordered)),
            draws: Draws::new(seed),
        }
    }

    /// How long before its end a value is loaded anew this time, if loading takes `cost_ms`. Drawn each time so that of
    /// many who read it one does it early, sooner the more there are, and not all at once at the end (XFetch; Vattani,
    /// Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015).
    pub(crate) fn draw_early_ms(&self, cost_ms: u32) -> f64 {
        let drawn = self.draws.next();
        // Above 0, 1 at most.
        let part = ((drawn >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -part.ln() * f64::from(cost_ms)
    }

    /// Has a value loaded anew, unless that is about to happen.
    pub(crate) fn order(&self, source: &Arc<Source>, key: TierKeyBuf, reason: Reason) {
        let own = &source.ordered;
        let group = own.group(&key);
        if own.busy[group].swap(true, Ordering::Relaxed) {
            return;
        }
        let order = Order {
            source: Arc::clone(source),
            key,
            group,
        };
        // So there is room left for others, however many one tenant orders.
        let has_room = own.waiting.fetch_add(1, Ordering::Relaxed) < self.orders.capacity();
        let is_taken = has_room && self.orders.try_send(order).is_ok();
        source.count_refresh(reason, is_taken);
        if !is_taken {
            own.waiting.fetch_sub(1, Ordering::Relaxed);
            own.ends(group);
        }
    }

    /// What is ordered; the first who asks gets it.
    pub(crate) fn take_orders(&self) -> Option<Receiver<Order>> {
        self.ordered.lock().take()
    }
}

/// Carries out what is ordered for these tenants, for ever.
pub(crate) async fn refresh_all(
    stack: Arc<Stack>,
    tenants: Vec<Weak<Tenant>>,
    mut orders: Receiver<Order>,
) {
    while let Some(order) = orders.recv().await {
        let mut tenants = tenants.iter().filter_map(Weak::upgrade);
        let tenant = tenants.find(|tenant| *tenant.name() == *order.key.tenant);
        let (own, group) = (Arc::clone(&order.source.ordered), order.group);
        own.waiting.fetch_sub(1, Ordering::Relaxed);
        let stack = Arc::clone(&stack);
        tokio::spawn(async move {
            if let Some(tenant) = tenant {
                // Of its own, as loaders may panic.
                let refreshing = tokio::spawn(refresh(stack, tenant, order));
                if !refreshing.await.unwrap_or(false) {
                    sleep(FAULT_PAUSE).await;
                }
            }
            own.ends(group);
        });
    }
}

/// Whether the origin has answered.
async fn refresh(stack: Arc<Stack>, tenant: Arc<Tenant>, order: Order) -> bool {
    let key = Key::new(order.key.db, &order.key.bytes);
    let ticket = tenant.ticket(key, stack.now());
    // Nobody waits for it, and of what is gone nobody was told yet.
    let wanted = order.source.epochs.wanted(order.key.clone());
    let loaded = order.source.load(wanted, false).await;
    // Where there is no room for what came, what was there stays until its time is over.
    let _ = commit(&tenant, &ticket, &loaded, stack.now());
    loaded.is_ok()
}

/// Puts what came in the place of what was there, unless that has changed.
fn commit(tenant: &Tenant, ticket: &Ticket, loaded: &Loaded, now: Millis) -> Result<(), Error> {
    let key = ticket.key();
    let found = loaded.as_ref().ok().and_then(Option::as_deref);
    let room_bytes = found.map_or(0, |stored| tenant.bytes_of(key, stored));
    let mut held = tenant.lock([key], room_bytes, now)?;
    if !held.is_valid(ticket, now) {
        return Ok(());
    }
    match loaded {
        Ok(Some(stored)) => {
            let edit = || Edit::Put {
                value: (&*stored.value).into(),
                expiry: stored.expires_at.map_or(Expiry::Never, Expiry::At),
                label: Some(stored.label()),
            };
            held.update(key, now, Access::Write, |_| (edit(), ()))
        }
        Ok(None) => {
            held.remove(key, now);
            Ok(())
        }
        Err(_) => held.prolong(key, now).map(|_| ()),
    }
}

#[cfg(test)]
mod tests;
