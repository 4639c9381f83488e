//! What compressing and unpacking need and is costly to make, lent out and taken back.

use parking_lot::Mutex;
use zstd::zstd_safe::{CCtx, DCtx};

/// Idle ones that are kept of each kind.
const IDLE_MAX: usize = 4;
/// Contexts that grew beyond this are not kept.
const CONTEXT_BYTES_MAX: usize = 1 << 20;

/// What can be pooled.
pub(super) trait Context: Sized {
    /// A new one, unless there is no memory.
    fn make() -> Option<Self>;
    fn bytes(&self) -> usize;
}

impl Context for CCtx<'static> {
    fn make() -> Option<Self> {
        Self::try_create()
    }

    fn bytes(&self) -> usize {
        self.sizeof()
    }
}

impl Context for DCtx<'static> {
    fn make() -> Option<Self> {
        Self::try_create()
    }

    fn bytes(&self) -> usize {
        self.sizeof()
    }
}

pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::with_capacity(IDLE_MAX)))
    }
}

impl<T: Context> Pool<T> {
    /// Lends one to `work`; without memory for one nothing is done.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> Option<R>) -> Option<R> {
        let idle = self.0.lock().pop();
        let mut context = idle.or_else(T::make)?;
        let done = work(&mut context);
        if context.bytes() <= CONTEXT_BYTES_MAX {
            let mut idle = self.0.lock();
            if idle.len() < IDLE_MAX {
                idle.push(context);
            }
        }
        done
    }
}
