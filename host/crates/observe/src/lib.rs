//! What Larder shows of itself: the metrics page and the log.
//!
//! A leaf: it knows the names and the shapes, but neither the engine nor the server. Whoever
//! assembles the process fills a [`Snapshot`] when `/metrics` is asked for, so that counting
//! costs the request path nothing beyond the counters it keeps anyway.

pub mod logging;
pub mod metrics;
mod snapshot;

pub use logging::{AlreadyStarted, Filter, FilterError, LogFormat};
pub use metrics::{METRICS, Metric, MetricKind};
pub use snapshot::{CONTENT_TYPE, Distribution, Snapshot};
