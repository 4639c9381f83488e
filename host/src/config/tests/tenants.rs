use super::*;

fn tenants(text: &str) -> Vec<(String, u64, &'static str)> {
    let tenants = in_file(text).config.store.tenants.into_iter();
    tenants
        .map(|tenant| {
            (
                tenant.name,
                tenant.memory.bytes() >> 20,
                tenant.eviction.name(),
            )
        })
        .collect()
}

fn tenant(name: &str, memory_mib: u64, eviction: &'static str) -> (String, u64, &'static str) {
    (name.to_owned(), memory_mib, eviction)
}

#[test]
fn alone_the_default_tenant_has_it_all() {
    assert_eq!(tenants("eviction = 'lru'"), [tenant("default", 256, "lru")]);
}

#[test]
fn the_default_tenant_comes_first_and_has_what_the_others_leave() {
    let text = "memory = '10MiB'
        [[tenant]]
        name = 'a-1_z'
        memory = '2MiB'
        eviction = 'lru'
        [[tenant]]
        name = 'b'
        memory = '3MiB'";
    let (a, b) = (tenant("a-1_z", 2, "lru"), tenant("b", 3, "s3-fifo"));
    assert_eq!(
        tenants(text),
        [tenant("default", 5, "s3-fifo"), a.clone(), b.clone()]
    );

    let listed = format!("{text}\n[[tenant]]\nname = 'default'\neviction = 'lru'");
    assert_eq!(
        tenants(&listed),
        [tenant("default", 5, "lru"), a.clone(), b.clone()]
    );
    let settled = format!("{listed}\nmemory = '1MiB'");
    assert_eq!(tenants(&settled), [tenant("default", 1, "lru"), a, b]);
}

#[test]
fn all_the_memory_may_be_given_away_when_default_is_listed() {
    let text = "memory = '5MiB'\n\
        tenant = [{ name = 'a', memory = '4MiB' }, { name = 'default', memory = '1MiB' }]";
    assert_eq!(tenants(text).len(), 2);
}

#[test]
fn tables_are_checked_one_by_one() {
    refused(
        &layers(
            "[[tenant]]
            memory = '1MiB'
            [[tenant]]
            name = 'Ä'
            memory = '1023KiB'
            eviction = 'random'
            [[tenant]]
            name = 'b'
            weight = 3
            [[tenant]]
            name = 'b'
            memory = ['1MiB']
            [tenant.x]
            y = 1",
            &[],
            &[],
        ),
        "l.toml:1: tenant.name: missing; allowed: 1 to 64 characters of a-z, 0-9, _ and -
         l.toml:4: tenant.name: found \"Ä\"; allowed: 1 to 64 characters of a-z, 0-9, _ and -
         l.toml:5: tenant.memory: found \"1023KiB\"; allowed: a size from 1MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
         l.toml:6: tenant.eviction: found \"random\"; allowed: \"arc\", \"business-priority\", \"clock\", \"clock2q-plus\", \"fifo\", \"gdsf\", \"lfu\", \"lhd\", \"lirs\", \"lru\", \"predicted-reuse\", \"s3-fifo\", \"sieve\", \"slru\", \"two-q\" or \"w-tinylfu\"
         l.toml:7: tenant.memory: missing; allowed: a size from 1MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
         l.toml:9: tenant.weight: unknown key; allowed: name, memory, eviction, max_ops_s, max_connections, l2_write, l2_write_keys
         l.toml:11: tenant.name: found \"b\", as on line 8; allowed: a name no other tenant has
         l.toml:12: tenant.memory: found an array; allowed: a size from 1MiB to 16TiB, such as 256MiB, 300MB or a number of bytes
         l.toml:13: tenant.x: unknown key; allowed: name, memory, eviction, max_ops_s, max_connections, l2_write, l2_write_keys",
    );
}

