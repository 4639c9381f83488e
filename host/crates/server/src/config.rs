//! Settings of the server, already checked by whoever read them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::{KeyspaceEvents, TenantLimits, TlsConfig, UserConfig};

/// Plain settings of the sockets. The limits are the only bounds there are on what a client can claim.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address of the Redis protocol without TLS; port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// Path of a Unix socket that speaks the Redis protocol too.
    pub unix_socket: Option<PathBuf>,
    /// Address of HTTP; port 0 lets the system choose.
    pub http: Option<SocketAddr>,
    /// TLS; `None`: it is spoken nowhere.
    pub tls: Option<TlsConfig>,
    /// Worker threads, at least one; each has its own listener and connections.
    pub threads: usize,
    /// Connections of the Redis protocol served at once, over all workers.
    pub clients_max: usize,
    /// How long a connection may be silent before it is closed; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a request may take to arrive once it was begun, and how long a reply may wait without
    /// the client taking any of it; the connection is closed after that.
    pub request_timeout: Duration,
    /// Longest argument of a request, in bytes.
    pub proto_bulk_bytes_max: usize,
    /// Longest request, in bytes.
    pub request_bytes_max: usize,
    /// Most reply bytes that may wait for one connection.
    pub output_bytes_max: usize,
    /// Most bytes that half-read requests and unwritten replies of all connections may hold together.
    pub client_buffers_bytes_max: usize,
    /// How long connections may go on with what they have begun once the server drains.
    pub drain_timeout: Duration,
    /// The users; none: whoever connects may do everything.
    pub users: Vec<UserConfig>,
    /// Bounds of the tenants, in the engine's order.
    pub tenant_limits: Vec<TenantLimits>,
    /// Memory that the Lua state of a worker and tenant may take, in bytes.
    pub lua_memory_bytes_max: usize,
    /// How long a script may run.
    pub lua_time_max: Duration,
    /// Whether there is a key to seal values with, so that clients may ask for it.
    pub seals: bool,
    /// Which keyspace notifications are sent.
    pub keyspace_events: KeyspaceEvents,
    /// The effective settings by name, as CONFIG GET answers them.
    pub print_config: Vec<(String, String)>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 6379))),
            unix_socket: None,
            http: None,
            tls: None,
            threads: 1,
            clients_max: 10_000,
            idle_timeout: None,
            request_timeout: Duration::from_secs(30),
            proto_bulk_bytes_max: 64 << 20,
            request_bytes_max: 128 << 20,
            output_bytes_max: 256 << 20,
            client_buffers_bytes_max: 256 << 20,
            drain_timeout: Duration::from_secs(10),
            users: Vec::new(),
            tenant_limits: Vec::new(),
            lua_memory_bytes_max: 8 << 20,
            lua_time_max: Duration::from_secs(5),
            seals: false,
            keyspace_events: KeyspaceEvents::default(),
            print_config: Vec::new(),
        }
    }
}
