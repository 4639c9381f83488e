//! Orders of operators that take a while: carried out by a thread of their own, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use larder_engine::Policies;
use tokio::sync::oneshot;

use crate::Order;

/// Orders that are carried out or wait for it.
static PENDING: AtomicUsize = AtomicUsize::new(0);
const PENDING_MAX: usize = 16;

/// What became of an order; errors are one sentence for people.
pub(crate) type Done = Result<(), String>;

/// Has `order` carried out. The answer comes through the receiver; should the thread die, that fails.
pub(crate) fn give(policies: &Arc<dyn Policies>, order: Order) -> oneshot::Receiver<Done> {
    let (answer, answered) = oneshot::channel();
    if PENDING.fetch_add(1, Ordering::Relaxed) >= PENDING_MAX {
        PENDING.fetch_sub(1, Ordering::Relaxed);
        // The receiver is in our hands.
        let _ = answer.send(Err(
            "too many orders are being carried out; try again".into()
        ));
        return answered;
    }
    let policies = Arc::clone(policies);
    let pending = Pending;
    let spawned = thread::Builder::new()
        .name("larder-order".into())
        .spawn(move || {
            let _pending = pending;
            let done = match &order {
                Order::Enable(name) => policies.enable(name),
                Order::Disable(name) => policies.disable(name),
                Order::Rollback(name) => policies.rollback(name),
                Order::Reload => policies.reload(),
            };
            // The client may be gone.
            let _ = answer.send(done);
        });
    // Without a thread the sender is gone with its closure, and the receiver will say so.
    drop(spawned);
    answered
}

/// An order that counts as pending until this is dropped, however its thread ends.
struct Pending;

impl Drop for Pending {
    fn drop(&mut self) {
        PENDING.fetch_sub(1, Ordering::Relaxed);
    }
}
