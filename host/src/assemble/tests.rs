use super::*;
use crate::config::{self, Sources, Writes};
use larder_tiers::{BreakerConfig, GuardConfig, Overflow, WritePolicy};

fn loaded(flags: &[(&str, &str)]) -> Loaded {
    let flags = flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    config::load(Sources {
        flags: flags.collect(),
        ..Sources::default()
    })
    .unwrap()
}

#[test]
fn every_limit_reaches_the_server() {
    let config = server_config(&loaded(&[
        ("listen", "127.0.0.1:1"),
        ("http", "none"),
        ("tls.listen", "127.0.0.1:2"),
        ("tls.cert", "cert.pem"),
        ("tls.key", "key.pem"),
        ("unix_socket", "socket"),
        ("threads", "3"),
        ("limits.clients_max", "4"),
        ("limits.idle_timeout", "5s"),
        ("limits.request_timeout", "6s"),
        ("limits.proto_max_bulk", "7KiB"),
        ("limits.request_max", "8KiB"),
        ("limits.output_max", "9KiB"),
        ("limits.client_buffers_max", "10MiB"),
        ("limits.drain_timeout", "11s"),
        ("lua.memory_max", "14MiB"),
        ("lua.time_max", "13s"),
        ("seed", "12"),
        ("notify_keyspace_events", "KEA"),
    ]));
    assert_eq!(config.listen.map(|addr| addr.port()), Some(1));
    assert_eq!(config.http, None);
    let tls = config.tls.as_ref().unwrap();
    assert_eq!(tls.listen.unwrap().port(), 2);
    assert_eq!(
        (&*tls.cert, &*tls.key),
        (Path::new("cert.pem"), Path::new("key.pem"))
    );
    assert_eq!(
        config.unix_socket.as_deref().and_then(|path| path.to_str()),
        Some("socket")
    );
    assert_eq!((config.threads, config.clients_max), (3, 4));
    assert_eq!(config.idle_timeout, Some(Duration::from_secs(5)));
    assert_eq!(config.request_timeout, Duration::from_secs(6));
    assert_eq!(
        (config.proto_bulk_bytes_max, config.request_bytes_max),
        (7 << 10, 8 << 10)
    );
    assert_eq!(config.output_bytes_max, 9 << 10);
    assert_eq!(config.client_buffers_bytes_max, 10 << 20);
    assert_eq!(config.drain_timeout, Duration::from_secs(11));
    assert_eq!(config.lua_memory_bytes_max, 14 << 20);
    assert_eq!(config.lua_time_max, Duration::from_secs(13));
    assert_eq!(config.keyspace_events.to_string(), "AKE");
    let printed = ("limits.proto_max_bulk".to_owned(), "7KiB".to_owned());
    assert!(config.print_config.contains(&printed));
    assert!(config.print_config.iter().all(|(name, _)| name != "seed"));
}

#[test]
fn writes_go_down_as_the_tenant_says_or_the_first_pattern_that_fits() {
    let config = loaded(&[("l2_write", "behind")]).config;
    let (below, mut tenant) = (config.store.below.unwrap(), config.store.tenants[0].clone());
    assert_eq!(writes(Some(&below), &tenant).write, WritePolicy::Behind);
    tenant.writes = Writes {
        policy: Some(WritePolicy::Around),
        keys: vec![
            ("a*".to_owned(), WritePolicy::Through),
            ("ab*".to_owned(), WritePolicy::Behind),
        ],
    };
    let rules = writes(Some(&below), &tenant);
    assert_eq!(rules.write, WritePolicy::Around);
    let of = |key| rules.patterns.iter().find(|(fits, _)| fits(key));
    assert!(matches!(of(b"abc"), Some((_, WritePolicy::Through))));
    assert!(of(b"b").is_none());
}

#[test]
fn a_level_is_asked_as_the_settings_say_and_usually_as_any_level_is() {
    let below = |flags: &[(&str, &str)]| loaded(flags).config.store.below.unwrap();
    let usual = below(&[("l3", "redis://h")]);
    assert_eq!(usual.disk.unwrap().guarded, LevelConfig::default());
    assert_eq!(usual.redis[0].guarded, LevelConfig::default());
    let set = below(&[
        ("l3", "redis://h"),
        ("l3_required", "true"),
        ("l3_timeout", "1s"),
        ("l3_max_retry_attempts", "2"),
        ("l3_failure_threshold", "3"),
        ("l3_recovery_timeout", "4s"),
        ("l3_success_threshold", "5"),
        ("l3_queue", "6MiB"),
        ("l3_overflow", "fail"),
    ]);
    let expected = LevelConfig {
        guard: GuardConfig {
            deadline: Duration::from_secs(1),
            retries: 2,
            breaker: BreakerConfig {
                failure_threshold: 3,
                recovery_timeout: Duration::from_secs(4),
                success_threshold: 5,
            },
        },
        queue_bytes_max: 6 << 20,
        overflow: Overflow::Fail,
        is_required: true,
    };
    assert_eq!(set.disk, usual.disk);
    assert_eq!(set.redis[0].guarded, expected);
}

#[test]
fn the_engine_gets_the_tenants_with_the_policy_that_they_name() {
    let loaded = loaded(&[("memory", "8MiB"), ("eviction", "lru"), ("threads", "3")]);
    let engine = engine_config(&loaded.config, SizeClasses::Sixteen, 9, 1, None, None);
    assert_eq!(
        (engine.memory_bytes, engine.threads, engine.seed),
        (8 << 20, 3, 9)
    );
    let tenants: Vec<_> = engine
        .tenants
        .iter()
        .map(|tenant| (&*tenant.name, tenant.memory_bytes, tenant.evictor.name()))
        .collect();
    assert_eq!(tenants, [("default", 8 << 20, "lru")]);
}
