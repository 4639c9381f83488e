//! Every setting, declared once: key, default, what is allowed, what it is for. The options of the
//! command line, the variables of the environment and the keys of the file all follow from here.

use std::net::SocketAddr;
use std::time::Duration;

use larder_engine::MEMORY_BYTES_MIN;
use larder_observe::LogFormat;
use larder_server::ClientAuth;

use super::environment;
use super::kinds::{
    Address, Choice, EventLetters, EvictionName, Or, Place, Size, Switch, Time, Whole, quoted,
};
use super::reader::Reader;
use super::tenants;
use super::{
    ByteSize, Config, DEFAULT_EVICTION, Endpoints, Folders, Limits, Log, Lua, Store, Tls, User,
};
use super::{codec, hooks, levels, loaders, predict, tls, users};

const LEVEL: Choice<&str> = Choice {
    words: &[
        ("off", "off"),
        ("error", "error"),
        ("warn", "warn"),
        ("info", "info"),
        ("debug", "debug"),
        ("trace", "trace"),
    ],
    note: "",
};

const FORMAT: Choice<LogFormat> = Choice {
    words: &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    note: "",
};

/// Far beyond any machine, and small enough that sums of sizes do not overflow.
pub(super) const SIZE_MAX: ByteSize = ByteSize::mib(16 << 20);

const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const MS: Duration = Duration::from_millis(1);

/// Reads everything. What is wrong is noted in the reader; the answer then only stands in so that
/// the rest can be checked too.
pub(super) fn read(reader: &mut Reader<'_>) -> Config {
    let endpoints = endpoints(reader);
    let folders = folders(reader);
    let store = store(reader);
    let tls = tls::read(reader);
    tls::check(reader, &endpoints, &tls);
    refuse_exposed(reader, &endpoints, &tls, &store.users);
    Config {
        endpoints,
        folders,
        store,
        tls,
        codec: codec::read(reader),
        predict: predict::read(reader),
        limits: limits(reader),
        lua: lua(reader),
        log: log(reader),
    }
}

fn endpoints(reader: &mut Reader<'_>) -> Endpoints {
    let listen = reader.read(
        "listen",
        "127.0.0.1:6379",
        Or("none", Address),
        "Where the Redis protocol is served; port 0 takes a free one",
    );
    let http = reader.read(
        "http",
        "127.0.0.1:8379",
        Or("none", Address),
        "Where HTTP is served: console, /v1, /healthz, /readyz, /metrics",
    );
    let unix_socket = reader.read(
        "unix_socket",
        "none",
        Or("none", Place),
        "Unix socket that serves the Redis protocol too",
    );
    let insecure = reader.read(
        "insecure",
        "false",
        Switch,
        "Listen also where other machines can connect, though no password is asked for",
    );
    if http == listen && listen.is_some_and(|listen| listen.port() != 0) {
        reader.refuse(
            "http",
            "another port than listen has: both cannot be served on one",
        );
    }
    Endpoints {
        listen,
        http,
        unix_socket,
        insecure,
    }
}

/// Refuses addresses that others reach where they could do everything. A certificate that every client
/// needs is as good as a password.
fn refuse_exposed(reader: &mut Reader<'_>, endpoints: &Endpoints, tls: &Tls, users: &[User]) {
    let open = users.iter().find(|user| user.passwords.is_empty());
    let why = match open {
        _ if users.is_empty() => "there are no users".to_owned(),
        Some(user) => format!("user {} needs no password", quoted(&user.name)),
        None => return,
    };
    let Endpoints { listen, http, .. } = *endpoints;
    let has_certificates = tls.client_auth == ClientAuth::Required;
    for (key, address, is_tls) in [
        ("listen", listen, false),
        ("http", http, tls.http),
        ("tls.listen", tls.listen, true),
    ] {
        let is_allowed = endpoints.insecure || (is_tls && has_certificates);
        if !is_allowed && address.is_some_and(is_exposed) {
            let allowed = format!(
                "a loopback address such as 127.0.0.1, because {why} and whoever can connect can \
                 read and change everything; --insecure allows any"
            );
            reader.refuse(key, &allowed);
        }
    }
}

