//! The thread that keeps the store in order while requests go on: expiry, eviction ahead of need, and
//! the governor of the memory budget.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::error;

use crate::latency::Event;
use crate::onlookers::defer_events;
use crate::{Resident, Shared};

/// Pause between two rounds of maintenance.
const PAUSE: Duration = Duration::from_millis(10);
/// Steps a round takes at most while more is waiting.
const STEPS_MAX: usize = 64;
/// What telling of events may take in a round, a tenant: a million of them, or one of a key that is as long
/// as may be where the tenant's patterns take as much as they may.
const TELLING_WORK_MAX: usize = 128 << 20;
/// Looks at memory that seems too much before it counts as such, and the pause between them.
const LOOKS: usize = 4;
const LOOK_PAUSE: Duration = Duration::from_millis(3);
/// Pages of the program itself that count as memory of the cache.
const PROGRAM_BYTES_MAX: u64 = 8 << 20;
/// Pause after a fault in maintenance.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// The running thread; it ends when this is dropped.
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("larder-maintain".into())
            .spawn(move || run(&shared, &stopped))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, stop: &AtomicBool) {
    defer_events();
    while !stop.load(Ordering::Acquire) {
        let began_ns = (shared.monotonic_ns)();
        let fault = catch_unwind(AssertUnwindSafe(|| maintain(shared))).is_err();
        let ended_ns = (shared.monotonic_ns)();
        shared.maintenance.add_round(began_ns, ended_ns);
        let took_ns = ended_ns.saturating_sub(began_ns);
        if took_ns >= shared.tuning.latency_ns() {
            shared
                .latency
                .add(Event::Maintenance, shared.now(), took_ns);
        }
        shared
            .sampler
            .look(ended_ns, || shared.totals(), &shared.engine);
        if fault {
            error!("maintenance of the store panicked: trying again");
        }
        thread::park_timeout(if fault { FAULT_PAUSE } else { PAUSE });
    }
}

fn maintain(shared: &Shared) {
    let mut work = vec![TELLING_WORK_MAX; shared.onlookers.len()];
    for _ in 0..STEPS_MAX {
        let has_more = shared.engine.maintain(shared.now());
        for (onlookers, work) in shared.onlookers.iter().zip(&mut work) {
            onlookers.tell_late(work);
        }
        // After each step: with policies that take their time a step may be long.
        govern(shared);
        if !has_more {
            break;
        }
    }
}

fn govern(shared: &Shared) {
    let Some(mut resident_bytes) = resident_of_cache(shared) else {
        return;
    };
    // A buffer that moves right now is resident at both places for a moment, and what it leaves behind
    // until that is released.
    for look in 0..LOOKS {
        if resident_bytes <= shared.engine.resident_bytes_target() {
            break;
        }
        if look > 0 {
            thread::park_timeout(LOOK_PAUSE);
        }
        (shared.release_memory)();
        let looked = resident_of_cache(shared).unwrap_or(resident_bytes);
        resident_bytes = resident_bytes.min(looked);
    }
    shared.engine.govern(resident_bytes);
}

/// Resident memory without what the clients' buffers, Lua states and the levels below the memory hold, which have bounds of their own: a
/// client that sends or takes much must not cost others their entries. Nor must a program that was built
/// without optimisations, and is large.
fn resident_of_cache(shared: &Shared) -> Option<u64> {
    // A buffer that moves is charged twice and then once: what was resident between the two looks at
    // the charge belongs to the larger.
    let before = shared.buffers.used_bytes();
    let Resident { bytes, file_bytes } = (shared.resident)()?;
    let after = shared.buffers.used_bytes();
    let program_bytes = file_bytes.saturating_sub(PROGRAM_BYTES_MAX);
    let beside = before.max(after) + shared.lua_bytes() + shared.levels_bytes() + program_bytes;
    Some(bytes.saturating_sub(beside))
}
