use super::*;

#[test]
fn every_setting_says_what_was_found_and_what_is_allowed() {
    let file = r#"
        listen = "localhost:6379"
        http = 8379
        unix_socket = ""
        data = ["a"]
        policies = { folder = "p" }
        memory = "12XB"
        threads = 0
        l2 = "redis"
        eviction = "random"
        seed = -1
        insecure = "yes"
        [limits]
        clients_max = 1.5
        idle_timeout = 10
        request_timeout = "0ms"
        proto_max_bulk = "1GiB"
        request_max = "1"
        output_max = false
        client_buffers_max = 1979-05-27
        drain_timeout = "soon"
        [tls]
        listen = 6380
        http = "yes"
        cert = ""
        client_auth = "all"
        [log]
        level = "loud"
        format = "xml"
    "#;
    refused(
        &layers(file, &[], &[]),
        r#"l.toml:2: listen: found "localhost:6379"; allowed: an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379, or "none"
        l.toml:3: http: found 8379; allowed: an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379, or "none"
        l.toml:4: unix_socket: found ""; allowed: a path that is not empty, or "none"
        l.toml:5: data: found an array; allowed: a path that is not empty
        l.toml:6: policies: found a table; allowed: a path that is not empty
        l.toml:7: memory: found "12XB"; allowed: a size from 4MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
        l.toml:8: threads: found 0; allowed: a whole number from 1 to 256, or "auto"
        l.toml:9: l2: found "redis"; allowed: "none", "disk" or an address such as redis://127.0.0.1:6379, rediss://HOST:PORT or redis-cluster://HOST:PORT,HOST:PORT
        l.toml:10: eviction: found "random"; allowed: "arc", "business-priority", "clock", "clock2q-plus", "fifo", "gdsf", "lfu", "lhd", "lirs", "lru", "predicted-reuse", "s3-fifo", "sieve", "slru", "two-q" or "w-tinylfu"
        l.toml:11: seed: found -1; allowed: a whole number from 0 to 18446744073709551615, or "random"
        l.toml:12: insecure: found "yes"; allowed: true or false
        l.toml:14: limits.clients_max: found 1.5; allowed: a whole number from 1 to 1000000
        l.toml:15: limits.idle_timeout: found 10; allowed: a duration from 1ms to 365d, such as 500ms, 10s or 5m, or "none"
        l.toml:16: limits.request_timeout: found "0ms"; allowed: a duration from 1ms to 1d, such as 500ms, 10s or 5m
        l.toml:17: limits.proto_max_bulk: found "1GiB"; allowed: a size from 1KiB to 512MiB, such as 256MiB, 300MB or a number of bytes
        l.toml:18: limits.request_max: found "1"; allowed: a size from 1KiB to 2GiB, such as 256MiB, 300MB or a number of bytes
        l.toml:19: limits.output_max: found false; allowed: a size from 1KiB to 16TiB, such as 256MiB, 300MB or a number of bytes
        l.toml:20: limits.client_buffers_max: found 1979-05-27; allowed: a size from 1MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
        l.toml:21: limits.drain_timeout: found "soon"; allowed: a duration from 0ms to 1d, such as 500ms, 10s or 5m
        l.toml:23: tls.listen: found 6380; allowed: an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379, or "none"
        l.toml:24: tls.http: found "yes"; allowed: true or false
        l.toml:25: tls.cert: found ""; allowed: a path that is not empty, or "none"
        l.toml:26: tls.client_auth: found "all"; allowed: "none", "optional" or "required"
        l.toml:28: log.level: found "loud"; allowed: "off", "error", "warn", "info", "debug" or "trace"
        l.toml:29: log.format: found "xml"; allowed: "text" or "json""#,
    );
}

#[test]
fn all_sources_are_checked_even_where_a_stronger_one_rules() {
    refused(
        &layers(
            "memory = 1\nthreads = 'few'",
            &[("LARDER_MEMORY", "2"), ("LARDER_LOG", "larder=loud")],
            &[("memory", "8MiB"), ("limits.clients_max", "0")],
        ),
        r#"l.toml:1: memory: found 1; allowed: a size from 4MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
        l.toml:2: threads: found "few"; allowed: a whole number from 1 to 256, or "auto"
        LARDER_MEMORY: memory: found "2"; allowed: a size from 4MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
        LARDER_LOG: found "larder=loud"; allowed: a level such as info, or levels by module such as larder_server=debug,warn
        --limits-clients-max: limits.clients_max: found "0"; allowed: a whole number from 1 to 1000000"#,
    );
}