fn is_exposed(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

fn folders(reader: &mut Reader<'_>) -> Folders {
    let data = reader.read(
        "data",
        "larder-data",
        Place,
        "Folder for what is kept on disk",
    );
    let policies = reader.read(
        "policies",
        &data.join("policies.d").to_string_lossy(),
        Place,
        "Folder of policies: NAME.wasm dropped into it is deployed",
    );
    Folders { data, policies }
}

fn store(reader: &mut Reader<'_>) -> Store {
    let memory = reader.read(
        "memory",
        "256MiB",
        Size(ByteSize::new(MEMORY_BYTES_MIN)..=SIZE_MAX),
        "Memory for the entries of all tenants together",
    );
    let threads = reader.read(
        "threads",
        "auto",
        Or("auto", Whole(1..=256)),
        "Worker threads; auto is one a processor",
    );
    let below = levels::read(reader);
    let eviction = reader.read(
        "eviction",
        DEFAULT_EVICTION,
        EvictionName,
        "Who chooses what is evicted",
    );
    let volatile_only = reader.read(
        "volatile_only",
        "false",
        Switch,
        "Evict only what expires anyway; when nothing such is left, writes are refused",
    );
    let seed = reader.read(
        "seed",
        "random",
        Or("random", Whole(0..=u64::MAX)),
        "Seed of the hashes; a number makes runs repeatable",
    );
    let notify_keyspace_events = reader.read(
        "notify_keyspace_events",
        "",
        EventLetters,
        "Changes of keys that are published, as in Redis: AKE for most",
    );
    let warm_deadline = reader.read(
        "warm_deadline",
        "5s",
        Or("none", Time(MS..=DAY)),
        "How long the hot set may take to come back before the server is ready; none: it is not kept",
    );
    let tenants = tenants::read(reader, memory, eviction);
    let users = users::read(reader, &tenants);
    let loaders = loaders::read(reader, &tenants);
    let hooks = hooks::read(reader, &tenants);
    Store {
        memory,
        threads: threads.map(|threads| threads as usize),
        seed,
        volatile_only,
        notify_keyspace_events,
        warm_deadline,
        below,
        tenants,
        users,
        loaders,
        hooks,
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    let clients_max = reader.read(
        "limits.clients_max",
        "10000",
        Whole(1..=1_000_000),
        "Connections at once; more are turned away",
    );
    Limits {
        clients_max: clients_max as usize,
        idle_timeout: reader.read(
            "limits.idle_timeout",
            "none",
            Or("none", Time(MS..=YEAR)),
            "How long a connection may be silent before it is closed",
        ),
        request_timeout: reader.read(
            "limits.request_timeout",
            "30s",
            Time(MS..=DAY),
            "How long a request may take to arrive once begun, and a reply to be taken",
        ),
        proto_max_bulk: reader.read(
            "limits.proto_max_bulk",
            "64MiB",
            Size(ByteSize::new(1024)..=ByteSize::mib(512)),
            "Longest argument of a request",
        ),
        request_max: reader.read(
            "limits.request_max",
            "128MiB",
            Size(ByteSize::new(1024)..=ByteSize::mib(2048)),
            "Longest request, all its arguments together",
        ),
        output_max: reader.read(
            "limits.output_max",
            "256MiB",
            Size(ByteSize::new(1024)..=SIZE_MAX),
            "Replies that may wait for one connection before it is closed",
        ),
        client_buffers_max: reader.read(
            "limits.client_buffers_max",
            "256MiB",
            Size(ByteSize::mib(1)..=SIZE_MAX),
            "Unfinished requests and waiting replies of all connections together",
        ),
        drain_timeout: reader.read(
            "limits.drain_timeout",
            "10s",
            Time(Duration::ZERO..=DAY),
            "How long a stopping server waits for what was begun",
        ),
    }
}

fn lua(reader: &mut Reader<'_>) -> Lua {
    Lua {
        memory_max: reader.read(
            "lua.memory_max",
            "8MiB",
            Size(ByteSize::mib(1)..=ByteSize::mib(1024)),
            "Memory that the scripts of a tenant may take in each worker",
        ),
        time_max: reader.read(
            "lua.time_max",
            "5s",
            Time(MS..=DAY),
            "How long a script may run before it is ended",
        ),
    }
}

fn log(reader: &mut Reader<'_>) -> Log {
    let level = reader.read("log.level", "info", LEVEL, "The least grave that is logged");
    let format = reader.read("log.format", "text", FORMAT, "For people or for programs");
    let filter = environment::log_filter(reader).unwrap_or_else(|| level.to_owned());
    Log { filter, format }
}
