use super::*;

fn flags(line: &str) -> Vec<(String, String)> {
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    match cli.command {
        Command::Serve(said) => said.overrides.0.into_iter().collect(),
        _ => panic!("{line} is not serve"),
    }
}

#[test]
fn the_command_line_is_well_formed_and_every_setting_is_a_flag() {
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let help = serve.render_long_help().to_string();
    for setting in config::defaults() {
        let flag = format!("--{}", config::flag_name(setting.key));
        assert!(help.contains(&flag), "{flag} is missing in:\n{help}");
    }
}

#[test]
fn flags_go_by_the_key_of_their_setting() {
    let said = flags("larder serve --memory 1GiB --insecure --limits-clients-max=5");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        said,
        [
            pair("insecure", "true"),
            pair("limits.clients_max", "5"),
            pair("memory", "1GiB")
        ]
    );
    assert_eq!(
        flags("larder serve --insecure=false"),
        [pair("insecure", "false")]
    );
    assert_eq!(flags("larder serve"), []);
}

/// Each command line among the examples of a help: a line of its own, before what explains it.
fn examples_in(help: &str) -> impl Iterator<Item = &str> {
    help.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("larder "))
        .map(|line| line.split_once("  ").map_or(line, |(example, _)| example))
        .map(|line| line.split_once(" > ").map_or(line, |(example, _)| example))
}

fn check_examples(command: &clap::Command, name: &str) {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let own = |example: &&str| example.starts_with(name);
    assert!(
        examples_in(&help).any(|example| own(&example)),
        "`{name} --help` has no example of it:\n{help}"
    );
    for example in examples_in(&help) {
        if let Err(error) = Cli::try_parse_from(example.split_whitespace()) {
            panic!("`{name} --help`: {example}\n{error}");
        }
    }
    for command in command.get_subcommands() {
        check_examples(command, &format!("{name} {}", command.get_name()));
    }
}

#[test]
fn every_subcommand_has_examples_and_they_parse() {
    check_examples(&Cli::command(), "larder");
}

#[test]
fn scripts_that_complete_know_every_subcommand() {
    use clap::ValueEnum;

    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "larder", &mut script);
        let script = String::from_utf8(script).unwrap();
        for command in Cli::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}: {command}");
        }
    }
}

#[test]
fn what_is_deployed_calls_the_program_as_it_can_be_called() {
    let unit = include_str!("../../deploy/larder.service");
    let started = unit.lines().filter_map(|line| {
        let (key, line) = line.split_once('=')?;
        key.starts_with("ExecStart")
            .then(|| line.replace(' ', "\n"))
    });
    let container = include_str!("../../deploy/Containerfile");
    // Lists of words, such as CMD ["/usr/bin/larder", "health"].
    let listed = |key: &str| {
        let line = container
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap();
        let (_, list) = line.split_once('[').unwrap();
        let words: Vec<String> = serde_json::from_str(&format!("[{list}")).unwrap();
        words.join("\n")
    };
    let serves = format!("{}\n{}", listed("ENTRYPOINT"), listed("CMD"));
    let commands: Vec<String> = started.chain([serves, listed("HEALTHCHECK")]).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let parsed = Cli::try_parse_from(command.lines());
        assert!(parsed.is_ok(), "{command}: {parsed:?}");
    }
    for (variable, value) in container
        .lines()
        .filter_map(|line| line.strip_prefix("ENV "))
        .flat_map(|line| line.split(' '))
        .map(|pair| pair.split_once('=').unwrap())
    {
        let key = variable.strip_prefix("LARDER_").unwrap().to_lowercase();
        assert!(
            config::defaults().iter().any(|setting| setting.key == key),
            "{key}={value}"
        );
    }
}