#[test]
fn shares_have_to_fit_into_the_memory() {
    refused(
        &layers(
            "memory = '8MiB'
            [[tenant]]
            name = 'a'
            memory = '5MiB'
            [[tenant]]
            name = 'b'
            memory = '4MiB'",
            &[],
            &[],
        ),
        "l.toml:7: tenant.memory: found 4MiB, which makes 9MiB for the tenants so far; allowed: at most 8MiB, the memory of all tenants together",
    );
    refused(
        &layers(
            "[[tenant]]\nname = 'a'\nmemory = '7.5MiB'",
            &[],
            &[("memory", "8MiB")],
        ),
        "l.toml:3: tenant.memory: found \"7.5MiB\"; allowed: a size from 1MiB to 16TiB, such as 256MiB, 300MB or a number of bytes",
    );
    refused(
        &layers(
            "[[tenant]]\nname = 'a'\nmemory = '7680KiB'",
            &[],
            &[("memory", "8MiB")],
        ),
        "l.toml:3: tenant.memory: found 7680KiB for all tenants together, which leaves 512KiB of 8MiB for tenant \"default\"; allowed: what leaves it at least 1MiB",
    );
}

#[test]
fn shares_are_not_compared_with_a_memory_that_is_wrong() {
    refused(
        &layers(
            "memory = '1MiB'\n[[tenant]]\nname = 'a'\nmemory = '1GiB'",
            &[],
            &[],
        ),
        "l.toml:1: memory: found \"1MiB\"; allowed: a size from 4MiB to 16TiB, such as 256MiB, 300MB or a number of bytes",
    );
}

#[test]
fn limits_of_tenants_are_numbers_that_make_sense() {
    let text = "[[tenant]]\nname = 'default'\nmax_ops_s = 500\nmax_connections = 7";
    let default = in_file(text).config.store.tenants.remove(0);
    assert_eq!(
        (default.ops_per_second_max, default.connections_max),
        (Some(500), Some(7))
    );
    refused(
        &layers("[[tenant]]\nname = 'default'\nmax_ops_s = 0\nmax_connections = 'all'", &[], &[]),
        "l.toml:3: tenant.max_ops_s: found 0; allowed: a whole number from 1 to 1000000000
         l.toml:4: tenant.max_connections: found \"all\"; allowed: a whole number from 1 to 1000000",
    );
}

#[test]
fn writes_go_down_as_the_tenant_says_or_as_the_key_does() {
    let text = "[[tenant]]
        name = 'default'
        l2_write = 'behind'
        l2_write_keys = ['session:* around', 'with a blank* through']";
    let loaded = in_file(text);
    let writes = &loaded.config.store.tenants[0].writes;
    assert_eq!(writes.policy, Some(WritePolicy::Behind));
    let keys = [
        ("session:*".to_owned(), WritePolicy::Around),
        ("with a blank*".to_owned(), WritePolicy::Through),
    ];
    assert_eq!(writes.keys, keys);
    assert_eq!(in_file(&print(&loaded)).config, loaded.config);

    let allowed = "allowed: an array of up to 64 patterns of keys, each with \"through\", \"behind\" or \"around\" \
                   behind it, such as [\"session:* around\"]";
    let many = format!("[{}]", "'a* behind',".repeat(65));
    for (wrong, found) in [
        ("'a* behind'", "\"a* behind\""),
        ("['a* behind', 'a*']", "\"a*\""),
        ("[' behind']", "\" behind\""),
        ("['a* beside', 'b*']", "\"a* beside\""),
        ("[1]", "an array"),
        (&many, "65 of them"),
    ] {
        let text = format!("[[tenant]]\nname = 'default'\nl2_write_keys = {wrong}");
        let problems = check(&layers(&text, &[], &[]))
            .expect_err(wrong)
            .to_string();
        let expected = format!("l.toml:3: tenant.l2_write_keys: found {found}; {allowed}");
        assert_eq!(problems.trim_end(), expected);
    }
    refused(
        &layers("[[tenant]]\nname = 'default'\nl2_write = 'below'", &[], &[]),
        "l.toml:3: tenant.l2_write: found \"below\"; allowed: \"through\", \"behind\" or \"around\"",
    );
}
