//! The thread that makes time pass for guests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often running guests are looked after.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Counts ticks, and lets the engine know of each.
pub(crate) struct Beat {
    engine: Engine,
    ticks: AtomicU64,
}

impl Beat {
    /// Starts the thread; it ends a tick after the last reference went.
    pub(crate) fn start(engine: Engine) -> io::Result<Arc<Self>> {
        let beat = Arc::new(Self {
            engine,
            ticks: AtomicU64::new(0),
        });
        let watched = Arc::downgrade(&beat);
        thread::Builder::new()
            .name("larder-ticks".to_owned())
            .spawn(move || {
                loop {
                    thread::sleep(TICK);
                    match watched.upgrade() {
                        Some(beat) => beat.tick(),
                        None => return,
                    }
                }
            })?;
        Ok(beat)
    }

    fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.engine.increment_epoch();
    }

    /// Ticks so far; where the machine is busy, they may be longer than [`TICK`].
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}
