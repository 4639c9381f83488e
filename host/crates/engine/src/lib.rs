//! The in-memory level of Larder.
//!
//! Pure: no socket, file, thread, clock or randomness of its own. Time comes in with each call, the
//! seed with the configuration, memory measurements through [`Engine::govern`]; what decides over
//! eviction comes in through the [`evictor`] port.
//!
//! A [`Tenant`] is a store of its own: shards, byte budget, evictors and statistics. A read that
//! hits takes one lock, copies out, and notes the access in a buffer.

mod edit;
mod engine;
mod entry;
mod error;
pub mod evictor;
mod shard;
mod size_class;
mod stats;
mod tenant;

pub use edit::{Access, Edit, Expiry};
pub use engine::{Engine, EngineConfig, MEMORY_BYTES_MIN, RESIDENT_ALLOWANCE_BYTES, TenantConfig};
pub use entry::{DATABASES, Entry, KEY_BYTES_MAX, Key, MILLIS_MAX, Millis};
pub use error::{ConfigError, Error};
pub use evictor::{Evictor, EvictorFactory, native};
pub use size_class::SizeClasses;
pub use stats::TenantStats;
pub use tenant::{FlushCursor, Locked, TENANT_BYTES_MIN, Tenant, Watch};
