use super::*;

const SAMPLE: &str = include_str!("../../../config/larder.toml");

#[test]
fn the_sample_names_every_setting_at_its_default() {
    let sample = in_file(SAMPLE);
    let defaults = check(&Layers::default()).unwrap();
    assert_eq!(sample.config, defaults.config);
    for setting in &sample.settings {
        assert!(
            matches!(setting.origin, Origin::File(_)),
            "{} is missing",
            setting.key
        );
    }
}

#[test]
fn the_samples_of_each_use_are_right_and_watch_their_own_policies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let uses = std::fs::read_dir(folder.join("policies")).unwrap();
    let mut names: Vec<_> = uses.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["api", "models", "sessions", "streaming"]);
    for name in names {
        let file = folder.join(&name).with_extension("toml");
        let config = in_file(&std::fs::read_to_string(&file).unwrap()).config;
        let policies = Path::new("target/policies").join(&name);
        assert_eq!(config.folders.policies, policies, "{}", file.display());
    }
}

#[test]
fn the_commented_tables_of_the_sample_are_right() {
    let (settings, tenant) = SAMPLE.split_once("# [[tenant]]").unwrap();
    let (tenant, user) = tenant.split_once("# [[user]]").unwrap();
    let (user, loader) = user.split_once("# [[loader]]").unwrap();
    let (loader, hook) = loader.split_once("# [[hook]]").unwrap();
    let lists = [
        ("tenant", tenant),
        ("user", user),
        ("loader", loader),
        ("hook", hook),
    ];
    let lists = lists.map(|(list, table)| {
        let table = table.split("\n\n").next().unwrap();
        format!("[[{list}]]{}\n", table.replace("\n# ", "\n"))
    });
    let store = in_file(&format!("{settings}{}", lists.concat()))
        .config
        .store;
    let names: Vec<_> = store.tenants.iter().map(|tenant| &*tenant.name).collect();
    assert_eq!(names, ["default", "sessions"]);
    assert_eq!(
        (&*store.users[0].name, &*store.users[0].tenant),
        ("shop", "sessions")
    );
    let hooks = store
        .hooks
        .iter()
        .map(|hook| (&*hook.pattern, hook.on.len()));
    assert_eq!(hooks.collect::<Vec<_>>(), [("session:*", 3), ("*", 1)]);
    let loader = &store.loaders[0];
    let bare = format!(
        "{settings}[[loader]]\nmatch = 'playlist:*'\nurl = '{}'\nttl = '5m'",
        loader.url
    );
    let at_defaults = Loader {
        tenant: "sessions".to_owned(),
        headers: loader.headers.clone(),
        ..in_file(&bare).config.store.loaders[0].clone()
    };
    assert_eq!(*loader, at_defaults);
}

#[test]
fn what_is_printed_gives_the_same_settings_again() {
    let unusual = "
        listen = '[::1]:0'
        http = 'none'
        unix_socket = 'a \"quoted\" \\ path'
        data = \"tab\\tand\\u007F\"
        memory = 300000000
        threads = 3
        eviction = 'lru'
        seed = 18446744073709551615
        insecure = true
        limits.idle_timeout = '90s'
        limits.drain_timeout = '0ms'
        tls.listen = '0.0.0.0:1'
        tls.cert = 'server.pem'
        tls.key = 'server.key'
        tls.client_ca = 'ca.pem'
        tls.client_auth = 'optional'
        compression.enabled = false
        encryption.key_ring = 'keys.ring'
        encryption.encrypt = 'marked'
        log.level = 'off'
        [[tenant]]
        name = 'b'
        memory = '100MB'
        eviction = 's3-fifo'
        max_ops_s = 1000
        max_connections = 10
        [[tenant]]
        name = 'a'
        memory = '1MiB'";
    let listed = "[[tenant]]\nname = 'default'\nmemory = '100MiB'\neviction = 'lru'";
    for text in ["", unusual, listed] {
        let loaded = in_file(text);
        let printed = print(&loaded);
        let again = in_file(&printed);
        assert_eq!(again.config, loaded.config, "{printed}");
        assert_eq!(again.tenants_listed, loaded.tenants_listed);
    }
}

#[test]
fn every_line_says_where_it_came_from() {
    let environment = [("LARDER_EVICTION", "lru")];
    let flags = [("listen", "127.0.0.1:0")];
    let file = "limits.clients_max = 7\n[[tenant]]\nname = 'a'\nmemory = '64MiB'";
    let printed = print(&check(&layers(file, &environment, &flags)).unwrap());
    for line in [
        "listen = \"127.0.0.1:0\" # flag",
        "http = \"127.0.0.1:8379\" # default",
        "policies = \"larder-data/policies.d\" # default",
        "eviction = \"lru\" # environment",
        "[limits]",
        "clients_max = 7 # file",
        "# what the others leave: memory = \"192MiB\"",
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line} is not in\n{printed}"
        );
    }
}
