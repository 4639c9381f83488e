use super::*;

#[test]
fn a_loader_has_a_pattern_an_address_and_bounds_of_its_own() {
    let text = "[[tenant]]\nname = 'a'\nmemory = '64MiB'
        [[loader]]
        match = 'playlist:*'
        url = 'http://127.0.0.1:8000/playlists/{key}'
        ttl = '5m'
        [[loader]]
        match = 'user:*'
        url = 'https://host/{key}'
        tenant = 'a'
        headers = { Authorization = 'env:API_TOKEN', Accept = 'application/json' }
        ttl = 'none'
        cache_control = false
        stale_while_revalidate = '10s'
        stale_if_error = '1h'
        early_refresh = 0.29
        absent_ttl = '0ms'
        timeout = '250ms'
        size_max = '64KiB'
        concurrency_max = 8";
    let loaded = in_file(text);
    let loaders = &loaded.config.store.loaders;
    let first = &loaders[0];
    assert_eq!(
        (&*first.pattern, &*first.tenant, first.ttl, first.timeout),
        (
            "playlist:*",
            "default",
            Some(Duration::from_secs(300)),
            Duration::from_secs(5)
        )
    );
    let second = &loaders[1];
    assert_eq!((&*second.tenant, second.ttl), ("a", None));
    assert_eq!((first.early_percent, second.early_percent), (100, 29));
    assert_eq!((second.in_flight_max, second.size_max.bytes()), (8, 65_536));
    let token = Header::Environment("API_TOKEN".to_owned());
    assert!(
        second
            .headers
            .contains(&("Authorization".to_owned(), token))
    );
    let printed = print(&loaded);
    assert_eq!(in_file(&printed).config, loaded.config, "{printed}");
}

#[test]
fn what_is_wrong_with_loaders_is_told_line_by_line_and_no_secret_with_it() {
    let text = "[[loader]]
        match = ''
        url = 'http://{key}/'
        ttl = '1ms'
        tenant = 'b'
        headers = { Authorization = 'hunter2' }
        role = 1
        [[loader]]
        match = 'a*'
        url = 'http://me:hunter2@host/{key}'
        ttl = 'none'
        headers = { 'a b' = 'x' }
        [[loader]]
        match = 'a*'
        url = 'http://host/{key}'
        ttl = 'none'
        headers = 'x'
        [[loader]]
        match = 'a*'
        url = 'http://host/{key}'
        ttl = 'none'
        [[loader]]
        match = \"a\\nb*\"
        [loader.x]";
    let problems = check(&layers(text, &[], &[])).unwrap_err().to_string();
    for line in [
        "l.toml:2: loader.match: found \"\"; allowed: a pattern of keys",
        "l.toml:3: loader.url: the address has {key} in its host, which has to be fixed; allowed: an address",
        "l.toml:4: loader.ttl: found \"1ms\"; allowed: a duration from 1s",
        "l.toml:5: loader.tenant: found \"b\"; allowed: a tenant: \"default\"",
        "l.toml:6: loader.headers: \"Authorization\" is a secret, which has no place in a file: say env:NAME; allowed",
        "l.toml:7: loader.role: unknown key; allowed: match, url, ",
        "l.toml:10: loader.url: the address names a user: say who asks in headers; allowed",
        "l.toml:12: loader.headers: \"a b\" is no name of a header; allowed",
        "l.toml:17: loader.headers: found \"x\"; allowed: a table of texts",
        "l.toml:19: loader.match: found \"a*\" again; allowed",
        "l.toml:23: loader.match: found ",
    ] {
        assert!(problems.contains(line), "{line} is not in\n{problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
    let problems = check(&layers("[[loader]]", &[], &[]))
        .unwrap_err()
        .to_string();
    for key in ["match", "url"] {
        let line = format!("l.toml:1: loader.{key}: missing; allowed: ");
        assert!(problems.contains(&line), "{problems}");
    }
}
