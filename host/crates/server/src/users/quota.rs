//! What a tenant may take of the server: requests a second, and connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::stats::bump;

/// A tenant that was idle may take so much at once as it may in this time.
const BURST: Duration = Duration::from_millis(100);

/// Bounds of one tenant; without any it may take what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// Requests a second; who is faster is delayed.
    pub ops_per_second_max: Option<u64>,
    /// Connections at once; more are refused.
    pub connections_max: Option<u64>,
}

/// One tenant's bounds, and what is taken of them.
pub(crate) struct Quota {
    limits: TenantLimits,
    started: Instant,
    /// When, in nanoseconds from the start, all that was taken is paid for.
    paid_at_ns: AtomicU64,
    connections: AtomicU64,
    throttled: AtomicU64,
    throttled_ns: AtomicU64,
}

impl Quota {
    pub(crate) fn new(limits: TenantLimits) -> Self {
        Self {
            limits,
            started: Instant::now(),
            paid_at_ns: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            throttled_ns: AtomicU64::new(0),
        }
    }

    /// Pays for requests that were carried out: how long whoever sent them has to wait until the next.
    pub(crate) fn pay(&self, requests: u64) -> Option<Duration> {
        let rate = self.limits.ops_per_second_max?;
        let now = nanoseconds(self.started.elapsed());
        let cost = requests.saturating_mul(1_000_000_000) / rate.max(1);
        let earliest = now.saturating_sub(nanoseconds(BURST));
        let next = |paid_at: u64| Some(paid_at.max(earliest).saturating_add(cost));
        let paid_at = self
            .paid_at_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .map_or(now, |before| before.max(earliest).saturating_add(cost));
        let wait = Duration::from_nanos(paid_at.saturating_sub(now));
        if wait.is_zero() {
            return None;
        }
        bump(&self.throttled);
        self.throttled_ns
            .fetch_add(nanoseconds(wait), Ordering::Relaxed);
        Some(wait)
    }

    /// How long to wait until what was taken is paid for; `None` where nothing is to be waited for.
    #[inline]
    pub(crate) fn debt(&self) -> Option<Duration> {
        self.limits.ops_per_second_max?;
        let now = nanoseconds(self.started.elapsed());
        let debt = self.paid_at_ns.load(Ordering::Relaxed).saturating_sub(now);
        Some(Duration::from_nanos(debt)).filter(|debt| !debt.is_zero())
    }

    /// Requests that may be carried out before they are paid for.
    #[inline]
    pub(crate) fn run_max(&self) -> u64 {
        let rate = self.limits.ops_per_second_max;
        rate.map_or(u64::MAX, |rate| {
            (rate * BURST.as_millis() as u64 / 1000).max(1)
        })
    }

    /// Pays for requests before they are carried out: how long to wait until then.
    ///
    /// # Errors
    /// When that is longer than `wait_max`: for how long. Nothing is paid then.
    pub(crate) fn enter(
        &self,
        requests: u64,
        wait_max: Duration,
    ) -> Result<Option<Duration>, Duration> {
        let debt = self.debt();
        if let Some(debt) = debt.filter(|debt| *debt > wait_max) {
            bump(&self.throttled);
            return Err(debt);
        }
        self.pay(requests);
        Ok(debt)
    }

    /// How often connections were delayed, and for how long together.
    pub(crate) fn throttled(&self) -> (u64, Duration) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = Duration::from_nanos(load(&self.throttled_ns));
        (load(&self.throttled), time)
    }

    /// Connections open.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Takes the place of one connection; `None` when there is none left.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(self.clone());
        let fits = self.limits.connections_max.is_none_or(|most| taken < most);
        fits.then_some(seat)
    }
}

/// The place of one connection, given back when this is dropped.
pub(crate) struct Seat(Arc<Quota>);

impl Seat {
    pub(crate) fn quota(&self) -> &Quota {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limits: TenantLimits) -> Arc<Quota> {
        Arc::new(Quota::new(limits))
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_faster_than_allowed_waits_for_exactly_as_long_as_it_takes() {
        let quota = quota(TenantLimits {
            ops_per_second_max: Some(1_000),
            connections_max: None,
        });
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(quota.pay(100), None, "a burst of what a pause has saved up");
        assert_eq!(quota.pay(1), Some(Duration::from_millis(1)));
        assert_eq!(quota.pay(500), Some(Duration::from_millis(501)));
        tokio::time::advance(Duration::from_millis(501)).await;
        assert_eq!(quota.pay(1), Some(Duration::from_millis(1)));
        assert_eq!(quota.throttled(), (3, Duration::from_millis(503)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_used_up_too_much_is_refused_and_pays_nothing() {
        let quota = quota(TenantLimits {
            ops_per_second_max: Some(10),
            connections_max: None,
        });
        let second = Duration::from_secs(1);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(quota.enter(6, second), Ok(None));
        let half = Duration::from_millis(500);
        assert_eq!(quota.enter(10, second), Ok(Some(half)));
        assert_eq!(quota.enter(1, second), Err(half + second));
        tokio::time::advance(half).await;
        assert_eq!(quota.enter(1, second), Ok(Some(second)));
    }

    #[test]
    fn without_bounds_nothing_waits_and_everybody_has_a_place() {
        let quota = quota(TenantLimits::default());
        assert_eq!(quota.pay(u64::MAX), None);
        assert!(quota.seat().is_some());
    }

    #[test]
    fn places_are_given_back() {
        let quota = quota(TenantLimits {
            ops_per_second_max: None,
            connections_max: Some(2),
        });
        let (first, second) = (quota.seat(), quota.seat());
        assert!(first.is_some() && second.is_some() && quota.seat().is_none());
        drop(first);
        assert!(quota.seat().is_some());
        assert_eq!(quota.connections(), 1);
    }
}
