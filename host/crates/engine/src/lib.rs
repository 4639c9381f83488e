//! The in-memory level of Larder.
//!
//! Pure: no socket, file, thread, clock or randomness of its own. Time comes in with each call, the
//! seed with the configuration, memory measurements through [`Engine::govern`]; policies come in
//! through the ports [`evictor`], [`decision`] and [`policies`]; what changes is told through [`changes`],
//! what is asked for through [`foresight`];
//! what lies [`below`] the memory are [`tier`]s, one of which may have the [`authority`] over some keys, and
//! [`loader`]s. By their [`tags`] many entries go at once.
//!
//! A [`Tenant`] is a store of its own: shards, byte budget, evictors and statistics. A read that
//! hits takes one lock, copies out, and notes the access in a buffer.

pub mod authority;
pub mod below;
pub mod changes;
pub mod decision;
mod edit;
mod engine;
mod entry;
mod error;
pub mod evictor;
pub mod foresight;
pub mod glob;
pub mod loader;
mod places;
pub mod policies;
pub mod recording;
pub mod reuse;
mod shard;
mod size_class;
mod stats;
pub mod tags;
mod tenant;
pub mod tier;
mod vault;

pub use decision::{Decider, Deciders, Undecided, Verdict};
pub use edit::{Access, Edit, Expiry};
pub use engine::{Engine, EngineConfig, MEMORY_BYTES_MIN, RESIDENT_ALLOWANCE_BYTES, TenantConfig};
pub use entry::{
    DATABASES, Entry, KEY_BYTES_MAX, Key, LABEL_NOTE_BYTES_MAX, Label, MILLIS_MAX, Millis, Times,
};
pub use error::{ConfigError, Error, FetchError};
pub use evictor::{Evictor, EvictorFactory, Unfit, WrongAnswer, native, native_seeded, ported};
pub use policies::{
    CALL_NS_BOUNDS, Policies, PolicyFigures, PolicyRow, PolicyRuntime, PolicyState,
};
pub use reuse::{Reuse, ReuseFactory, foreseeing};
pub use shard::{Ended, LEASES_MAX, Lease, WAITERS_MAX};
pub use size_class::SizeClasses;
pub use stats::{AheadFigures, Invalidation, TenantStats};
pub use tenant::{
    FlushCursor, HotCursor, HotKey, Hottest, Locked, Prewarmed, Several, Standing, Store,
    TENANT_BYTES_MIN, Tenant, Ticket, Waits, Watch,
};
pub use vault::Vault;
