use super::*;

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "memory = '5MiB'";
    let environment = [("LARDER_MEMORY", "6MiB")];
    let flags = [("memory", "7MiB")];
    for (layers, memory, origin) in [
        (layers("", &[], &[]), 256, Origin::Default),
        (layers(file, &[], &[]), 5, Origin::File(1)),
        (layers(file, &environment, &[]), 6, Origin::Environment),
        (layers(file, &environment, &flags), 7, Origin::Flag),
        (layers("", &[], &flags), 7, Origin::Flag),
    ] {
        let loaded = check(&layers).unwrap();
        assert_eq!(loaded.config.store.memory, ByteSize::mib(memory));
        let setting = loaded
            .settings
            .iter()
            .find(|setting| setting.key == "memory")
            .unwrap();
        assert_eq!(setting.origin, origin);
    }
}

#[test]
fn settings_in_tables_have_flags_and_variables_too() {
    assert_eq!(flag_name("limits.clients_max"), "limits-clients-max");
    let environment = [
        ("LARDER_LIMITS_CLIENTS_MAX", "5"),
        ("LARDER_LOG_FORMAT", "json"),
    ];
    let config = check(&layers("[limits]\nclients_max = 4", &environment, &[]))
        .unwrap()
        .config;
    assert_eq!(
        (config.limits.clients_max, config.log.format),
        (5, LogFormat::Json)
    );
}

#[test]
fn policies_follow_the_data_folder_unless_they_are_named() {
    let folder = |flags: &[(&str, &str)]| check(&layers("", &[], flags)).unwrap().config.folders;
    assert_eq!(
        folder(&[("data", "/x")]).policies,
        Path::new("/x/policies.d")
    );
    assert_eq!(
        folder(&[("data", "/x"), ("policies", "y")]).policies,
        Path::new("y")
    );
}

#[test]
fn larder_log_takes_the_place_of_the_level() {
    let environment = [("LARDER_LOG", "larder_server=debug,warn")];
    let loaded = check(&layers("log.level = 'error'", &environment, &[])).unwrap();
    assert_eq!(loaded.config.log.filter, "larder_server=debug,warn");
    assert!(print(&loaded).contains(
        "level = \"error\" # file\n\
         # in its place, from the environment: LARDER_LOG=\"larder_server=debug,warn\"\n"
    ));
}

#[test]
fn unknown_variables_are_named_and_harmless() {
    let environment = [
        ("LARDER_MEMROY", "1"),
        ("LARDER_TRACES", "/t"),
        ("LARDER_LOG", "info"),
        ("LARDER_CONFIG", "f"),
        ("LARDER_L2", "none"),
        ("OTHER", "x"),
    ];
    let owned = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
    assert_eq!(
        unknown_variables(&environment.map(owned)),
        ["LARDER_MEMROY"]
    );
    assert!(check(&layers("", &environment, &[])).is_ok());
}

#[test]
fn the_file_is_the_one_of_the_command_line_or_of_the_environment() {
    let read = |file: Option<&str>, variable: &str| {
        let environment = vec![("LARDER_CONFIG".into(), variable.into())];
        let file = file.map(PathBuf::from);
        load(Sources {
            file,
            environment,
            flags: BTreeMap::new(),
        })
    };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/config/larder.toml");
    assert!(read(None, sample).is_ok());
    assert!(read(Some(sample), "/no/such/file").is_ok());
    assert_eq!(
        read(None, "/no/such/file").unwrap_err().to_string(),
        "/no/such/file: the configuration cannot be read: No such file or directory (os error 2)"
    );
}
