//! How much of a replay's time is its policy's own.

use std::mem;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use larder_engine::Unfit;
use larder_sdk::{Event, Request as RoomRequest, Slot};

use super::driver::Driver;

/// Looks at the clock that tell what a look costs.
const LOOKS: u32 = 64;

/// A driver whose calls are timed while that is switched on.
#[derive(Debug)]
pub(super) struct Sampled<D> {
    driver: D,
    pub(super) is_on: bool,
    calls: Calls,
}

/// Calls, and the time they took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    time: Duration,
    count: u32,
}

impl Calls {
    /// What they took, without looking at the clock.
    pub(super) fn time(self) -> Duration {
        let looks = (0..LOOKS).map(|_| Instant::now().elapsed());
        let look = looks.min().unwrap_or_default();
        self.time.saturating_sub(look * self.count)
    }
}

impl AddAssign for Calls {
    fn add_assign(&mut self, more: Self) {
        self.time += more.time;
        self.count += more.count;
    }
}

impl<D: Driver> Sampled<D> {
    pub(super) fn new(driver: D) -> Self {
        Self {
            driver,
            is_on: false,
            calls: Calls::default(),
        }
    }

    /// The calls that were timed since the last time.
    pub(super) fn take_calls(&mut self) -> Calls {
        mem::take(&mut self.calls)
    }

    #[inline]
    fn call<R>(&mut self, call: impl FnOnce(&mut D) -> R) -> R {
        if !self.is_on {
            return call(&mut self.driver);
        }
        let began = Instant::now();
        let result = call(&mut self.driver);
        self.calls += Calls {
            time: began.elapsed(),
            count: 1,
        };
        result
    }
}

impl<D: Driver> Driver for Sampled<D> {
    #[inline]
    fn hit(&mut self, slot: Slot, hash: u32) -> Result<(), Unfit> {
        self.call(|driver| driver.hit(slot, hash))
    }

    #[inline]
    fn tell(&mut self, event: Event) -> Result<(), Unfit> {
        self.call(|driver| driver.tell(event))
    }

    #[inline]
    fn victims(&mut self, request: &RoomRequest, out: &mut Vec<Slot>) -> Result<(), Unfit> {
        self.call(|driver| driver.victims(request, out))
    }

    fn wants_misses(&self) -> bool {
        self.driver.wants_misses()
    }

    fn bytes(&self) -> u64 {
        self.driver.bytes()
    }
}
