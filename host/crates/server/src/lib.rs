//! The sockets of Larder: the Redis protocol over TCP and Unix sockets, and HTTP for health and metrics.
//!
//! Each worker is one thread with a runtime of its own; a connection stays with the worker that accepted
//! it, and a request is executed where it was read. [`start`] opens everything, [`Running::drain`] ends it.

mod baseline;
mod budget;
mod clients;
mod commands;
mod config;
mod connection;
mod dialogue;
mod end;
mod error;
mod exec;
mod feed;
mod fetch;
mod flush;
mod held;
mod hot_set;
mod http;
mod latency;
mod listen;
mod listing;
mod mailbox;
mod maintenance;
mod meter;
mod onlookers;
mod order;
pub mod process;
mod pubsub;
mod registry;
mod run;
mod sampler;
mod scripts;
mod secrets;
mod session;
mod shared;
mod slowlog;
mod stats;
mod stream;
#[cfg(test)]
mod testing;
mod thread;
mod tls;
mod transaction;
mod tuning;
mod users;
mod waiting;
mod warm;
mod worker;

pub use budget::for_known as buffers_for_known;
pub use clients::Census;
pub use commands::{SECRET_NOTE, data_type, is_secret, note_of_loaded};
pub use config::ServerConfig;
pub use error::StartError;
pub use hot_set::{is_hot_set_back, restore_hot_sets};
pub use http::HttpTotals;
pub use listen::BACKLOG;
pub use meter::{CommandFigures, Latency, Operation};
pub use onlookers::{Gone, Hook, HookSink, HookTarget, KeyspaceEvents, TrackingFigures};
pub use run::{Drained, Metrics, Running, start};
pub use scripts::ScriptFigures;
pub use session::{Context, Flow, Order, Session};
pub use shared::{Health, LogControl, Parts, Resident, Shared};
pub use stats::{MaintenanceFigures, Totals, UserTotals};
pub use tls::{
    ClientAuth, NEEDS_TLS, TLS_CONNECTION_BYTES, TlsConfig, TlsError, TlsTotals, Validity,
    check_tls,
};
pub use users::{
    Login, SignIn, TenantLimits, User, UserConfig, Users, check_password_hash, check_rules,
    hash_password,
};
pub use warm::{Warmed, Warmth};
