//! From the configuration to what engine and server are made with.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use larder_engine::{EngineConfig, EvictorFactory, Millis, SizeClasses, TenantConfig, native};
use larder_policy_lru::Lru;
use larder_policy_s3_fifo::S3Fifo;
use larder_server::ServerConfig;

use crate::config::{ByteSize, Config, Eviction, Loaded, Tenant};

/// What to build the engine with, in a process whose allocator has these size classes.
pub fn engine_config(
    config: &Config,
    size_classes: SizeClasses,
    seed: u64,
    start_ms: Millis,
) -> EngineConfig {
    let tenant = |tenant: &Tenant| TenantConfig {
        name: tenant.name.clone(),
        memory_bytes: tenant.memory.bytes(),
        evictor: evictor(tenant.eviction),
    };
    EngineConfig {
        memory_bytes: config.store.memory.bytes(),
        threads: threads(config),
        seed,
        size_classes,
        start_ms,
        tenants: config.store.tenants.iter().map(tenant).collect(),
    }
}

/// What to start the server with.
pub fn server_config(
    Loaded {
        config, settings, ..
    }: &Loaded,
) -> ServerConfig {
    let limits = &config.limits;
    let settings = settings
        .iter()
        .map(|setting| (setting.key.to_owned(), setting.text.clone()));
    ServerConfig {
        listen: config.endpoints.listen,
        unix_socket: config.endpoints.unix_socket.clone(),
        http: config.endpoints.http,
        threads: threads(config),
        clients_max: limits.clients_max,
        idle_timeout: limits.idle_timeout,
        request_timeout: limits.request_timeout,
        proto_bulk_bytes_max: usize_of(limits.proto_max_bulk),
        request_bytes_max: usize_of(limits.request_max),
        output_bytes_max: usize_of(limits.output_max),
        client_buffers_bytes_max: usize_of(limits.client_buffers_max),
        drain_timeout: limits.drain_timeout,
        print_config: settings.collect(),
    }
}

fn threads(config: &Config) -> usize {
    let available = || thread::available_parallelism().map_or(1, NonZero::get);
    config.store.threads.unwrap_or_else(available)
}

fn evictor(eviction: Eviction) -> Arc<dyn EvictorFactory> {
    match eviction {
        Eviction::S3Fifo => native(eviction.name(), S3Fifo::default),
        Eviction::Lru => native(eviction.name(), Lru::default),
    }
}

fn usize_of(size: ByteSize) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}