#[test]
fn unknown_keys_and_tables_are_refused() {
    refused(
        &layers(
            "memroy = 1
            'a.b' = 2
            limits = 3
            [log]
            colour = true
            level.x = 4
            [cache]
            size = 5
            [listen]
            port = 6
            [tenant]
            name = 'a'",
            &[],
            &[],
        ),
        "l.toml:1: memroy: unknown key; allowed: listen, http, unix_socket, insecure, data, policies, memory, threads, l2, l2_size, l2_write, l2_demote, l2_sync, l2_timeout, l2_required, l2_max_retry_attempts, l2_failure_threshold, l2_recovery_timeout, l2_success_threshold, l2_queue, l2_overflow, l2_password_file, l2_tls_ca, l2_pool, l2_prefix, l2_ttl_max, l2_consistency, l2_hash_tags, l2_share, l2_heartbeat_timeout, l2_max_stale, l2_authority, l3, l3_timeout, l3_required, l3_max_retry_attempts, l3_failure_threshold, l3_recovery_timeout, l3_success_threshold, l3_queue, l3_overflow, l3_password_file, l3_tls_ca, l3_pool, l3_prefix, l3_ttl_max, l3_consistency, l3_hash_tags, l3_share, l3_heartbeat_timeout, l3_max_stale, l3_authority, eviction, volatile_only, seed, notify_keyspace_events, warm_deadline, [compression], [encryption], [limits], [log], [lua], [predict], [tls], [[tenant]], [[user]], [[loader]], [[hook]]
        l.toml:2: a.b: unknown key; allowed: listen, http, unix_socket, insecure, data, policies, memory, threads, l2, l2_size, l2_write, l2_demote, l2_sync, l2_timeout, l2_required, l2_max_retry_attempts, l2_failure_threshold, l2_recovery_timeout, l2_success_threshold, l2_queue, l2_overflow, l2_password_file, l2_tls_ca, l2_pool, l2_prefix, l2_ttl_max, l2_consistency, l2_hash_tags, l2_share, l2_heartbeat_timeout, l2_max_stale, l2_authority, l3, l3_timeout, l3_required, l3_max_retry_attempts, l3_failure_threshold, l3_recovery_timeout, l3_success_threshold, l3_queue, l3_overflow, l3_password_file, l3_tls_ca, l3_pool, l3_prefix, l3_ttl_max, l3_consistency, l3_hash_tags, l3_share, l3_heartbeat_timeout, l3_max_stale, l3_authority, eviction, volatile_only, seed, notify_keyspace_events, warm_deadline, [compression], [encryption], [limits], [log], [lua], [predict], [tls], [[tenant]], [[user]], [[loader]], [[hook]]
        l.toml:3: limits: unknown key; allowed: listen, http, unix_socket, insecure, data, policies, memory, threads, l2, l2_size, l2_write, l2_demote, l2_sync, l2_timeout, l2_required, l2_max_retry_attempts, l2_failure_threshold, l2_recovery_timeout, l2_success_threshold, l2_queue, l2_overflow, l2_password_file, l2_tls_ca, l2_pool, l2_prefix, l2_ttl_max, l2_consistency, l2_hash_tags, l2_share, l2_heartbeat_timeout, l2_max_stale, l2_authority, l3, l3_timeout, l3_required, l3_max_retry_attempts, l3_failure_threshold, l3_recovery_timeout, l3_success_threshold, l3_queue, l3_overflow, l3_password_file, l3_tls_ca, l3_pool, l3_prefix, l3_ttl_max, l3_consistency, l3_hash_tags, l3_share, l3_heartbeat_timeout, l3_max_stale, l3_authority, eviction, volatile_only, seed, notify_keyspace_events, warm_deadline, [compression], [encryption], [limits], [log], [lua], [predict], [tls], [[tenant]], [[user]], [[loader]], [[hook]]
        l.toml:5: log.colour: unknown key; allowed in [log]: level, format
        l.toml:6: log.level: found a table; allowed: \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"
        l.toml:7: [cache]: unknown table; allowed: [compression], [encryption], [limits], [log], [lua], [predict], [tls], [[tenant]], [[user]], [[loader]], [[hook]]
        l.toml:9: listen: found a table; allowed: an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379, or \"none\"
        l.toml:11: [tenant]: found one table; allowed: [[tenant]], once a tenant",
    );
}

#[test]
fn what_is_not_toml_is_one_problem_a_line_and_hides_no_other() {
    refused(
        &layers("memory = 12XB\nlisten = 5\nthreads = 1\nthreads = 2\n[limits\nclients_max = 0", &[], &[]),
        "l.toml:1: not TOML: string values must be quoted, expected literal string: \"12XB\"
        l.toml:2: listen: found 5; allowed: an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379, or \"none\"
        l.toml:4: not TOML: duplicate key: \"threads\"
        l.toml:5: not TOML: unclosed table, expected `]`",
    );
}

#[test]
fn addresses_that_others_reach_need_to_be_asked_for() {
    let why = "allowed: a loopback address such as 127.0.0.1, because there are no users and \
               whoever can connect can read and change everything; --insecure allows any";
    refused(
        &layers("http = '[::]:80'", &[], &[("listen", "0.0.0.0:6379")]),
        &format!(
            "l.toml:1: http: found \"[::]:80\"; {why}\n--listen: listen: found \"0.0.0.0:6379\"; {why}"
        ),
    );
    for fine in [
        "listen = '127.8.9.1:1'",
        "listen = '[::1]:1'",
        "listen = '[::ffff:127.0.0.1]:1'",
    ] {
        in_file(fine);
    }
    in_file("insecure = true\nlisten = '0.0.0.0:6379'");
}

#[test]
fn a_variable_that_is_no_text_is_a_problem() {
    use std::os::unix::ffi::OsStringExt;
    let environment = [("LARDER_DATA".into(), OsString::from_vec(vec![0xFF]))];
    let layers = Layers {
        environment: environment::own(&environment),
        ..Layers::default()
    };
    refused(
        &layers,
        "LARDER_DATA: data: found bytes that are not UTF-8; allowed: a path that is not empty",
    );
}
