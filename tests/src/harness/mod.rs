//! Starts real servers, as built from this workspace, and talks to them as strangers do: over
//! sockets, with signals, through exit codes.
//!
//! What a test cannot do without panics here, with what the server said on standard error. No
//! server outlives the value that stands for it, and nothing waits for longer than [`PATIENCE`]
//! unless it says so.

mod client;
mod http;
mod origin;
mod patience;
mod policies;
mod port;
mod process;
mod program;
mod proxy;
mod random;
mod redis;
mod redis_cluster;
mod server;
mod tool;

pub use client::Client;
pub use http::{Response, get, get_with};
pub use origin::Origin;
pub use patience::{PATIENCE, eventually, within};
pub use policies::{Row, drop_policy, explain, policies_of, policy};
pub use port::free_address;
pub use process::{Finished, Process, raise_descriptor_limit, run};
pub use program::{larder, target};
pub use proxy::{Passage, Proxy};
pub use random::{Random, seeds};
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use rustix::process::Signal;
pub use server::Server;
pub use tool::{announce, tool};
