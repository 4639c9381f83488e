//! How much of a replay's time is its policy's own.

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
    time: Duration,
    calls: u32,
}

impl<D: Driver> Sampled<D> {
    pub(super) fn new(driver: D) -> Self {
        Self {
            driver,
            is_on: false,
            time: Duration::ZERO,
            calls: 0,
        }
    }

    /// What the timed calls took so far, without looking at the clock.
    pub(super) fn time(&self) -> Duration {
        self.time.saturating_sub(look_time() * self.calls)
    }

    #[inline]
    fn call<R>(&mut self, call: impl FnOnce(&mut D) -> R) -> R {
        if !self.is_on {
            return call(&mut self.driver);
        }
        let began = Instant::now();
        let result = call(&mut self.driver);
        self.time += began.elapsed();
        self.calls += 1;
        result
    }
}

fn look_time() -> Duration {
    let looks = (0..LOOKS).map(|_| Instant::now().elapsed());
    looks.min().unwrap_or_default()
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
