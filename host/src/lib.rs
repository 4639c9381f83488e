//! Larder, a cache server and library.
//!
//! The program is [`cli::run`]: it reads a [`config`], assembles a server with [`serve`], and waits
//! for a signal. To keep a cache inside another program, build a [`Cache`]; or, where that has a thread too many,
//! an [`Engine`], and work on its [`Tenant`]s: it has no sockets, threads or clock of its own, so time comes in with
//! each call and [`Engine::maintain`] is called from wherever it suits.

mod address;
pub mod assemble;
mod cache;
pub mod cli;
pub mod config;
mod doctor;
pub mod hash_password;
mod health;
pub mod hooks;
mod hot_set;
pub mod keys;
pub mod load;
mod loaders;
pub mod memory;
pub mod metrics;
mod natives;
mod notify;
mod output;
pub mod policy;
mod predict;
mod private_file;
pub mod record;
mod reuse;
pub mod serve;
mod server;
pub mod simulate;
mod tls;
pub mod traces;
pub mod upkeep;
pub mod warmup;

pub use cache::{Cache, CacheBuilder};
pub use larder_engine::loader::{Fetched, LoadError, LoadFailure, Loader};
pub use larder_engine::tier::{TierError, TierKeyBuf};
pub use larder_engine::{
    Access, ConfigError, Edit, Engine, EngineConfig, Entry, Error, Expiry, FetchError, Key, Millis,
    SizeClasses, Tenant, TenantConfig, TenantStats, native,
};
pub use larder_policy_lru::Lru;
pub use larder_policy_s3_fifo::S3Fifo;
pub use larder_simulator::trace;
