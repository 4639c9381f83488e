//! The bodies of the fuzz targets: each takes any bytes and panics only where a promise is broken.
//!
//! Coverage-guided runs live in `tests/fuzz`; their corpora are replayed here on every test run.

mod codec;
mod disk;
mod engine;
mod policy;
mod resp;
mod vault;

pub use codec::codec;
pub use disk::disk;
pub use engine::{engine, successions};
pub use policy::policy;
pub use resp::resp;

#[cfg(test)]
mod tests;
