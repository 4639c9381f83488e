//! What a request waits for of other clients: that one who makes a value brings it, or gives up.

use std::pin::Pin;
use std::time::Duration;

use larder_engine::{Ended, Millis};
use tokio::time::{Instant, sleep_until};

/// How a request waits that is presented again and again, until it is carried out.
pub(crate) struct Waiting {
    /// It waits no longer.
    until: Instant,
    next: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Waiting {
    /// For so long at most, from now on.
    pub(crate) fn begin(time: Duration) -> Self {
        Self {
            until: Instant::now() + time,
            next: None,
        }
    }

    /// Whether its time is up.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Waits for the end of a lease, which its time ends in `left_ms`.
    pub(crate) fn wait_for(&mut self, ended: Ended, left_ms: Millis) {
        let until = self
            .until
            .min(Instant::now() + Duration::from_millis(left_ms));
        self.next = Some(Box::pin(async move {
            tokio::select! {
                () = ended => {}
                () = sleep_until(until) => {}
            }
        }));
    }

    /// Ready when the request may be presented again; `None` where nothing is to be waited for.
    pub(crate) fn take(&mut self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.next.take()
    }
}

#[cfg(test)]
mod tests;
