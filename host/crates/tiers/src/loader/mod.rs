//! Loaders: where the values of keys come from that no tier has, and what keeps them from being asked too much.

mod counts;
pub mod http;
mod refresh;
mod source;

use std::sync::Arc;
use std::time::Duration;

use larder_engine::loader::{Fetched, Loader};

use crate::stack::KeyPattern;

pub(crate) use refresh::{DRAWN_MAX, Ordered, Reason, Refreshes, refresh_all};
pub(crate) use source::Source;

/// Which keys of a tenant are loaded, from where, and within which bounds.
#[derive(Clone)]
pub struct LoadRule {
    /// What it is called in metrics and the log: the pattern of its keys.
    pub name: Arc<str>,
    /// Whether it is for a key.
    pub fits: KeyPattern,
    /// Where values come from.
    pub loader: Arc<dyn Loader>,
    /// The bounds.
    pub limits: LoadLimits,
}

/// What loads of one loader are held to.
#[derive(Debug, Clone, Copy)]
pub struct LoadLimits {
    /// How long a value is kept where its origin does not say; `None`: until it is evicted.
    pub ttl: Option<Duration>,
    /// How long after that a value is answered as it is while it is loaded anew.
    pub stale_while_revalidate: Duration,
    /// How long after that it is answered where it cannot be loaded anew.
    pub stale_if_error: Duration,
    /// How eagerly a value that is read is loaded anew before its time is over, in percent of what XFetch has for usual; 0:
    /// not at all.
    pub early_percent: u32,
    /// How long it is remembered that there is none; zero: not at all.
    pub absent_ttl: Duration,
    /// How long a load may take, waiting for others included.
    pub timeout: Duration,
    /// Longest value.
    pub value_bytes_max: usize,
    /// Loads that go on at once. 1,024 may wait, more fail.
    pub in_flight_max: usize,
    /// Makes the note of what came, as it is kept with the entry: its form is the business of whoever reads it, but for tags
    /// ([`larder_engine::tags`]).
    pub note_of: fn(fetched: &Fetched) -> Vec<u8>,
}

#[cfg(test)]
mod tests;
