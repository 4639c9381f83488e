use super::*;

#[test]
fn levels_are_the_disk_or_redis_and_keep_their_passwords_to_themselves() {
    let text = "l2 = 'rediss://app:se%40cret@10.0.0.1:1/2'\nl2_prefix = 'shop'\nl2_timeout = '1s'\n\
        l3 = 'redis-cluster://a:1,b:2'\nl3_consistency = 'quorum'\nl3_hash_tags = 8\nl3_required = true\n\
        l3_authority = 'lock:* n:?'\nl2_share = false\nl2_heartbeat_timeout = '2s'\nl3_heartbeat_timeout = '3s'\n\
        l2_max_stale = 'none'";
    let loaded = in_file(text);
    let below = loaded.config.store.below.as_ref().unwrap();
    assert_eq!(below.disk, None);
    let [second, third] = &below.redis[..] else {
        panic!("two levels");
    };
    let password = second.address.password.as_ref().map(|text| text.as_str());
    assert_eq!(password, Some("se@cret"));
    assert_eq!(
        (&*second.prefix, second.guarded.guard.deadline),
        ("shop", Duration::from_secs(1))
    );
    assert_eq!(
        (third.consistency, third.hash_tags),
        (Consistency::Quorum, Some(8))
    );
    assert!(third.guarded.is_required && !second.guarded.is_required);
    assert_eq!(second.authority, [""; 0]);
    assert_eq!(third.authority, ["lock:*", "n:?"]);
    assert_eq!(
        (second.hearing, third.hearing),
        (None, Some(Duration::from_secs(3)))
    );
    assert_eq!(
        (second.stale_max, third.stale_max),
        (None, Some(Duration::from_secs(3600)))
    );
    let shown = format!("{}{:?}{:?}", print(&loaded), loaded.settings, loaded.config);
    assert!(shown.contains("rediss://app:***@10.0.0.1:1/2"), "{shown}");
    assert!(
        !shown.contains("cret@") && !shown.contains("se%40"),
        "{shown}"
    );
    let behind = in_file("l3 = 'redis://h'").config.store.below.unwrap();
    assert!(behind.disk.is_some() && behind.redis.len() == 1);
    let none = in_file("l2 = 'none'").config.store.below;
    assert_eq!(none, None);
}

#[test]
fn wrong_levels_are_refused_without_their_passwords() {
    let allowed = "an address such as redis://127.0.0.1:6379, rediss://HOST:PORT or redis-cluster://HOST:PORT,HOST:PORT";
    refused(
        &layers(
            "l2 = 'redis://:secret@h:port'\nl3 = 'disk'\nl2_prefix = 'a:b'\nl2_pool = 0",
            &[("LARDER_L3", "http://u:secret@h")],
            &[],
        ),
        &format!(
            r#"l.toml:1: l2: found "redis://***@h:port"; allowed: "none", "disk" or {allowed}
            l.toml:2: l3: found "disk"; allowed: "none" or {allowed}
            l.toml:3: l2_prefix: found "a:b"; allowed: 1 to 32 letters, digits, '-', '_' and '.', such as larder
            l.toml:4: l2_pool: found 0; allowed: a whole number from 1 to 64
            LARDER_L3: l3: found "http://***@h"; allowed: "none" or {allowed}"#
        ),
    );
    refused(
        &layers(
            "l2 = 'redis://:secret@h'\nl3 = 'redis://:secret@i'",
            &[],
            &[],
        ),
        r#"l.toml:2: l3: found "redis://:***@i:6379"; allowed: "none", or another kind of address than l2 has: one of a cluster, the other not"#,
    );
}

#[test]
fn the_lowest_level_in_redis_has_the_authority_and_no_other() {
    refused(
        &layers("l2_authority = 'a'\nl3_authority = 'b'", &[], &[]),
        r#"l.toml:1: l2_authority: found "a"; allowed: "none" where the level is not in Redis
        l.toml:2: l3_authority: found "b"; allowed: "none" where the level is not in Redis"#,
    );
    let both = "l2 = 'redis://h'\nl3 = 'redis-cluster://i:1'\nl2_authority = 'a'";
    refused(
        &layers(both, &[], &[]),
        r#"l.toml:3: l2_authority: found "a"; allowed: "none" where l3 is behind it: say l3_authority"#,
    );
    let many = format!("l2 = 'redis://h'\nl2_authority = '{}'", "a ".repeat(65));
    let found = "a ".repeat(65);
    refused(
        &layers(&many, &[], &[]),
        &format!(
            r#"l.toml:2: l2_authority: found "{found}"; allowed: up to 64 patterns of keys with blanks between them, such as "lock:* count:*", or "none""#
        ),
    );
}
